#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Delete spines, in all their planes."""

from deepd3_command import IMAGE, run
from deepd3_editing import delete
from deepd3_spines import Spines


def delete_spines(fiji):
    spines = Spines(fiji.images, fiji.image)
    fiji.say(delete(spines, fiji.chosen_spines(spines)))


run(globals(), "Delete Spines...", delete_spines, IMAGE)
