"""Boxes of volumes that may be lazy, and values between their voxels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from deepd3_ij.compiled import compiled


@dataclass(eq=False)
class Volumes:
    """Boxes of the ROIs, maps and image; what is lazy is read as boxes, or, if it comes in
    chunks, plane by plane, each once as ROIs come by planes."""

    rois: xr.DataArray
    prediction: xr.Dataset
    stack: xr.DataArray | None
    loaded: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)

    def _volume(self, name: str) -> xr.DataArray:
        if name == "rois":
            return self.rois
        if name == "stack" and self.stack is not None:
            return self.stack
        return self.prediction[name]

    def box(self, name: str, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Part of ``rois``, ``dendrite``, ``spine`` or ``stack`` between two corners z, y, x."""
        volume = self._volume(name)
        (z0, y0, x0), (z1, y1, x1) = low, high
        data = volume.variable._data
        if isinstance(data, np.ndarray):
            return data[z0:z1, y0:y1, x0:x1]
        if not hasattr(data, "chunks"):
            return volume.variable[z0:z1, y0:y1, x0:x1].values
        planes = self.loaded.setdefault(name, {})
        for z in [z for z in planes if z < z0 - 2]:
            del planes[z]
        for z in range(z0, z1):
            if z not in planes:
                planes[z] = np.asarray(volume[z].values)
        return np.stack([planes[z][y0:y1, x0:x1] for z in range(z0, z1)])


@compiled
def mean_of_planes(box):  # type: ignore[no-untyped-def]  # numba types
    picture = np.zeros(box.shape[1:], np.float64)
    for z in range(box.shape[0]):
        for y in range(box.shape[1]):
            for x in range(box.shape[2]):
                picture[y, x] += box[z, y, x]
    return picture / box.shape[0]


@compiled
def bilinear(picture, y, x):  # type: ignore[no-untyped-def]  # numba types
    """Value between pixels; NaN outside of the picture."""
    height, width = picture.shape
    if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
        return np.nan
    row, column = min(int(y), max(height - 2, 0)), min(int(x), max(width - 2, 0))
    below, right = min(row + 1, height - 1), min(column + 1, width - 1)
    dy, dx = y - row, x - column
    return ((1 - dy) * ((1 - dx) * picture[row, column] + dx * picture[row, right])
            + dy * ((1 - dx) * picture[below, column] + dx * picture[below, right]))


@compiled
def trilinear(box, points):  # type: ignore[no-untyped-def]  # numba types
    """Values between voxels; what lies outside of the box counts as its border."""
    values = np.empty(len(points))
    for i in range(len(points)):
        z = min(max(points[i, 0], 0.0), box.shape[0] - 1.0)
        y = min(max(points[i, 1], 0.0), box.shape[1] - 1.0)
        x = min(max(points[i, 2], 0.0), box.shape[2] - 1.0)
        low = min(int(z), max(box.shape[0] - 2, 0))
        high = min(low + 1, box.shape[0] - 1)
        values[i] = (1 - z + low) * bilinear(box[low], y, x) + (z - low) * bilinear(box[high], y, x)
    return values
