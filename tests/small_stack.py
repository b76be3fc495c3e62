"""A small stack with a bright line and blobs beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepd3_ij.files.tiff import write_stack
from deepd3_ij.stack import label_stack


def write_small_stack(path: Path) -> Path:
    """Write it; the path."""
    rng = np.random.default_rng(3)
    z, y, x = np.mgrid[:4, :64, :96]
    pixels = 150.0 * np.exp(-((y - 32) / 3.0) ** 2)
    for row, column in ((22, 20), (43, 48), (22, 75)):
        pixels += 180.0 * np.exp(-((z - 1.5) / 1.5) ** 2 - ((y - row) / 3.0) ** 2 - ((x - column) / 3.0) ** 2)
    pixels = np.clip(pixels + rng.normal(10, 4, pixels.shape), 0, 255).astype(np.uint8)
    write_stack(path, label_stack(pixels, xy_um=0.1, z_um=0.5, source=path.name))
    return path
