#@ Context context
#@ File (label="Image file (TIFF, OME-TIFF)", style="file", persistKey="deepd3.open.path") path
#@ Double (label="Pixel size (micron, 0: from the file)", value=0.0, min=0.0, max=1000.0, stepSize=0.001, style="format:0.0000", persist=false) xy_um
#@ Double (label="Distance of planes (micron, 0: from the file)", value=0.0, min=0.0, max=1000.0, stepSize=0.01, style="format:0.0000", persist=false) z_um
#@ Integer (label="Channel (0: the only one)", value=0, min=0, persist=false) channel
#@ Integer (label="Time point (0: the only one)", value=0, min=0, persist=false) frame
#@ Boolean (label="Load results that were saved beside it", value=true, persistKey="deepd3.open.saved") saved
"""Open a stack with its voxel size, and the prediction and ROIs that were saved beside it."""

import deepd3_fiji as deepd3


def open_stack(fiji):
    reply, arrays = fiji.call("open", {
        "path": path.getAbsolutePath(), "xy_um": xy_um or None, "z_um": z_um or None,
        "channel": channel - 1 if channel else None, "frame": frame - 1 if frame else None})
    stack = deepd3.new_stack(arrays["stack"], reply, path.getName(), path.getAbsolutePath())
    fiji.display(stack)
    if saved:
        for result in reply["saved"]:
            deepd3.load(fiji, stack, result)


deepd3.run(context, "Open Stack", open_stack)
