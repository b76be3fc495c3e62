#@ Context context
"""Train a model on a set. Takes minutes to hours; Esc stops it, and it can be resumed from its last validation."""

from deepd3_command import run
from deepd3_images import opened


def train(fiji):
    names = ("training", "validation", "start", "out", "resume", "finish")
    reply, _ = fiji.call("train", dict([(name, fiji.value(name)) for name in names], choices=fiji.choices()))
    use = fiji.value("use")
    if use:
        fiji.settings.write("model", reply["model"])
    fiji.images.display(opened(reply["curve"]))
    fiji.report("The model is trained", ["Written: " + reply["model"]] + [
        "%s: %s" % item for item in sorted(reply["scores"].items())] + [
        "It is the default model now." if use else "Choose it as Model in Segment Dendrites and Spines..."])


run(globals(), "Train DeepD3 Model...", train)
