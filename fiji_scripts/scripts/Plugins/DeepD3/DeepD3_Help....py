#@ Context context
"""Tell the steps in their order."""

import deepd3_fiji as deepd3


def show_help(fiji):
    fiji.report("DeepD3, step by step", deepd3.HELP)


deepd3.run(context, "DeepD3 Help", show_help)
