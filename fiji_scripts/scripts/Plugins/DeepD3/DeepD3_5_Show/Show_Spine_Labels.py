#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show the ROIs as they are now as a label image."""

from deepd3_command import IMAGE, run
from deepd3_images import describe, new_labels, shape_of
from deepd3_spines import Spines


def show(fiji):
    spines = Spines(fiji.images, fiji.image)
    rois, outlines, notes = spines.values()
    fiji.notes += notes
    where = spines.anchor
    reply, received = fiji.call("labels", {"rois": rois, "image": describe(where), "shape": shape_of(where)},
                                {"outlines": outlines})
    fiji.images.display(new_labels(received["labels"], reply, where))


run(globals(), "Show Spine Labels", show, IMAGE)
