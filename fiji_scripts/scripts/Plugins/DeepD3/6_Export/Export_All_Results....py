#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ String (label="Folder for the files (empty: that of the stack)", required=false, value="", persist=false) folder
#@ Double (label="Dendrite threshold", value=0.5, min=0.0, max=1.0, stepSize=0.05, persistKey="deepd3.measure.dendrite_threshold", description="Dendrite probability above which a voxel is dendrite.") measured_dendrite_threshold
#@ Double (label="Min dendrite (micron)", value=2.0, min=0.0, max=1000.0, stepSize=0.1, persistKey="deepd3.measure.min_dendrite_um", description="Shortest dendrite that is listed, and shortest side branch that counts.") min_dendrite_um
#@ Double (label="Background (micron)", value=1.0, min=0.0, max=100.0, stepSize=0.1, persistKey="deepd3.measure.background_um", description="Width of the ring around a spine whose median is the background.") background_um
#@ Boolean (label="Recommended values for fields left at their default", value=true, persistKey="deepd3.measure.recommended", description="A field that you change always counts; the others take the live test's or the model's recommendation.") recommended
"""Write all files of an analysis: maps, ROIs, tables, overview, .prediction and .rois."""

import deepd3_fiji as deepd3


def export(fiji):
    deepd3.export(fiji, fiji.image(image), "everything", folder,
                  choice=fiji.choice("MeasureParameters", globals(),
                                     recommended and deepd3.recommended_of(fiji.image(image))))


deepd3.run(context, "Export All Results", export)
