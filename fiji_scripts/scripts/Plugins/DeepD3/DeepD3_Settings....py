#@ Context context
#@ String (label="Python program (empty: the one that install-fiji stored)", required=false, value="", persistKey="deepd3.settings.python", description="Of an environment with deepd3_ij of the same version.") python
#@ Integer (label="Threads (0: all processors)", value=0, min=0, max=1024, persistKey="deepd3.settings.threads", description="How many processors Python may use.") threads
#@ String (label="Default model: name or file (empty: the one that comes with DeepD3)", required=false, value="", persistKey="deepd3.settings.model", description="What 'default' stands for in the other dialogs.") model
"""Choose the Python that does the work, how much of the computer it may use, and the default model; tries them out."""

import deepd3_fiji as deepd3


def change(fiji):
    fiji.change_settings(deepd3.path_of(python), threads, (model or "").strip())
    chosen = fiji.model(None, None)
    reply, _ = fiji.call("health", {"model": chosen})
    fiji.report("DeepD3 Settings", [
        "Python: " + reply["executable"], "Threads: %d" % reply["threads"],
        "Default model: %s%s" % (reply["model"], "" if chosen else " (comes with DeepD3)")])


deepd3.run(context, "DeepD3 Settings", change)
