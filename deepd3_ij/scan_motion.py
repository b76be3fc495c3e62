"""Tissue that moves sideways while a microscope scans it, plane by plane and line by line."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Float = npt.NDArray[np.float64]

WAVE_LINES = 40.0
"""Within a plane the tissue sways over about so many lines (breathing and heartbeat)."""
TWITCH = 0.35
"""Standard deviation of what single lines add, relative to that of the swaying."""


def draw_motion(rng: np.random.Generator, planes: int, lines: int, plane_px: float, line_px: float) -> Float:
    """Draw how far the tissue is from its place at the time of each line.

    Parameters
    ----------
    rng
        Source of the random numbers.
    planes, lines
        Number of planes, and of lines in each.
    plane_px
        Standard deviation of the shift of a whole plane, per axis; every plane has its own, as it jumps.
    line_px
        Standard deviation of the shift of lines within a plane, per axis.

    Returns
    -------
    numpy.ndarray
        float64 ``(2, planes, lines)``: along y and along x, in pixels.
    """
    jumps = rng.normal(0, plane_px, (2, planes, 1))
    waves = ndimage.gaussian_filter1d(rng.normal(0, 1, (2, planes, lines)), WAVE_LINES / 4, axis=2, mode="wrap")
    waves *= line_px / max(1e-9, float(waves.std()))
    return np.asarray(jumps + waves + rng.normal(0, TWITCH * line_px, (2, planes, lines)))


def move_lines(volume: npt.NDArray[Any], motion: Float, *, nearest: bool = False) -> npt.NDArray[Any]:
    """What the lines of a scan show of a volume that moves.

    Parameters
    ----------
    volume
        Shape ``(z, y, x)``: the volume at rest.
    motion
        From :func:`draw_motion`.
    nearest
        Take the nearest voxel (masks, labels) instead of interpolating between neighbours.

    Returns
    -------
    numpy.ndarray
        Same shape and dtype.
    """
    _, height, width = volume.shape
    y, x = np.arange(height)[:, np.newaxis], np.arange(width)[np.newaxis]
    moved = np.empty_like(volume)
    for z, plane in enumerate(volume):
        at = np.stack(np.broadcast_arrays(y - motion[0, z][:, np.newaxis], x - motion[1, z][:, np.newaxis]))
        moved[z] = ndimage.map_coordinates(plane, at, order=0 if nearest else 1, mode="nearest")
    return moved
