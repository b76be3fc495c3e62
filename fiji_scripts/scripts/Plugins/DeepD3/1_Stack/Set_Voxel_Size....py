#@ Context context
#@ ImagePlus (required=false, label="Image") image
#@ Double (label="Pixel size (micron)", value=0.094, min=0.0001, max=1000.0, stepSize=0.001, style="format:0.0000", persistKey="deepd3.voxel.xy_um") xy_um
#@ Double (label="Distance of planes (micron)", value=0.5, min=0.0001, max=1000.0, stepSize=0.01, style="format:0.0000", persistKey="deepd3.voxel.z_um") z_um
"""Set the voxel size of the active image and of the results that belong to it."""

import deepd3_fiji as deepd3


def set_voxel_size(fiji):
    for each in fiji.family(fiji.image(image)):
        deepd3.calibrate(each, xy_um, z_um)


deepd3.run(context, "Set Voxel Size", set_voxel_size)
