#@ Context context
"""Arrange the training data below a folder, in the order of their names, to one set."""

from deepd3_command import run


def arrange(fiji):
    names = ("source", "pattern", "out")
    reply, _ = fiji.call("arrange_training_data", dict((name, fiji.value(name)) for name in names))
    fiji.say("wrote %s with %d stacks" % (reply["file"], len(reply["files"])))


run(globals(), "Arrange DeepD3 Training Set...", arrange)
