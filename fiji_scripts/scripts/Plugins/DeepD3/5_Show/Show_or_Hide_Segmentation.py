#@ Context context
#@ ImagePlus (required=false, label="Image") image
"""Show the prediction of the active image, or hide it."""

import deepd3_fiji as deepd3


def show(fiji):
    deepd3.toggle(fiji.prediction(image))


deepd3.run(context, "Show or Hide Segmentation", show)
