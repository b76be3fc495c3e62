#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Make a spine of an outline in one plane, and follow it through the planes of the spine map."""

from deepd3_command import IMAGE, run
from deepd3_editing import add, corners_of, drawn_corners
from deepd3_spines import Spines


def add_spine(fiji):
    text = fiji.value("outline")
    corners = corners_of(text) if text else drawn_corners(fiji.image)
    spines = Spines(fiji.images, fiji.image)
    fiji.say(add(spines, fiji.call, fiji.image, corners, fiji.value("plane") or fiji.image.getZ(),
                 fiji.value("grow"), fiji.value("instead_of"))[1])


run(globals(), "Add Spine...", add_spine, IMAGE)
