#@ Context context
"""Arrange training data to one set.

A user gets a window with a list of them; macros, all below a folder in the order of their names.
"""

from deepd3_command import run


def arrange(fiji):
    names = ("source", "pattern", "out")
    reply, _ = fiji.call("arrange_training_data", dict((name, fiji.value(name)) for name in names))
    fiji.say("wrote %s with %d stacks" % (reply["file"], len(reply["files"])))


def window(fiji):
    from deepd3_arranger import arrange  # without windows, its classes cannot be loaded
    arrange(fiji.context)


run(globals(), "Arrange DeepD3 Training Set...", arrange, window=window, window_needs_image=False)
