#@ Context context
#@ ImagePlus (required=false, label="Image") image
"""Show the ROIs on the active image, or hide them."""

import deepd3_fiji as deepd3


def show(fiji):
    deepd3.toggle_rois(fiji.image(image))


deepd3.run(context, "Show or Hide ROIs", show)
