#@ Context context
"""Check the connection to Python, TensorFlow and the default model."""

from deepd3_command import run


def check(fiji):
    if fiji.value("restart"):
        fiji.restart()
    reply, _ = fiji.call("health", {"model": fiji.settings.read("model")})
    fiji.report("DeepD3 works", [
        "DeepD3 %s, Python %s" % (reply["version"], reply["python"]), "Python: " + reply["executable"],
        "Package: " + reply["package"], "Model: " + reply["model"]])


run(globals(), "DeepD3 Doctor...", check)
