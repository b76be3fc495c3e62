"""Averaging neighbouring planes against noise, before prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_TRUNCATE = 3.0
_BAND_PX = 1 << 16


def reach_planes(sigma_um: float, z_um: float) -> int:
    """How many planes to either side an average with a standard deviation of `sigma_um` takes in."""
    return int(_TRUNCATE * sigma_um / z_um + 0.5)


def smooth_along_z(planes: npt.NDArray[Any], sigma_um: float, z_um: float) -> npt.NDArray[np.float32]:
    """Gaussian average over planes; the first and the last plane stand for what lies beyond them.

    A two-photon PSF is deeper than planes lie apart, so neighbouring planes show the same spine
    with other noise.

    Parameters
    ----------
    planes
        Shape ``(z, y, x)``.
    sigma_um, z_um
        Standard deviation of the average; distance between planes.

    Returns
    -------
    numpy.ndarray
        float32 of the same shape.
    """
    planes = planes.astype(np.float32)
    if reach_planes(sigma_um, z_um) == 0 or len(planes) < 2:
        return planes
    return average_planes(planes, range(len(planes)), sigma_um, z_um)


def average_planes(planes: Sequence[npt.NDArray[Any]] | npt.NDArray[Any], wanted: range, sigma_um: float, z_um: float
                   ) -> npt.NDArray[np.float32]:
    """Gaussian average of some planes with their neighbours; arguments as of :func:`smooth_along_z`.

    A plane's average is the same to the last bit whichever others are wanted. (A filter of SciPy averages all planes
    that are given, most of them only as neighbours, and takes five times as long for one that is wanted.)

    Parameters
    ----------
    planes
        Planes ``(y, x)`` of one size; the first and the last one stand for what lies beyond them.
    wanted
        Which of them to average.
    sigma_um, z_um
        Standard deviation of the average; distance between planes.

    Returns
    -------
    numpy.ndarray
        float32 ``(len(wanted), y, x)``.
    """
    height, width = planes[0].shape
    averages = np.zeros((len(wanted), height, width), np.float32)
    rows = max(1, _BAND_PX // width)  # so that no plane beside those that are read and made takes memory
    for average, z in zip(averages, wanted, strict=True):
        neighbours = weighted_neighbours(z, len(planes), sigma_um / z_um, reach_planes(sigma_um, z_um))
        for top in range(0, height, rows):
            band = average[top:top + rows]
            weighted = np.empty_like(band)
            for weight, other in neighbours:
                band += np.multiply(planes[other][top:top + rows], weight, out=weighted, casting="unsafe")
    return averages


def weighted_neighbours(z: int, count: int, sigma_planes: float, reach: int) -> list[tuple[np.float32, int]]:
    """Weights and planes of the average of plane `z` of `count`; the outermost ones stand for what lies beyond them."""
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_planes) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    planes = np.clip(np.arange(z - reach, z + reach + 1), 0, count - 1)
    return list(zip(weights, planes.tolist(), strict=True))
