"""Voxels around a labelled volume."""

from __future__ import annotations

import numpy as np

from deepd3_ij.compiled import compiled


@compiled
def shell_voxels(volume: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the background voxels that touch a labelled voxel by a face, an edge or a corner.

    Parameters
    ----------
    volume
        Labels or mask, shape ``(z, y, x)``; 0 is background.

    Returns
    -------
    tuple of numpy.ndarray
        Indices z, y, x (int64, shape ``(n, 3)``, raster order), and for each the largest label that it touches
        (int64, shape ``(n,)``).
    """
    depth, height, width = volume.shape
    touched = np.zeros(volume.shape, dtype=np.int32)
    count = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                label = np.int32(volume[z, y, x])
                if label == 0:
                    continue
                for dz in range(max(z - 1, 0), min(z + 2, depth)):
                    for dy in range(max(y - 1, 0), min(y + 2, height)):
                        for dx in range(max(x - 1, 0), min(x + 2, width)):
                            if volume[dz, dy, dx] == 0:
                                if touched[dz, dy, dx] == 0:
                                    count += 1
                                touched[dz, dy, dx] = max(touched[dz, dy, dx], label)
    indices = np.empty((count, 3), dtype=np.int64)
    labels = np.empty(count, dtype=np.int64)
    row = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if touched[z, y, x] > 0:
                    indices[row] = z, y, x
                    labels[row] = touched[z, y, x]
                    row += 1
    return indices, labels
