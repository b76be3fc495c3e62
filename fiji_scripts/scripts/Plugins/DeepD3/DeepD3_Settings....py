#@ Context context
"""Choose the Python that does the work, how much of the computer it may use, and the default model; tries them out."""

from deepd3_command import run


def change(fiji):
    chosen = fiji.value("model")
    fiji.change_settings(fiji.value("python"), fiji.value("threads"), chosen)
    fiji.settings.write("double_click", None if fiji.value("double_click") else "false")
    reply, _ = fiji.call("health", {"model": chosen})
    fiji.report("DeepD3 Settings", [
        "Python: " + reply["executable"], "Threads: %d" % reply["threads"],
        "Default model: %s%s" % (reply["model"], "" if chosen else " (comes with DeepD3)")])


run(globals(), "DeepD3 Settings...", change)
