#@ Context context
#@ ImagePlus (required=false, label="Prediction") image
#@ Boolean (label="Connect dendrite", value=true, persistKey="deepd3.clean.closing", description="Connect nearby pieces of dendrite (grey closing).") closing
#@ Integer (label="Closing iterations (px)", value=3, min=1, max=100, persistKey="deepd3.clean.closing_iterations", description="Reach of the closing: dilations, then as many erosions.") closing_iterations
#@ Boolean (label="Clean dendrite", value=true, persistKey="deepd3.clean.clean_dendrite", description="Remove small dendrite pieces.") clean_dendrite
#@ Integer (label="Dendrite dimensions", value=3, min=2, max=3, persistKey="deepd3.clean.dendrite_dimensions", description="Find dendrite pieces in 3-D, or plane by plane (2).") dendrite_dimensions
#@ Double (label="Dendrite threshold", value=0.7, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.clean.dendrite_threshold", description="Dendrite probability above which a pixel is dendrite.") dendrite_threshold
#@ Integer (label="Min dendrite (px)", value=100, min=1, max=1000000000, persistKey="deepd3.clean.min_dendrite_voxels", description="Smallest dendrite piece that is kept (plane by plane: pieces must be larger than this).") min_dendrite_voxels
#@ Boolean (label="Clean spines", value=true, persistKey="deepd3.clean.clean_spines", description="Remove spine probability far from any dendrite.") clean_spines
#@ Double (label="Spine distance (micron)", value=2.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.clean.spine_distance_um", description="Largest distance of spine probability from the dendrite.") spine_distance_um
#@ Boolean (label="Recommended values for fields left at their default", value=true, persistKey="deepd3.clean.recommended", description="A field that you change always counts; the others take the live test's or the model's recommendation.") recommended
#@ Boolean (label="Preview: ask before the result is kept", value=false, persistKey="deepd3.clean.preview") preview
"""Connect dendrites, remove small pieces and spines far from dendrites; changes the prediction."""

import deepd3_fiji as deepd3


def clean(fiji):
    prediction = fiji.prediction(image)
    before = deepd3.copied_maps(prediction) if preview else None
    reply, arrays = fiji.call("clean", dict(
        deepd3.prediction_values(prediction),
        choice=fiji.choice("CleaningParameters", globals(), recommended and deepd3.recommended_of(prediction))),
        deepd3.maps(prediction))
    earlier = prediction.getProp(deepd3.PROVENANCE)
    deepd3.replace_maps(prediction, arrays, reply["provenance"])
    if preview and not deepd3.confirmed("Keep the cleaned prediction?"):
        deepd3.replace_maps(prediction, before, earlier)
        raise deepd3.Cancelled()


deepd3.run(context, "Clean Predictions", clean)
