#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction") image
"""Connect dendrites, remove small pieces and spines far from dendrites; changes the prediction."""

from deepd3_command import run
from deepd3_images import maps, prediction_values, replace_maps
from deepd3_names import PREDICTION


def clean(fiji):
    prediction = fiji.image
    reply, arrays = fiji.call("clean", dict(prediction_values(prediction), choices=fiji.choices()), maps(prediction))
    replace_maps(prediction, arrays, reply["provenance"])
    fiji.say("cleaned the prediction")


run(globals(), "Clean DeepD3 Prediction...", clean, PREDICTION)
