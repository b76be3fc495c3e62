#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ String (label="Folder for the files (empty: that of the stack)", required=false, value="", persist=false) folder
"""Save prediction and ROIs (.prediction, .rois), as a rule beside the stack, from where Open Stack loads them."""

import deepd3_fiji as deepd3


def save(fiji):
    deepd3.save(fiji, fiji.image(image), folder)


deepd3.run(context, "Save DeepD3 Results", save)
