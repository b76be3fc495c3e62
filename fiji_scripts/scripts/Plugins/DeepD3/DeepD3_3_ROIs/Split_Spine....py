#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Make two spines of one: along a line that is drawn on the image, else at its waist."""

from deepd3_command import IMAGE, run
from deepd3_editing import line_of, split
from deepd3_spines import Spines


def split_spine(fiji):
    spines = Spines(fiji.images, fiji.image)
    fiji.say(split(spines, fiji.call, fiji.chosen_spine(spines), line_of(fiji.value("line"), fiji.image)))


run(globals(), "Split Spine...", split_spine, IMAGE)
