#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ String (label="Projection of the prediction", choices={"max", "sum", "both"}, value="both", persistKey="deepd3.projection.method") method
"""Show maximum and sum of the prediction along z."""

import deepd3_fiji as deepd3


def show(fiji):
    prediction = fiji.prediction(image)
    for each in ("max", "sum") if method == "both" else (method,):
        fiji.display(deepd3.projection(prediction, each))


deepd3.run(context, "Z Projection", show)
