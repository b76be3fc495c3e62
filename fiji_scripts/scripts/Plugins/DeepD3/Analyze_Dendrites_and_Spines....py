#@ Context context
#@ ImagePlus (required=false, persist=false, label="Stack") image
"""Segment, clean, build ROIs and measure in one go."""

from deepd3_command import run
from deepd3_images import describe, new_prediction, pixels, stem_of
from deepd3_names import STACK
from deepd3_rois import show_rois
from deepd3_tables import show_tables


def analyze(fiji):
    stack = fiji.image
    reply, arrays = fiji.call("analyze", {
        "image": describe(stack), "model": fiji.value("model"), "choices": fiji.choices(),
        "folder": fiji.value("folder"), "stem": stem_of(stack)}, {"stack": pixels(stack)})
    prediction = new_prediction(arrays, reply, stack)
    fiji.images.display(prediction)
    show_rois(prediction, reply, arrays)
    show_tables(reply, arrays, prediction)
    fiji.say("%d ROIs, %d files" % (reply["count"], len(reply["files"])))


run(globals(), "Analyze Dendrites and Spines...", analyze, STACK)
