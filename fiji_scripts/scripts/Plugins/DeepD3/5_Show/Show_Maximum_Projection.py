#@ Context context
#@ ImagePlus (required=false, label="Image") image
"""Show the maximum of the active stack or prediction along z."""

import deepd3_fiji as deepd3


def show(fiji):
    fiji.display(deepd3.projection(fiji.image(image), "max"))


deepd3.run(context, "Show Maximum Projection", show)
