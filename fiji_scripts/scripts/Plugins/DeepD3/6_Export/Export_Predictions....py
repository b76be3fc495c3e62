#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ String (label="Folder for the files (empty: that of the stack)", required=false, value="", persist=false) folder
#@ Boolean (label="8 bit (0 to 255)", value=false, persistKey="deepd3.export.eight_bit") eight_bit
"""Write the dendrite and the spine map as TIFF files."""

import deepd3_fiji as deepd3


def export(fiji):
    deepd3.export(fiji, fiji.image(image), "predictions", folder, eight_bit=eight_bit)


deepd3.run(context, "Export Predictions", export)
