#@ Context context
#@ ImagePlus (required=false, persist=false, label="Image") image
"""Set the voxel size of the active image and of the results that belong to it."""

from deepd3_command import IMAGE, run
from deepd3_images import calibrate


def set_voxel_size(fiji):
    for each in fiji.images.family(fiji.image):
        calibrate(each, fiji.value("xy_um"), fiji.value("z_um"))


run(globals(), "Set DeepD3 Voxel Size...", set_voxel_size, IMAGE)
