#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction") image
"""Build spine ROIs through planes from the prediction."""

from deepd3_command import run
from deepd3_images import maps, prediction_values
from deepd3_names import PREDICTION
from deepd3_rois import show_rois


def build(fiji):
    prediction = fiji.image
    reply, arrays = fiji.call("build_rois_3d", dict(prediction_values(prediction), choices=fiji.choices()),
                              maps(prediction))
    show_rois(prediction, reply, arrays)
    fiji.say("%d ROIs" % reply["count"])


run(globals(), "Build 3D ROIs...", build, PREDICTION)
