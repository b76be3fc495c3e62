#@ Context context
#@ ImagePlus (required=false, label="Prediction") image
#@ String (label="Method", choices={"floodfill", "connected"}, value="floodfill", persistKey="deepd3.rois3d.mode", description="'floodfill' grows ROIs from probability peaks; 'connected' takes connected components above the area threshold.") mode
#@ Double (label="Area threshold", value=0.25, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.rois3d.area_threshold", description="Spine probability above which a voxel can belong to a ROI.") area_threshold
#@ Double (label="Peak threshold", value=0.8, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.rois3d.peak_threshold", description="Spine probability from which a voxel can seed a ROI (floodfill).") peak_threshold
#@ Double (label="Seed delta", value=0.2, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.rois3d.seed_delta", description="Allowed relative difference to the seed's probability (floodfill).") seed_delta
#@ Double (label="Distance (micron)", value=2.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.rois3d.distance_um", description="A ROI stays nearer to its seed than this (floodfill).") distance_um
#@ Integer (label="Smallest ROI (voxels)", value=20, min=1, max=1000000000, persistKey="deepd3.rois3d.min_voxels", description="Smallest ROI that is kept.") min_voxels
#@ Integer (label="Largest ROI (voxels)", value=1000, min=1, max=1000000000, persistKey="deepd3.rois3d.max_voxels", description="Largest ROI that is kept.") max_voxels
#@ Integer (label="Min planes", value=1, min=1, max=100000, persistKey="deepd3.rois3d.min_planes", description="A kept ROI spans at least this many planes.") min_planes
#@ Double (label="Min peak", value=0.0, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.rois3d.min_peak", description="A kept ROI reaches at least this spine probability.") min_peak
#@ Double (label="Sigma (px)", value=0.0, min=0.0, max=10.0, stepSize=0.1, persistKey="deepd3.rois3d.sigma_px", description="Gaussian smoothing of the spine map in the plane before ROIs are built.") sigma_px
#@ Integer (label="Dilation (px)", value=0, min=0, max=100, persistKey="deepd3.rois3d.dilation", description="Dilations before components are found (connected).") dilation
#@ Boolean (label="Watershed", value=false, persistKey="deepd3.rois3d.watershed", description="Split touching ROIs by shape.") watershed
#@ Boolean (label="Recommended values for fields left at their default", value=true, persistKey="deepd3.rois3d.recommended", description="A field that you change always counts; the others take the live test's or the model's recommendation.") recommended
"""Build spine ROIs through planes from the prediction."""

import deepd3_fiji as deepd3


def build(fiji):
    prediction = fiji.prediction(image)
    choice = fiji.choice("Roi3DParameters", globals(), recommended and deepd3.recommended_of(prediction),
                         deepd3.tested_parameters(prediction))
    reply, arrays = fiji.call("build_rois_3d", dict(deepd3.prediction_values(prediction), choice=choice),
                              deepd3.maps(prediction))
    deepd3.show_rois(prediction, reply, arrays)
    fiji.say("%d ROIs" % reply["count"])


deepd3.run(context, "Build 3D ROIs", build)
