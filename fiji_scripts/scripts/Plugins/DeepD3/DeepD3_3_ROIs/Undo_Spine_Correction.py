#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Take the last change of the spines back: a correction, or ROIs that were built or loaded over others."""

from deepd3_command import IMAGE, run
from deepd3_spines import Spines


def undo(fiji):
    Spines(fiji.images, fiji.image).undo()
    fiji.say("took the last change of the spines back")


run(globals(), "Undo Spine Correction", undo, IMAGE)
