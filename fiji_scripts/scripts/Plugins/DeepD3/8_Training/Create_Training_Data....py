#@ Context context
#@ String (label="Stack (TIFF; empty: the file of the active image)", required=false, value="", persist=false) stack
#@ File (label="Dendrites (SWC tracing or TIFF mask)", style="file", persistKey="deepd3.data.dendrites") dendrites
#@ File (label="Spines (TIFF mask or labels, ROI zip, .mask)", style="file", persistKey="deepd3.data.spines") spines
#@ String (label="File to write (.d3data; empty: beside the stack)", required=false, value="", persist=false) out
#@ Double (label="Pixel size (micron, 0: from the file)", value=0.0, min=0.0, max=1000.0, stepSize=0.001, style="format:0.0000", persist=false) xy_um
#@ Double (label="Distance of planes (micron, 0: from the file)", value=0.0, min=0.0, max=1000.0, stepSize=0.01, style="format:0.0000", persist=false) z_um
#@ Integer (label="Channel (0: the only one)", value=0, min=0, persist=false) channel
#@ Integer (label="Time point (0: the only one)", value=0, min=0, persist=false) frame
#@ Integer (label="First plane", value=1, min=1, max=1000001, persist=false, description="Planes before it are left out.") first_plane
#@ Integer (label="Last plane (0: the last one)", value=0, min=0, max=1000001, persist=false, description="Planes after it are left out.") last_plane
#@ Integer (label="X (px)", value=0, min=0, max=1000000, persist=false, description="First column of the box.") x_px
#@ Integer (label="Y (px)", value=0, min=0, max=1000000, persist=false, description="First row of the box.") y_px
#@ Integer (label="Width (px, 0: to the right edge)", value=0, min=0, max=1000000, persist=false, description="Width of the box; 0: to the right edge.") width_px
#@ Integer (label="Height (px, 0: to the lower edge)", value=0, min=0, max=1000000, persist=false, description="Height of the box; 0: to the lower edge.") height_px
#@ String (label="Swc units", choices={"um", "px"}, value="um", persistKey="deepd3.data.swc_units", description="Unit of positions in an SWC file: micron, or pixels and planes; its radii are in micron.") swc_units
#@ Boolean (label="Allow empty", value=false, persistKey="deepd3.data.allow_empty", description="Accept a mask without foreground in the box (an example of what is none).") allow_empty
"""Make training data of a stack and its annotation, or of a box in it; shows what was cut out."""

import deepd3_fiji as deepd3


def create(fiji):
    path = deepd3.path_of(stack) or deepd3.file_of(fiji.stack())
    box = {"x_px": x_px, "y_px": y_px, "width_px": width_px or None, "height_px": height_px or None,
           "z_begin": first_plane - 1, "z_end": last_plane - 1 if last_plane else None,
           "swc_units": swc_units, "allow_empty": allow_empty}
    reply, arrays = fiji.call("create_training_data", {
        "stack": path, "dendrites": dendrites.getAbsolutePath(), "spines": spines.getAbsolutePath(),
        "out": deepd3.path_of(out) or deepd3.without_ending(path) + ".d3data", "choice": {"typed": box},
        "xy_um": xy_um or None, "z_um": z_um or None,
        "channel": channel - 1 if channel else None, "frame": frame - 1 if frame else None})
    fiji.display(deepd3.new_picture(arrays["picture"], reply["file"]))
    fiji.say("wrote %s: %d planes of %d x %d pixels" % tuple([reply["file"]] + reply["shape"]))


deepd3.run(context, "Create Training Data", create)
