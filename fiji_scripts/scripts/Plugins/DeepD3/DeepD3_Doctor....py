#@ Context context
#@ Boolean (label="Start Python anew", value=false, persist=false, description="Ends the Python worker; the check starts a new one.") restart
"""Check the connection to Python, TensorFlow and the default model."""

import deepd3_fiji as deepd3


def check(fiji):
    if restart:
        fiji.restart()
    reply, _ = fiji.call("health")
    fiji.report("DeepD3 works", [
        "DeepD3 %s, Python %s" % (reply["version"], reply["python"]), "Python: " + reply["executable"],
        "Package: " + reply["package"], "Model: " + reply["model"]])


deepd3.run(context, "DeepD3 Doctor", check)
