#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show the maximum of the active stack or prediction along z."""

from deepd3_command import IMAGE, run
from deepd3_images import projection


def show(fiji):
    fiji.images.display(projection(fiji.image, "max"))


run(globals(), "Show DeepD3 Maximum Projection", show, IMAGE)
