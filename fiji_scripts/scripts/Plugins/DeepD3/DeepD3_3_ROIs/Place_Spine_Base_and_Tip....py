#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Let base and tip of a spine be the ends of a line, drawn on the image from base to tip."""

from deepd3_command import IMAGE, run
from deepd3_editing import line_of, place_ends
from deepd3_errors import DeepD3Error
from deepd3_spines import Spines


def place(fiji):
    spines = Spines(fiji.images, fiji.image)
    spine, line = fiji.chosen_spine(spines), line_of(fiji.value("ends"), fiji.image)
    if line is None or len(line) != 4:
        raise DeepD3Error(u"There is no line from base to tip; draw a straight one on the image, or name its ends.")
    planes = [fiji.value(name) or fiji.image.getZ() for name in ("base_plane", "tip_plane")]
    fiji.say(place_ends(spines, fiji.image, spine, line, planes))


run(globals(), "Place Spine Base and Tip...", place, IMAGE)
