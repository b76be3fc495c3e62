#@ Context context
#@ ImagePlus (required=false, persist=false, label="Stack") image
"""Segment, clean, build ROIs and measure in one go."""

from deepd3_command import run
from deepd3_images import describe, new_prediction, pixels, stem_of
from deepd3_names import STACK
from deepd3_results import corrections_to_keep, detected_rois, may_write, written
from deepd3_spines import Spines, show_rois
from deepd3_tables import measured_summary, show_tables


def analyze(fiji):
    stack = fiji.image
    folder, stem = fiji.value("folder"), stem_of(stack)
    overwrite = may_write(fiji, ["everything"], folder, stem) if folder else False
    spines = Spines(fiji.images, stack)
    if corrections_to_keep(fiji, spines):
        both, outlines = spines.before_and_now()
    else:
        both, outlines = {}, {}
    taken = pixels(stack)
    reply, arrays = fiji.call("analyze", dict(both, **{
        "image": describe(stack), "model": fiji.value("model"), "choices": fiji.choices(),
        "folder": folder, "stem": stem, "overwrite": overwrite, "region": fiji.value("region")}),
        dict(outlines, stack=taken))
    prediction = fiji.images.display_prediction(new_prediction(arrays, reply, stack, part=taken.part), stack)
    show_rois(fiji.images, prediction, reply, arrays, detected_rois(reply, arrays))
    if not fiji.can_ask():  # a user finds the spines in the panel
        show_tables(reply, arrays, prediction, fiji.images)
    summary = measured_summary(reply, arrays)
    fiji.say(summary + u"; " + written(reply["files"]) if reply["files"] else summary)
    fiji.lay_maps_over_stack(prediction)
    fiji.image = prediction
    fiji.open_panel()


run(globals(), "Analyze Dendrites and Spines...", analyze, STACK)
