#@ Context context
"""Tell the versions in use."""

import deepd3_fiji as deepd3


def about(fiji):
    reply, _ = fiji.call("about")
    fiji.report("DeepD3 for Fiji", [
        "deepd3_ij %s on Python %s" % (reply["version"], reply["python"]),
        "Finds dendrites and dendritic spines in 3-D microscope stacks, after DeepD3 (Fernholz et al. 2024)."])


deepd3.run(context, "About DeepD3", about)
