#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ String (label="Folder for the files (empty: that of the stack)", required=false, value="", persist=false) folder
"""Write the outlines of the ROIs into a folder, one table per plane and ROI."""

import deepd3_fiji as deepd3


def export(fiji):
    deepd3.export(fiji, fiji.image(image), "roi_folder", folder)


deepd3.run(context, "Export ROIs to Folder", export)
