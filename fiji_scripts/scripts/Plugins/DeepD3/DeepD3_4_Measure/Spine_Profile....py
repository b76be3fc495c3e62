#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Plot the light along a spine, with the split between neck and head."""

from deepd3_command import IMAGE, run
from deepd3_images import stem_of
from deepd3_profile import profile_plot
from deepd3_results import profile
from deepd3_spines import Spines


def plot(fiji):
    spines = Spines(fiji.images, fiji.image)
    spine = fiji.chosen_spine(spines)
    reply, light = profile(fiji, fiji.image, spine)
    profile_plot(reply, light, u"Spine %d of %s" % (spine, stem_of(spines.anchor)), spines.anchor)
    fiji.say(u"spine %d: %s" % (spine, reply["summary"]))


run(globals(), "Spine Profile...", plot, IMAGE)
