"""Drive a headless ImageJ over one stack, cell by cell as in a notebook.

python examples/headless_fiji.py STACK.tif
"""

# %% Start: the embedded ImageJ, or the Fiji that DEEPD3_FIJI names
import sys
import tempfile
from pathlib import Path

from deepd3_ij import build_rois_3d, clean, fiji, measure, open_stack, predict
from deepd3_ij.fiji.java import java_class
from deepd3_ij.stems import stem_of

session = fiji.connect(mode="headless")
print(f"ImageJ {session.imagej_version} ({session.host})")

# %% A stack, its prediction and its spines
stack = open_stack(sys.argv[1])
prediction = clean(predict(stack))
rois = build_rois_3d(prediction)

# %% The same in ImageJ: calibrated hyperstacks; without a display, ROIs are an overlay
image = session.push(stack)
maps = session.push(prediction, source=image)
session.push_rois(rois, image)

# %% Anything of ImageJ: smooth the stack there, plane by plane
blur = java_class("ij.plugin.filter.GaussianBlur")()
for plane in range(1, image.getStackSize() + 1):
    blur.blurGaussian(image.getStack().getProcessor(plane), 1.0)
smoothed = session.pull(image)

# %% Take everything back and measure on the smoothed stack
found = session.pull_rois(image)
spines = measure(found, session.pull(maps), smoothed).spines
print(spines[["id", "z_um", "y_um", "x_um", "volume_um3", "mean_intensity"]].head(10).to_string(index=False))

# %% Images keep their overlay and what made them when ImageJ saves them
path = Path(tempfile.mkdtemp()) / f"{stem_of(sys.argv[1])}_smoothed.tif"
java_class("ij.io.FileSaver")(image).saveAsTiffStack(str(path))
print(f"{len(found)} spines; the smoothed stack with its overlay is {path}")
fiji.end_process()
