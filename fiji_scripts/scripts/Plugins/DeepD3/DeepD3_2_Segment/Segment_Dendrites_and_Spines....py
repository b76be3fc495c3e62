#@ Context context
#@ ImagePlus (required=false, persist=false, label="Stack") image
"""Find dendrites and spines in the active stack; shows their probabilities as an image of its own."""

from deepd3_command import run
from deepd3_images import describe, new_prediction, pixels
from deepd3_names import STACK


def segment(fiji):
    stack = fiji.image
    taken = pixels(stack)
    reply, arrays = fiji.call("segment", {
        "image": describe(stack), "model": fiji.value("model"), "choices": fiji.choices(),
        "first_plane": fiji.value("first_plane"), "last_plane": fiji.value("last_plane"),
        "region": fiji.value("region")}, {"stack": taken})
    prediction = fiji.images.display_prediction(new_prediction(arrays, reply, stack, part=taken.part), stack)
    prediction.changes = True  # ImageJ asks before it is lost
    fiji.lay_maps_over_stack(prediction)
    fiji.say("segmented with the model %s" % reply["model"])


run(globals(), "Segment Dendrites and Spines...", segment, STACK)
