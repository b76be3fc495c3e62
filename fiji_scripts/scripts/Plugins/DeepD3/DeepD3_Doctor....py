#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Check the connection to Python, TensorFlow and the default model, and tell what the active image and its file are."""

from deepd3_command import run
from deepd3_inspection import about


def check(fiji):
    if fiji.value("restart"):
        fiji.restart()
    reply, _ = fiji.call("health", {"model": fiji.settings.read("model")})
    fiji.report("DeepD3 works", [
        "DeepD3 %s, Python %s" % (reply["version"], reply["python"]), "Python: " + reply["executable"],
        "Package: " + reply["package"], "Model: " + reply["model"]]
        + ([""] + about(fiji, fiji.image) if fiji.image is not None else []))


run(globals(), "DeepD3 Doctor...", check)
