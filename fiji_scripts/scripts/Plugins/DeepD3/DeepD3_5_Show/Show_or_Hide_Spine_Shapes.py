#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show base, head and tip of the measured spines over the images, or hide them."""

from deepd3_command import IMAGE, run
from deepd3_shapes import toggle_shapes
from deepd3_spines import Spines


def show(fiji):
    toggle_shapes(Spines(fiji.images, fiji.image))


run(globals(), "Show or Hide Spine Shapes", show, IMAGE)
