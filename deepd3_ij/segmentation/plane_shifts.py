"""Averaging neighbouring planes that lie apart sideways, because the tissue moved between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from deepd3_ij.segmentation.smoothing import weighted_neighbours

Shift = tuple[float, float]

LARGEST_UM = 0.75
"""Larger shifts are not believed: what a spine is averaged with would be another one."""
_WINDOW_PX = 1024
_ROWS_PX = 1 << 19
_SMOOTHING_PX = 1.2


def spectrum(plane: npt.NDArray[Any]) -> npt.NDArray[np.complex64]:
    """Spectrum of the middle of a plane (at most 1024 × 1024 pixels), smoothed against noise."""
    middle = plane[tuple(slice((n - min(n, _WINDOW_PX)) // 2, (n + min(n, _WINDOW_PX)) // 2) for n in plane.shape)]
    smooth = ndimage.gaussian_filter(middle.astype(np.float32), _SMOOTHING_PX, mode="nearest")
    return np.asarray(fft.rfft2(smooth - smooth.mean()))


def shift_between(fixed: npt.NDArray[np.complex64], moving: npt.NDArray[np.complex64], width: int, largest_px: float
                  ) -> Shift:
    """Shift (y, x) in pixels by which one plane has to move to lie on the other.

    It is the place of the largest cross-correlation, between the pixels by a parabola.

    Parameters
    ----------
    fixed, moving
        Spectra of both planes (:func:`spectrum`).
    width
        Width of the planes in pixels.
    largest_px
        Where the largest cross-correlation is farther away, the shift is (0, 0).
    """
    size = (fixed.shape[0], min(width, _WINDOW_PX))
    correlation = fft.irfft2(fixed * moving.conj(), size)
    reach = [min(int(largest_px) + 1, (n - 1) // 2) for n in size]
    near = np.roll(correlation, reach, (0, 1))[:2 * reach[0] + 1, :2 * reach[1] + 1]
    if min(reach) < 1 or near.max() < correlation.max():
        return 0.0, 0.0
    at = np.unravel_index(int(near.argmax()), near.shape)
    if not all(0 < i < n - 1 for i, n in zip(at, near.shape, strict=True)):
        return 0.0, 0.0
    found = [i - r + _vertex(near[line]) for i, r, line in zip(
        at, reach, ((slice(at[0] - 1, at[0] + 2), at[1]), (at[0], slice(at[1] - 1, at[1] + 2))), strict=True)]
    return found[0], found[1]


def _vertex(three: npt.NDArray[np.floating[Any]]) -> float:
    """Place of the top of a parabola through three values, from the middle one."""
    before, top, after = (float(value) for value in three)
    bend = before - 2 * top + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def moved(plane: npt.NDArray[Any], shift: Shift, rows: slice | None = None) -> npt.NDArray[np.float32]:
    """The plane, or some rows of it, moved by (y, x) pixels.

    Linearly interpolated; the plane's border stands for what lies outside.
    """
    out = plane
    for axis, by in enumerate(shift):
        whole = int(np.floor(by))
        part = np.float32(by - whole)
        at = np.arange(out.shape[axis])[rows if axis == 0 and rows is not None else slice(None)] - whole
        last = out.shape[axis] - 1
        near = np.take(out, np.clip(at, 0, last), axis).astype(np.float32, copy=False)
        out = near if not part else near * (1 - part) + np.take(out, np.clip(at - 1, 0, last), axis) * part
    return np.asarray(out)


def average_aligned(planes: Sequence[npt.NDArray[Any]], wanted: range, sigma_planes: float, reach: int, xy_um: float
                    ) -> npt.NDArray[np.float32]:
    """Gaussian average of planes with their neighbours, each moved sideways to where it fits best.

    As :func:`deepd3_ij.segmentation.smoothing.smooth_along_z`, but for the moving: the averages stay in the
    coordinates of their planes.

    Parameters
    ----------
    planes
        Planes ``(y, x)`` of one size; the first and the last one stand for what lies beyond them.
    wanted
        Which of them to average.
    sigma_planes, reach
        Standard deviation of the average, and how many planes to either side it takes in.
    xy_um
        Size of a pixel.

    Returns
    -------
    numpy.ndarray
        float32 ``(len(wanted), y, x)``.
    """
    height, width = planes[0].shape
    spectra = [spectrum(plane) for plane in planes]
    shifts: dict[tuple[int, int], Shift] = {}

    def shift_of(z: int, other: int) -> Shift:
        pair = min(z, other), max(z, other)
        if pair not in shifts:
            shifts[pair] = (0.0, 0.0) if z == other else shift_between(
                spectra[pair[0]], spectra[pair[1]], width, LARGEST_UM / xy_um)
        y, x = shifts[pair]
        return (y, x) if z <= other else (-y, -x)

    averages = np.zeros((len(wanted), height, width), np.float32)
    rows = max(1, _ROWS_PX // width)
    for average, z in zip(averages, wanted, strict=True):
        for weight, other in weighted_neighbours(z, len(planes), sigma_planes, reach):
            shift = shift_of(z, other)
            for top in range(0, height, rows):
                band = slice(top, top + rows)
                average[band] += weight * moved(planes[other], shift, band)
    return averages
