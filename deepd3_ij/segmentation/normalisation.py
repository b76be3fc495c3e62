"""Bringing grey values to the range that the network was trained on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components

from deepd3_ij.errors import StackError

_MOST_OUTLIERS = 64
_LARGEST_GRAIN_PX = 3
_GAP = 2.0
_FEWEST_GREY_LEVELS = 16
_PART_PX = 1 << 20


def without_outliers(plane: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """Bring isolated pixels that take most of the grey range back to the range of all others.

    A hot or dead pixel of a camera or a saturated grain of dust would otherwise darken a whole plane. Outliers are
    at most 64 pixels in grains of at most 3 × 3 pixels, beyond a gap: they lie at least as far beyond the
    brightest (darkest) of all other pixels as this lies beyond the darkest (brightest). What a microscope images
    has no such gap, as its optics spread every point over several pixels of falling brightness.

    Parameters
    ----------
    plane
        Grey values, shape ``(y, x)``.

    Returns
    -------
    plane : numpy.ndarray
        The array itself if it has no outliers, else a copy in which they have the value next to them in rank.
    count : int
        Number of outliers.
    """
    if plane.size <= 4 * _MOST_OUTLIERS or plane.dtype.kind not in "uif":
        return plane, 0
    bright, dark = _extremes(plane)
    if not (np.isfinite(bright).all() and np.isfinite(dark).all()):
        return plane, 0
    fewest = 0 if plane.dtype.kind == "f" else _FEWEST_GREY_LEVELS
    above = _beyond_gap(bright - dark[0], fewest)
    below = _beyond_gap(bright[above] - dark, fewest)
    high, low = bright[above], dark[below]
    if above and not _are_grains(plane, lambda rows: rows > high):
        high, above = bright[0], 0
    if below and not _are_grains(plane, lambda rows: rows < low):
        low, below = dark[0], 0
    if not above and not below:
        return plane, 0
    return np.clip(plane, plane.dtype.type(low), plane.dtype.type(high)), above + below


def _extremes(plane: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The 65 brightest pixels, falling, and the 65 darkest, rising; part by part, to take little memory."""
    flat = plane.reshape(-1)
    bright, dark = flat[:0], flat[:0]
    for begin in range(0, flat.size, _PART_PX):
        part = flat[begin:begin + _PART_PX]
        count = min(_MOST_OUTLIERS + 1, len(part))
        ordered = np.partition(part, (count - 1, len(part) - count))
        bright = np.sort(np.concatenate([bright, ordered[-count:]]))[-_MOST_OUTLIERS - 1:]
        dark = np.sort(np.concatenate([dark, ordered[:count]]))[:_MOST_OUTLIERS + 1]
    return bright[::-1].astype(np.float64), dark.astype(np.float64)


def _beyond_gap(heights: npt.NDArray[np.float64], fewest: float) -> int:
    """How many of the highest values (in falling order, above the other end of the range) lie beyond a gap.

    The values that remain span at least `fewest` grey levels: what the counts of single photons do is no gap.
    """
    gaps = np.flatnonzero((heights[1:] >= fewest) & (heights[1:] > 0) & (heights[:-1] >= _GAP * heights[1:]))
    return int(gaps[-1]) + 1 if len(gaps) else 0


def _are_grains(plane: npt.NDArray[Any], is_outlier: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]) -> bool:
    """Whether the pieces of which the outliers of a plane consist, at most 64 pixels, fit into a few pixels each."""
    rows = max(1, _PART_PX // plane.shape[1])
    places = np.concatenate([np.argwhere(is_outlier(plane[top:top + rows])) + np.array([top, 0])
                             for top in range(0, len(plane), rows)])
    touching = np.abs(places[:, np.newaxis] - places[np.newaxis]).max(axis=2) <= 1
    count, piece = connected_components(touching, directed=False)
    return all(np.ptp(places[piece == number], axis=0).max() < _LARGEST_GRAIN_PX for number in range(count))


def scale(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32] | None:
    """Scale pixels linearly so that their minimum becomes -1 and their maximum 1.

    Parameters
    ----------
    pixels
        A plane or block of any integer or float type.

    Returns
    -------
    numpy.ndarray or None
        float32 of the same shape; None if all pixels are equal, so that there is nothing to scale.

    Raises
    ------
    StackError
        A pixel is NaN or infinite.
    """
    grey_range = grey_range_of(pixels)
    return None if grey_range is None else scaled_to(pixels, grey_range)


def grey_range_of(pixels: npt.NDArray[Any]) -> tuple[float, float] | None:
    """Minimum and maximum of what :func:`scale` scales; None if all pixels are equal.

    Raises
    ------
    StackError
        A pixel is NaN or infinite.
    """
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise StackError("The stack holds NaN or infinite pixels; accepted: finite grey values. Replace them first.")
    return None if high <= low else (low, high)


def scaled_to(pixels: npt.NDArray[Any], grey_range: tuple[float, float]) -> npt.NDArray[np.float32]:
    """A part of a plane, scaled by the range of the whole one to -1…1."""
    low, high = grey_range
    scaled = pixels.astype(np.float64)
    scaled -= low
    scaled /= high - low
    scaled *= 2
    scaled -= 1
    return scaled.astype(np.float32)
