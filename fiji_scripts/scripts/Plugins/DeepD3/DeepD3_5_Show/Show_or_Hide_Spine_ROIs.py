#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show the ROIs on the active image, or hide them."""

from deepd3_command import IMAGE, run
from deepd3_rois import toggle_rois


def show(fiji):
    toggle_rois(fiji.image)


run(globals(), "Show or Hide Spine ROIs", show, IMAGE)
