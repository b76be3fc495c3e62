"""Averaging neighbouring planes against noise, before prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

_TRUNCATE = 3.0


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
    return np.asarray(ndimage.gaussian_filter1d(planes, sigma_um / z_um, axis=0, mode="nearest", truncate=_TRUNCATE))
