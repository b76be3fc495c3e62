#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Show maximum and sum of the prediction along z."""

from deepd3_command import run
from deepd3_images import projection
from deepd3_names import PREDICTION


def show(fiji):
    method = fiji.value("method")
    for each in ("max", "sum") if method == "both" else (method,):
        fiji.images.display(projection(fiji.image, each))


run(globals(), "Show DeepD3 Z Projection...", show, PREDICTION)
