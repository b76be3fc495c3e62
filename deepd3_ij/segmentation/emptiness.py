"""Where a plane is too dark for a network to find anything, so that it need not be computed.

A network sees every plane scaled to its own brightest pixel, and what it is sure of lies near places that are bright in
that scale. A place is the mean of 4 × 4 pixels, smoothed with its neighbours, so that noise or a hot pixel makes none.
A cell of the maps can be left out if no place within 16 pixels of it reaches a share of the plane's brightest one. The
share belongs to the network: nine tenths of the darkest at which it found a ROI or dendrite in real and simulated
stacks (:func:`darkest_found`), in its card (``empty_below``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from deepd3_ij.model.areas import CELL_PX

PLACE_PX = 4
REACH_PX = 16
_BAND_ROWS = 1024


def can_skip(stride_px: int) -> bool:
    """Whether the pooling grid of a network holds whole cells."""
    return stride_px % CELL_PX == 0


def brightness_nearby(plane: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """For each place, how bright the brightest one within 16 pixels is, from 0 (darkest pixel) to 1 (brightest place).

    Parameters
    ----------
    plane
        Grey values, shape ``(y, x)``.

    Returns
    -------
    numpy.ndarray
        float32, shape ``(ceil(y / 4), ceil(x / 4))``; 0 for a plane of equal pixels.
    """
    places = np.concatenate([_means(plane[top:top + _BAND_ROWS]) for top in range(0, len(plane), _BAND_ROWS)])
    places -= np.float32(plane.min())
    for axis in (0, 1):
        places = ndimage.correlate1d(places, [0.25, 0.5, 0.25], axis=axis, mode="nearest")
    brightest = places.max()
    if brightest > 0:
        places /= brightest
    return np.asarray(ndimage.maximum_filter(places, 2 * (REACH_PX // PLACE_PX) + 1, mode="nearest"))


def darkest_found(plane: npt.NDArray[Any], found: npt.NDArray[np.bool_]) -> float:
    """Brightness near the darkest pixel of a plane at which something was found, as of :func:`brightness_nearby`.

    Parameters
    ----------
    plane
        Grey values, shape ``(y, x)``.
    found
        Which pixels count, of the same shape.

    Returns
    -------
    float
        From 0 to 1; infinite where nothing was found.
    """
    rows, columns = (places // PLACE_PX for places in np.nonzero(found))
    return float(brightness_nearby(plane)[rows, columns].min(initial=np.inf))


def wanted_cells(plane: npt.NDArray[Any], empty_below: float) -> npt.NDArray[np.bool_]:
    """Cells of a plane's maps that have to be computed.

    Parameters
    ----------
    plane
        Grey values, shape ``(y, x)``.
    empty_below
        Share of the brightest place up to which nothing is found.

    Returns
    -------
    numpy.ndarray
        bool, shape ``(ceil(y / 8), ceil(x / 8))``.
    """
    bright = brightness_nearby(plane) >= empty_below
    places = CELL_PX // PLACE_PX
    filled = np.pad(bright, [(0, -side % places) for side in bright.shape])
    height, width = filled.shape
    return np.asarray(filled.reshape(height // places, places, width // places, places).any(axis=(1, 3)))


def _means(band: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Means of 4 × 4 pixels; the last row and column are repeated where the band ends within some."""
    height, width = band.shape
    filled = np.pad(band, ((0, -height % PLACE_PX), (0, -width % PLACE_PX)), mode="edge")
    blocks = filled.reshape(filled.shape[0] // PLACE_PX, PLACE_PX, -1, PLACE_PX)
    return blocks.mean(axis=(1, 3), dtype=np.float32)
