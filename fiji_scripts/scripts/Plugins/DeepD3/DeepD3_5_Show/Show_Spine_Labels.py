#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show the ROIs as they are now as a label image."""

from deepd3_command import IMAGE, run
from deepd3_images import describe, new_labels, shape_of
from deepd3_rois import roi_values


def show(fiji):
    values, arrays = roi_values(fiji.image)
    reply, received = fiji.call("labels", dict(values, image=describe(fiji.image), shape=shape_of(fiji.image)), arrays)
    fiji.images.display(new_labels(received["labels"], reply, fiji.image))


run(globals(), "Show Spine Labels", show, IMAGE)
