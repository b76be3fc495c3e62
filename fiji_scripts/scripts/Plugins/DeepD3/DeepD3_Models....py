#@ Context context
"""List the models on this computer, and download one of the Model Zoo."""

from deepd3_command import run


def models(fiji):
    if fiji.value("name"):
        fiji.call("get_model", {"name": fiji.value("name")})
    reply, _ = fiji.call("models")
    fiji.report("Models of DeepD3", [
        "%s (%s)%s" % (model["name"], model["origin"] if model["path"] else "not on this computer",
                       ": " + model["description"] if model["description"] else "") for model in reply["models"]] + [
        "Your own models belong into " + reply["folder"], "DeepD3 Settings... chooses the default model."])


run(globals(), "DeepD3 Models...", models)
