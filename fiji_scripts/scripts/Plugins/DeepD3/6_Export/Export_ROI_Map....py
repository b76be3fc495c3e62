#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ String (label="Folder for the files (empty: that of the stack)", required=false, value="", persist=false) folder
#@ Boolean (label="Binary (0 and 255)", value=false, persistKey="deepd3.export.binary") binary
"""Write the ROIs as a label image."""

import deepd3_fiji as deepd3


def export(fiji):
    deepd3.export(fiji, fiji.image(image), "roi_map", folder, binary=binary)


deepd3.run(context, "Export ROI Map", export)
