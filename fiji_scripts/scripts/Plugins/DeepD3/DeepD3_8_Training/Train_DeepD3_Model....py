#@ Context context
"""Train a model on a set. Takes minutes to hours; it can be stopped and gone on with. A window shows how it goes."""

from deepd3_command import run
from deepd3_images import opened


def train(fiji):
    names = ("training", "validation", "start", "out", "resume", "finish", "length")
    values = dict([(name, fiji.value(name)) for name in names], choices=fiji.choices())
    if fiji.can_ask():
        from deepd3_training import train_in_window  # without windows, its classes cannot be loaded
        reply = train_in_window(fiji, values)
    else:
        reply, _ = fiji.call("train", values)
    use = fiji.value("use")
    if use:
        fiji.settings.write("model", reply["model"])
    if fiji.can_ask():
        fiji.say(u"wrote " + reply["model"])
        return
    fiji.images.display(opened(reply["curve"]))
    fiji.report("The model is trained", ["Written: " + reply["model"]] + [
        "%s: %s" % item for item in sorted(reply["scores"].items())] + [
        "It is the default model now." if use else "Choose it as Model in Segment Dendrites and Spines..."])


run(globals(), "Train DeepD3 Model...", train)
