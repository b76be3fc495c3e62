#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Note in the tables that spines were looked at and are right."""

from deepd3_command import IMAGE, run
from deepd3_editing import keep
from deepd3_spines import Spines


def keep_spines(fiji):
    spines = Spines(fiji.images, fiji.image)
    fiji.say(keep(spines, fiji.chosen_spines(spines)))


run(globals(), "Keep Spines...", keep_spines, IMAGE)
