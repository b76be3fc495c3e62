#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Lay dendrite and spine probabilities over the stack; an opacity of 0 takes them away."""

from deepd3_command import run
from deepd3_errors import DeepD3Error
from deepd3_maps import show_maps
from deepd3_names import PREDICTION


def show(fiji):
    stack = fiji.images.stack_of(fiji.image)
    if stack is None:
        raise DeepD3Error("The stack of the prediction is not open; open it with Open DeepD3 Stack...")
    show_maps(stack, fiji.image, fiji.value("opacity"))


run(globals(), "Show DeepD3 Maps over Stack...", show, PREDICTION)
