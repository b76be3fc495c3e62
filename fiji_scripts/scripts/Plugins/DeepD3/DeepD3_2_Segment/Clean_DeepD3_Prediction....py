#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction") image
"""Connect dendrites, remove small pieces and spines far from dendrites; changes the prediction."""

from deepd3_command import confirmed, run
from deepd3_errors import Cancelled
from deepd3_images import copied_maps, maps, prediction_values, replace_maps
from deepd3_names import PREDICTION, PROVENANCE


def clean(fiji):
    prediction = fiji.image
    preview = fiji.value("preview")
    before = copied_maps(prediction) if preview else None
    reply, arrays = fiji.call("clean", dict(prediction_values(prediction), choices=fiji.choices()), maps(prediction))
    earlier = prediction.getProp(PROVENANCE)
    replace_maps(prediction, arrays, reply["provenance"])
    if preview and not confirmed("Keep the cleaned prediction?"):
        replace_maps(prediction, before, earlier)
        raise Cancelled()


run(globals(), "Clean DeepD3 Prediction...", clean, PREDICTION)
