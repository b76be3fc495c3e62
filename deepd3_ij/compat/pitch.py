"""The guide's ``dimensions``: size of a pixel and distance between planes in µm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.errors import VoxelSizeError
from deepd3_ij.parameters import VoxelSizeParameters
from deepd3_ij.stack import label_stack

Dimensions = Mapping[str, float] | Sequence[float]

DEFAULT_DIMENSIONS: Mapping[str, float] = MappingProxyType(
    {"xy": VoxelSizeParameters().xy_um, "z": VoxelSizeParameters().z_um})


def pitch_of(dimensions: Dimensions) -> tuple[float, float]:
    """Size of a pixel and distance between planes, of ``{'xy': …, 'z': …}`` or a pair ``(xy, z)``.

    Raises
    ------
    VoxelSizeError
        It is neither, or holds something else than positive numbers.
    """
    try:
        xy, z = (dimensions["xy"], dimensions["z"]) if isinstance(dimensions, Mapping) else dimensions
        sizes = float(xy), float(z)
    except (KeyError, TypeError, ValueError):
        sizes = (0.0, 0.0)
    if not all(0 < size < np.inf for size in sizes):
        raise VoxelSizeError(f"dimensions is {dimensions!r}; accepted: {{'xy': …, 'z': …}} or (xy, z), positive "
                             "numbers of µm.")
    return sizes


class PitchedArray(np.ndarray):
    """An array that remembers the dimensions of its stack, also in its slices.

    The guide's exporters get arrays alone; so they can write a voxel size nevertheless.
    """

    dimensions: Dimensions | None

    def __new__(cls, array: np.ndarray, dimensions: Dimensions) -> PitchedArray:
        """Take an array as it is, without a copy."""
        result = np.asarray(array).view(cls)
        result.dimensions = dimensions
        return result

    def __array_finalize__(self, source: Any) -> None:
        self.dimensions = getattr(source, "dimensions", None)


def labelled(array: Any, source: str, dimensions: Dimensions | None = None) -> xr.DataArray:
    """Label an array ``(z, y, x)`` with given dimensions, else those it remembers, else the guide's defaults."""
    xy_um, z_um = pitch_of(dimensions or getattr(array, "dimensions", None) or DEFAULT_DIMENSIONS)
    return label_stack(np.asarray(array), xy_um=xy_um, z_um=z_um, source=source)
