#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ String (label="Folder for the files (empty: that of the stack)", required=false, value="", persist=false) folder
"""Write the centroids of the ROIs as a table."""

import deepd3_fiji as deepd3


def export(fiji):
    deepd3.export(fiji, fiji.image(image), "centroids", folder)


deepd3.run(context, "Export Centroids", export)
