#@ Context context
#@ ImagePlus (required=false, label="Stack") image
#@ File (label="File (.prediction or .rois)", style="file", persistKey="deepd3.load.path") path
"""Load a saved prediction or saved ROIs onto the active image."""

import deepd3_fiji as deepd3


def load(fiji):
    deepd3.load(fiji, fiji.image_or_none(image), path.getAbsolutePath())


deepd3.run(context, "Load DeepD3 Results", load)
