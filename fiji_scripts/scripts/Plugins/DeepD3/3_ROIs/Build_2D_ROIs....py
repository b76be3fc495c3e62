#@ Context context
#@ ImagePlus (required=false, label="Prediction") image
#@ Double (label="Threshold", value=0.25, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.rois2d.threshold", description="Spine probability above which a pixel belongs to a ROI.") spine_threshold
#@ Boolean (label="Watershed", value=false, persistKey="deepd3.rois2d.watershed", description="Split touching ROIs by shape.") watershed
#@ Integer (label="Mask size (px)", value=3, min=0, max=5, persistKey="deepd3.rois2d.mask_size", description="Mask of the distance transform for the watershed: 3, 5, or 0 for exact.") mask_size_px
#@ Integer (label="Min distance (px)", value=3, min=1, max=100, persistKey="deepd3.rois2d.min_distance_px", description="Smallest distance between ROI centres for the watershed.") min_distance_px
#@ Boolean (label="Clean ROIs", value=true, persistKey="deepd3.rois2d.clean", description="Remove small ROIs and ROIs far from any dendrite.") clean_rois
#@ Integer (label="Max dendrite distance (px)", value=30, min=0, max=10000, persistKey="deepd3.rois2d.max_dendrite_distance_px", description="A kept ROI has dendrite within this distance of its centre.") max_dendrite_distance_px
#@ Integer (label="Smallest ROI (px)", value=10, min=0, max=1000000000, persistKey="deepd3.rois2d.min_area_px", description="Smallest ROI that is kept.") min_area_px
#@ Double (label="Dendrite threshold", value=0.7, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.rois2d.dendrite_threshold", description="Dendrite probability above which a pixel is dendrite.") near_dendrite_threshold
#@ Boolean (label="Recommended values for fields left at their default", value=true, persistKey="deepd3.rois2d.recommended", description="A field that you change always counts; the others take the live test's or the model's recommendation.") recommended
"""Build spine ROIs plane by plane from the prediction."""

import deepd3_fiji as deepd3


def build(fiji):
    prediction = fiji.prediction(image)
    reply, arrays = fiji.call("build_rois_2d", dict(
        deepd3.prediction_values(prediction),
        choice=fiji.choice("Roi2DParameters", globals(), recommended and deepd3.recommended_of(prediction))),
        deepd3.maps(prediction))
    deepd3.show_rois(prediction, reply, arrays)
    fiji.say("%d ROIs" % reply["count"])


deepd3.run(context, "Build 2D ROIs", build)
