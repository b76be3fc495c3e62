#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show the prediction of the active image, or hide it."""

from deepd3_command import run
from deepd3_images import toggle
from deepd3_names import PREDICTION


def show(fiji):
    toggle(fiji.image)


run(globals(), "Show or Hide DeepD3 Prediction", show, PREDICTION)
