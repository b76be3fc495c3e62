#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction or stack") image
"""Make training data of a model's own result, as a user corrected its ROIs.

ROIs whose name begins with 'ignore' mark areas that do not count.
"""

from deepd3_command import run
from deepd3_errors import DeepD3Error
from deepd3_images import file_of, maps, planes_before, prediction_values, segmented_pixels, shape_of
from deepd3_names import PREDICTION
from deepd3_spines import Spines
from deepd3_texts import quoted, without_ending


def use(fiji):
    prediction = fiji.image
    stack = fiji.images.stack_of(prediction)
    if stack is None:
        raise DeepD3Error(u"The stack of %s is not open; open it." % quoted(prediction))
    if shape_of(stack) != shape_of(prediction) or planes_before(prediction, stack):
        raise DeepD3Error(u"%s has %d planes and its stack %d; segment the whole stack." % (
            quoted(prediction), prediction.getNSlices(), stack.getNSlices()))
    spines = Spines(fiji.images, prediction)
    values, arrays = spines.before_and_now()
    arrays = dict((name, array) for name, array in arrays.items() if name == "shown_outlines")
    values["now_rois"], arrays["now_outlines"], notes = spines.values(lambda roi: not _is_ignored(roi))
    values["excluded_rois"], arrays["excluded_outlines"], _ = spines.values(_is_ignored)
    fiji.notes += notes
    values["confirmed"] = sorted(int(spine) for spine in spines.by_hand()["reviewed"])
    out = fiji.value("out") or without_ending(file_of(stack)) + "_corrected.d3data"
    reply, _ = fiji.call("use_corrections", dict(
        dict(prediction_values(prediction), **values), choices=fiji.choices(), out=out,
        overwrite=fiji.value("overwrite")), dict(maps(prediction), stack=segmented_pixels(stack, prediction), **arrays))
    fiji.say(u"wrote %s: %d spines to learn from, %d that are none" % (
        reply["file"], reply["trusted"], reply["deleted"]))


def _is_ignored(roi):
    return (roi.getName() or u"").lower().startswith(u"ignore")


run(globals(), "Use as DeepD3 Training Data...", use, PREDICTION)
