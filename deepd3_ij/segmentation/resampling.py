"""Bringing planes to the pixel size that a model was trained at, and its maps back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import VoxelSizeError, remedy

_NEGLIGIBLE = 0.02
_LARGEST_ENLARGEMENT = 20
_LARGEST_REDUCTION = 50


def resampled_shape(
    shape: tuple[int, int], pixel_um: tuple[float, float], resolution_um: float | None
) -> tuple[int, int] | None:
    """Height and width of a plane at another pixel size.

    Parameters
    ----------
    shape
        Height and width in pixels.
    pixel_um
        Pixel size (y, x).
    resolution_um
        Pixel size to reach; None leaves planes as they are.

    Returns
    -------
    tuple of int or None
        None if nothing is to be done: the pixel sizes differ by 2 % or less.

    Raises
    ------
    VoxelSizeError
        The pixel is more than 20 times larger, or more than 50 times smaller, than the one to reach: nothing that
        the model knows would be seen, and planes would grow beyond memory. Most often the unit is wrong.
    """
    if resolution_um is None or all(abs(size / resolution_um - 1) <= _NEGLIGIBLE for size in pixel_um):
        return None
    for size in pixel_um:
        ratio = size / resolution_um
        if not 1 / _LARGEST_REDUCTION <= ratio <= _LARGEST_ENLARGEMENT:
            thousandth = size / 1000 if ratio > 1 else size * 1000
            meant = "" if abs(np.log10(thousandth / resolution_um)) > 1 else (
                f"; if the unit is wrong by a thousand, {remedy('give --xy', 'it is')} {thousandth:g}")
            raise VoxelSizeError(f"The pixel size is {size:g} µm, the model was trained at {resolution_um:g} µm: at "
                                 "this size it can see no spine. Give the right size in µm with "
                                 f"{remedy('--xy', 'Set DeepD3 Voxel Size...')}{meant}.")
    height, width = (max(1, round(side * size / resolution_um)) for side, size in zip(shape, pixel_um, strict=True))
    return height, width


def resample(plane: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Resample a plane bilinearly (over the same field of view), smoothed before it is made smaller."""
    from skimage.transform import resize

    smaller = any(after < before for before, after in zip(plane.shape, shape, strict=True))
    resized = resize(plane.astype(np.float32), shape, order=1, mode="reflect", anti_aliasing=smaller,
                     preserve_range=True)
    return np.asarray(resized, dtype=np.float32)
