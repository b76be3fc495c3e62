#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Make one spine of several."""

from deepd3_command import IMAGE, run
from deepd3_editing import merge
from deepd3_spines import Spines


def merge_spines(fiji):
    spines = Spines(fiji.images, fiji.image)
    fiji.say(merge(spines, fiji.call, fiji.chosen_spines(spines)))


run(globals(), "Merge Spines...", merge_spines, IMAGE)
