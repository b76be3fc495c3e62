"""Spines of a real stack at high zoom, with what was measured of each, to be checked by eye.

Run with ``python benchmarks/draw_spine_shapes.py STACK.tif OUT.png``. Spines are taken evenly from all that lie well
inside the planes. Each appears twice: the image alone (maximum over the planes from base to head and one more
on both sides), and with the line from base over head to tip, a cross at the base and a circle as wide as the head.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij import analyze, open_stack
from deepd3_ij.colours import SPINE, as_hex
from deepd3_ij.drawing import drawing_library
from deepd3_ij.stack import voxel_size_um

HALF_UM = 2.2
COLUMNS = 5


def chosen(spines: pd.DataFrame, stack: xr.DataArray, count: int) -> pd.DataFrame:
    """Spines spread evenly over the table."""
    _, height, width = stack.shape
    pixel_um = voxel_size_um(stack)[1]
    inside = spines[spines["head_y_um"].between(HALF_UM, height * pixel_um - HALF_UM)
                    & spines["head_x_um"].between(HALF_UM, width * pixel_um - HALF_UM)]
    return inside.iloc[np.linspace(0, len(inside) - 1, min(count, len(inside))).round().astype(int)]


def draw(stack: xr.DataArray, spines: pd.DataFrame, file: Path) -> None:
    """Write the picture."""
    z_um, pixel_um, _ = voxel_size_um(stack)
    rows = -(-len(spines) // COLUMNS)
    figure = drawing_library("figure").Figure(figsize=(2.0 * COLUMNS, 4.3 * rows), layout="constrained")
    axes = figure.subplots(2 * rows, COLUMNS, squeeze=False)
    for panel in axes.flat:
        panel.set_axis_off()
    for number, spine in enumerate(spines.itertuples()):
        planes = np.array([spine.base_z_um, spine.head_z_um]) / z_um
        first, last = max(int(planes.min()) - 1, 0), min(int(np.ceil(planes.max())) + 2, stack.shape[0])
        y, x = round(spine.head_y_um / pixel_um), round(spine.head_x_um / pixel_um)
        half = round(HALF_UM / pixel_um)
        box = (slice(first, last), slice(y - half, y + half + 1), slice(x - half, x + half + 1))
        image = stack[box].values.max(axis=0)
        low, high = np.percentile(image, (2, 99.7))
        top = 2 * (number // COLUMNS)
        for panel in axes[top:top + 2, number % COLUMNS]:
            panel.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        marked = axes[top + 1, number % COLUMNS]
        ys, xs = ([getattr(spine, f"{end}_{axis}_um") / pixel_um - start for end in ("base", "head", "tip")]
                  for axis, start in (("y", y - half), ("x", x - half)))
        marked.plot(xs, ys, color=as_hex(SPINE), linewidth=1.2)
        marked.plot(xs[:1], ys[:1], "x", color=as_hex(SPINE), markersize=6)
        if np.isfinite(spine.head_fwhm_um):
            marked.add_patch(drawing_library("patches").Circle(
                (xs[1], ys[1]), spine.head_fwhm_um / pixel_um / 2, fill=False, color="yellow", linewidth=1))
        axes[top, number % COLUMNS].set_title(f"spine {spine.id}, planes {first + 1}–{last}\n{spine.length_um:.2f} µm "
                                              f"{spine.side}", fontsize=8)
        marked.set_title(spine.quality.replace(";", ",") or "no reservation", fontsize=6)
    figure.savefig(file, dpi=130)


def main() -> None:
    """Analyze the stack and draw ten of its spines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=10)
    arguments = parser.parse_args()
    stack = open_stack(arguments.stack)
    spines = analyze(stack).measurements.spines
    draw(stack, chosen(spines, stack, arguments.count), arguments.out)


if __name__ == "__main__":
    main()
