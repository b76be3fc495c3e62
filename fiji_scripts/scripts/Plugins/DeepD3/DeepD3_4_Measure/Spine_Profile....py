#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Plot the light along a spine, with the split between neck and head."""

from deepd3_command import IMAGE, run
from deepd3_errors import DeepD3Error
from deepd3_images import stem_of
from deepd3_profile import profile_plot
from deepd3_results import profile
from deepd3_spines import Spines


def plot(fiji):
    spines = Spines(fiji.images, fiji.image)
    ids = fiji.chosen_spines(spines)
    if len(ids) != 1:
        raise DeepD3Error(u"%d spines are chosen; select one in the spine panel, or name it." % len(ids))
    reply, light = profile(fiji, fiji.image, ids[0])
    profile_plot(reply, light, u"Spine %d of %s" % (ids[0], stem_of(spines.anchor)), spines.anchor)
    fiji.say(u"spine %d: %s" % (ids[0], reply["summary"]))


run(globals(), "Spine Profile...", plot, IMAGE)
