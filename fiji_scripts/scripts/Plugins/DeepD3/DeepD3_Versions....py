#@ Context context
"""Tell the versions in use."""

from deepd3_command import run


def about(fiji):
    reply, _ = fiji.call("about")
    fiji.report("DeepD3 for Fiji", [
        "deepd3_ij %s on Python %s" % (reply["version"], reply["python"]),
        "Finds dendrites and dendritic spines in 3-D microscope stacks, after DeepD3 (Fernholz et al. 2024)."])


run(globals(), "DeepD3 Versions...", about)
