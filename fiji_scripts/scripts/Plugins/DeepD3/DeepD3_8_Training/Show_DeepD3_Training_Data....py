#@ Context context
"""Show training data.

A user gets a window with their metadata, from which they are opened; macros, what they hold, and a picture of the first
stack: left as it is, right with its masks.
"""

from deepd3_command import run
from deepd3_images import new_picture
from deepd3_texts import name_of


def show(fiji):
    name = name_of(fiji.value("path"))
    reply, arrays = fiji.call("describe_training_data", {"path": fiji.value("path")})
    fiji.images.display(new_picture(arrays["picture"], name))
    fiji.report("%d stacks in %s" % (len(reply["stacks"]), name), [
        ", ".join("%s %s" % item for item in sorted(stack.items())) for stack in reply["stacks"]])


def window(fiji):
    from deepd3_training_viewer import show_files  # without windows, its classes cannot be loaded
    show_files(fiji.context)


run(globals(), "Show DeepD3 Training Data...", show, window=window, window_needs_image=False)
