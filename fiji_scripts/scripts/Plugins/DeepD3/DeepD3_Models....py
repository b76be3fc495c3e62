#@ Context context
#@ String (label="Get a model of the Model Zoo", choices={"none", "DeepD3_8F", "DeepD3_16F", "DeepD3_32F", "DeepD3_8F_94nm", "DeepD3_16F_94nm", "DeepD3_32F_94nm"}, value="none", persist=false, description="Is downloaded once, then listed in the other dialogs.") name
"""List the models on this computer, and download one of the Model Zoo."""

import deepd3_fiji as deepd3


def models(fiji):
    if name != "none":
        fiji.call("get_model", {"name": name})
    reply, _ = fiji.call("models")
    fiji.report("Models of DeepD3", [
        "%s (%s)%s" % (model["name"], model["origin"] if model["path"] else "not on this computer",
                       ": " + model["description"] if model["description"] else "") for model in reply["models"]] + [
        "Your own models belong into " + reply["folder"], "DeepD3 Settings... chooses the one that is 'default'."])


deepd3.run(context, "DeepD3 Models", models)
