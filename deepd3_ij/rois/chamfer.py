"""Chamfer distance in a plane."""

from __future__ import annotations

import numpy as np

from deepd3_ij.compiled import compiled

# Lengths of the steps (straight, diagonal, knight's move), from G. Borgefors, Distance transformations in
# digital images, CVGIP 34 (1986), in the variant that minimises the largest error; fixed point, 16 bits.
STEP_LENGTHS = {3: (0.955, 1.3693), 5: (1.0, 1.4, 2.1969)}
FIXED_POINT = 1 << 16
FAR = 1 << 30


def chamfer_distance(mask: np.ndarray, mask_size: int) -> np.ndarray:
    """Approximate distance to the nearest background pixel.

    Parameters
    ----------
    mask
        Foreground, bool, shape ``(y, x)``. What lies outside of the plane does not count as background.
    mask_size
        3 (neighbouring pixels) or 5 (and knight's moves).

    Returns
    -------
    numpy.ndarray
        float32 distances in px; 0 in the background.
    """
    lengths = [round(length * FIXED_POINT) for length in STEP_LENGTHS[mask_size]]
    straight, diagonal = lengths[:2]
    steps = [(-1, -1, diagonal), (-1, 0, straight), (-1, 1, diagonal), (0, -1, straight)]
    if mask_size == 5:
        steps += [(-2, -1, lengths[2]), (-2, 1, lengths[2]), (-1, -2, lengths[2]), (-1, 2, lengths[2])]
    distance = np.where(mask, FAR, 0).astype(np.int64)
    table = np.array(steps, dtype=np.int64)
    _sweep(distance, table)
    _sweep(distance[::-1, ::-1], table)
    return (distance / FIXED_POINT).astype(np.float32)


@compiled
def _sweep(distance: np.ndarray, steps: np.ndarray) -> None:
    height, width = distance.shape
    for y in range(height):
        for x in range(width):
            nearest = distance[y, x]
            if nearest == 0:
                continue
            for i in range(len(steps)):
                py, px = y + steps[i, 0], x + steps[i, 1]
                if py >= 0 and px >= 0 and px < width:
                    nearest = min(nearest, distance[py, px] + steps[i, 2])
            distance[y, x] = nearest
