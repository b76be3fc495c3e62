#@ Context context
"""Open a stack with its voxel size, and the prediction and ROIs that were saved beside it."""

from deepd3_command import run
from deepd3_images import new_stack
from deepd3_results import load
from deepd3_texts import name_of


def open_stack(fiji):
    path, level = fiji.value("path"), fiji.value("level")
    reply, arrays = fiji.call("open", dict(fiji.file_part(), path=path, level=None if level is None else level - 1))
    stack = new_stack(arrays["stack"], reply, name_of(path), path)
    fiji.images.display(stack)
    if fiji.value("saved"):
        for result in reply["saved"]:
            load(fiji, stack, result)


run(globals(), "Open DeepD3 Stack...", open_stack)
