#@ Context context
#@ ImagePlus (required=false, label="Stack") image
#@ String (label="Model", choices={"default", "deepd3_ij_8F", "DeepD3_8F", "DeepD3_16F", "DeepD3_32F", "DeepD3_8F_94nm", "DeepD3_16F_94nm", "DeepD3_32F_94nm"}, value="default", persistKey="deepd3.model", description="The default model of DeepD3 Settings... (if none is set, the one that comes with DeepD3), or one of the Model Zoo after it was got with DeepD3 Models...") model
#@ String (label="Model file instead (.keras, .h5)", required=false, value="", persist=false, description="A model of your own; leave it empty to use the model above.") model_file
#@ String (label="Tiling", choices={"seamless", "plane", "inset", "fourfold"}, value="seamless", persistKey="deepd3.analyze.tiling", description="How planes are cut for the network: 'seamless' equals the whole plane at bounded memory; 'plane' predicts whole planes; 'inset' and 'fourfold' are the original's tilings.") tiling
#@ Boolean (label="Clean predictions", value=true, persistKey="deepd3.analyze.cleaning") cleaning
#@ Boolean (label="Connect dendrite", value=true, persistKey="deepd3.analyze.closing", description="Connect nearby pieces of dendrite (grey closing).") closing
#@ Integer (label="Closing iterations (px)", value=3, min=1, max=100, persistKey="deepd3.analyze.closing_iterations", description="Reach of the closing: dilations, then as many erosions.") closing_iterations
#@ Boolean (label="Clean dendrite", value=true, persistKey="deepd3.analyze.clean_dendrite", description="Remove small dendrite pieces.") clean_dendrite
#@ Integer (label="Dendrite dimensions", value=3, min=2, max=3, persistKey="deepd3.analyze.dendrite_dimensions", description="Find dendrite pieces in 3-D, or plane by plane (2).") dendrite_dimensions
#@ Double (label="Dendrite threshold", value=0.7, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.analyze.dendrite_threshold", description="Dendrite probability above which a pixel is dendrite.") dendrite_threshold
#@ Integer (label="Min dendrite (px)", value=100, min=1, max=1000000000, persistKey="deepd3.analyze.min_dendrite_voxels", description="Smallest dendrite piece that is kept (plane by plane: pieces must be larger than this).") min_dendrite_voxels
#@ Boolean (label="Clean spines", value=true, persistKey="deepd3.analyze.clean_spines", description="Remove spine probability far from any dendrite.") clean_spines
#@ Double (label="Spine distance (micron)", value=2.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.analyze.spine_distance_um", description="Largest distance of spine probability from the dendrite.") spine_distance_um
#@ String (label="ROIs", choices={"3D", "2D"}, value="3D", persistKey="deepd3.analyze.rois") rois
#@ String (label="3D: Method", choices={"floodfill", "connected"}, value="floodfill", persistKey="deepd3.analyze.mode", description="'floodfill' grows ROIs from probability peaks; 'connected' takes connected components above the area threshold.") mode
#@ Double (label="3D: Area threshold", value=0.25, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.analyze.area_threshold", description="Spine probability above which a voxel can belong to a ROI.") area_threshold
#@ Double (label="3D: Peak threshold", value=0.8, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.analyze.peak_threshold", description="Spine probability from which a voxel can seed a ROI (floodfill).") peak_threshold
#@ Double (label="3D: Seed delta", value=0.2, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.analyze.seed_delta", description="Allowed relative difference to the seed's probability (floodfill).") seed_delta
#@ Double (label="3D: Distance (micron)", value=2.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.analyze.distance_um", description="A ROI stays nearer to its seed than this (floodfill).") distance_um
#@ Integer (label="3D: Smallest ROI (voxels)", value=20, min=1, max=1000000000, persistKey="deepd3.analyze.min_voxels", description="Smallest ROI that is kept.") min_voxels
#@ Integer (label="3D: Largest ROI (voxels)", value=1000, min=1, max=1000000000, persistKey="deepd3.analyze.max_voxels", description="Largest ROI that is kept.") max_voxels
#@ Integer (label="3D: Min planes", value=1, min=1, max=100000, persistKey="deepd3.analyze.min_planes", description="A kept ROI spans at least this many planes.") min_planes
#@ Double (label="3D: Min peak", value=0.0, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.analyze.min_peak", description="A kept ROI reaches at least this spine probability.") min_peak
#@ Double (label="3D: Sigma (px)", value=0.0, min=0.0, max=10.0, stepSize=0.1, persistKey="deepd3.analyze.sigma_px", description="Gaussian smoothing of the spine map in the plane before ROIs are built.") sigma_px
#@ Integer (label="3D: Dilation (px)", value=0, min=0, max=100, persistKey="deepd3.analyze.dilation", description="Dilations before components are found (connected).") dilation
#@ Boolean (label="3D: Watershed", value=false, persistKey="deepd3.analyze.watershed", description="Split touching ROIs by shape.") watershed
#@ Double (label="2D: Threshold", value=0.25, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.analyze.roi2d_spine_threshold", description="Spine probability above which a pixel belongs to a ROI.") roi2d_spine_threshold
#@ Boolean (label="2D: Watershed", value=false, persistKey="deepd3.analyze.roi2d_watershed", description="Split touching ROIs by shape.") roi2d_watershed
#@ Integer (label="2D: Mask size (px)", value=3, min=0, max=5, persistKey="deepd3.analyze.roi2d_mask_size_px", description="Mask of the distance transform for the watershed: 3, 5, or 0 for exact.") roi2d_mask_size_px
#@ Integer (label="2D: Min distance (px)", value=3, min=1, max=100, persistKey="deepd3.analyze.roi2d_min_distance_px", description="Smallest distance between ROI centres for the watershed.") roi2d_min_distance_px
#@ Boolean (label="2D: Clean ROIs", value=true, persistKey="deepd3.analyze.roi2d_clean_rois", description="Remove small ROIs and ROIs far from any dendrite.") roi2d_clean_rois
#@ Integer (label="2D: Max dendrite distance (px)", value=30, min=0, max=10000, persistKey="deepd3.analyze.roi2d_max_dendrite_distance_px", description="A kept ROI has dendrite within this distance of its centre.") roi2d_max_dendrite_distance_px
#@ Integer (label="2D: Smallest ROI (px)", value=10, min=0, max=1000000000, persistKey="deepd3.analyze.roi2d_min_area_px", description="Smallest ROI that is kept.") roi2d_min_area_px
#@ Double (label="2D: Dendrite threshold", value=0.7, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.analyze.roi2d_near_dendrite_threshold", description="Dendrite probability above which a pixel is dendrite.") roi2d_near_dendrite_threshold
#@ String (label="Folder for all files (empty: write none)", required=false, value="", persist=false) folder
"""Segment, clean, build ROIs and measure in one go. Fields at their default take what the model recommends."""

import deepd3_fiji as deepd3


def analyze(fiji):
    stack = fiji.stack(image)
    reply, arrays = fiji.call("analyze", {
        "image": deepd3.describe(stack), "model": fiji.model(model, model_file), "cleaning": cleaning,
        "roi_dimensions": 3 if rois == "3D" else 2,
        "prediction_choice": fiji.choice("PredictionParameters", globals(), {}),
        "cleaning_choice": fiji.choice("CleaningParameters", globals(), {}),
        "roi_choice": fiji.choice("Roi3DParameters" if rois == "3D" else "Roi2DParameters", globals(), {},
                                  prefix="" if rois == "3D" else "roi2d_"),
        "folder": deepd3.path_of(folder), "stem": deepd3.stem_of(stack)}, {"stack": deepd3.pixels(stack)})
    prediction = deepd3.new_prediction(arrays, reply, stack)
    fiji.display(prediction)
    deepd3.show_rois(prediction, reply, arrays)
    deepd3.show_tables(reply, arrays, prediction)
    fiji.say("%d ROIs, %d files" % (reply["count"], len(reply["files"])))


deepd3.run(context, "Analyze Dendrites and Spines", analyze)
