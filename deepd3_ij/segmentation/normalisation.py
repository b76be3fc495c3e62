"""Bringing grey values to the range that the network was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import StackError


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
    low, high = float(pixels.min()), float(pixels.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise StackError("The stack holds NaN or infinite pixels; accepted: finite grey values. Replace them first.")
    if high <= low:
        return None
    scaled = pixels.astype(np.float64)
    scaled -= low
    scaled /= high - low
    scaled *= 2
    scaled -= 1
    return scaled.astype(np.float32)
