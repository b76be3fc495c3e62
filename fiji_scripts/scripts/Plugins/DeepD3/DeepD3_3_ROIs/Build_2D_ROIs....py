#@ Context context
#@ ImagePlus (required=false, persist=false, label="Prediction") image
"""Build spine ROIs plane by plane from the prediction."""

from deepd3_command import run
from deepd3_names import PREDICTION
from deepd3_results import build


def build_rois(fiji):
    build(fiji, "build_rois_2d")


run(globals(), "Build 2D ROIs...", build_rois, PREDICTION)
