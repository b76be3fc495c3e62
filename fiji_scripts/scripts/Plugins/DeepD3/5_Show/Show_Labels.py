#@ Context context
#@ ImagePlus (required=false, label="Image") image
"""Show the ROIs as they are now as a label image."""

import deepd3_fiji as deepd3


def show(fiji):
    shown = fiji.image(image)
    values, arrays = deepd3.roi_values(shown)
    reply, received = fiji.call("labels", dict(values, image=deepd3.describe(shown), shape=deepd3.shape_of(shown)),
                                arrays)
    fiji.display(deepd3.new_labels(received["labels"], reply, shown))


deepd3.run(context, "Show Labels", show)
