"""Labelled microscope data: how stacks and probability maps are represented.

A *stack* is an :class:`xarray.DataArray` with dimensions ``("z", "y", "x")``, float64
coordinates in µm (pixel 0 has its centre at 0) and the attributes ``units`` ("um"),
``voxel_size_um`` (z, y, x) and ``source`` (a file name or a description).
A *prediction* is an :class:`xarray.Dataset` with float32 ``dendrite`` and ``spine`` on the
same coordinates and the attribute ``provenance`` (JSON text).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.errors import StackError, VoxelSizeError
from deepd3_ij.parameters import VoxelSizeParameters, describe
from deepd3_ij.printing import storable

DIMS = ("z", "y", "x")
MAPS = ("dendrite", "spine")
"""Names of the probability maps of a prediction, in the order of files and channels."""


def label_stack(array: Any, *, xy_um: float, z_um: float, source: str = "array") -> xr.DataArray:
    """Give an array dimensions, coordinates in µm and a voxel size.

    Parameters
    ----------
    array
        Array (numpy or dask) of shape ``(z, y, x)``, or ``(y, x)`` for a single plane.
    xy_um, z_um
        Size of a pixel and distance between planes in µm.
    source
        Where the data come from; characters that not every format can hold are replaced.

    Returns
    -------
    xarray.DataArray
        The array itself (not a copy), labelled.
    """
    if array.ndim == 2:
        array = array[np.newaxis]
    if array.ndim != 3:
        raise StackError(f"A stack has 3 dimensions (z, y, x); this array has shape {array.shape}. "
                         "Select one channel and one time point first.")
    if 0 in array.shape:
        raise StackError(f"A stack needs at least one plane, row and column; this array has shape {array.shape}.")
    for info in describe(VoxelSizeParameters):
        size = {"xy_um": xy_um, "z_um": z_um}[info.name]
        if info.low is None or info.high is None or not info.low <= size <= info.high:
            raise VoxelSizeError(f"{info.name} is {size:g}; accepted for a voxel size: {info.low:g} to {info.high:g} "
                                 f"µm. If the file states it wrongly, give it with {info.option}.")
    sizes = (float(z_um), float(xy_um), float(xy_um))
    coords = {dim: np.arange(n, dtype=np.float64) * size
              for dim, n, size in zip(DIMS, array.shape, sizes, strict=True)}
    return xr.DataArray(array, dims=DIMS, coords=coords,
                        attrs={"units": "um", "voxel_size_um": sizes, "source": storable(source)})


def label_like(array: Any, like: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Label an array with the coordinates and attributes of a stack or prediction of the same shape."""
    z_um, xy_um, _ = voxel_size_um(like)
    shape = tuple(like.sizes[dim] for dim in DIMS)
    if tuple(array.shape) != shape:
        raise StackError(f"Shapes differ: {tuple(array.shape)} and {shape} (z, y, x).")
    labelled = label_stack(array, xy_um=xy_um, z_um=z_um, source=str(like.attrs.get("source", "array")))
    return labelled.assign_coords({dim: like.coords[dim] for dim in DIMS})


def label_prediction(
    dendrite: Any, spine: Any, like: xr.DataArray | xr.Dataset, provenance: Mapping[str, Any]
) -> xr.Dataset:
    """Join two probability maps to a prediction on the coordinates of a stack.

    Parameters
    ----------
    dendrite, spine
        float32 arrays of shape ``(z, y, x)``, values 0…1.
    like
        Stack (or prediction) that gives coordinates, voxel size and source.
    provenance
        What made the maps: package version, model, parameters; stored as JSON text.

    Returns
    -------
    xarray.Dataset
        ``dendrite`` and ``spine``, attributes ``units``, ``voxel_size_um``, ``source``, ``provenance``.
    """
    maps = {name: label_like(array, like) for name, array in (("dendrite", dendrite), ("spine", spine))}
    attrs = {**maps["dendrite"].attrs, "provenance": json.dumps(dict(provenance), sort_keys=True)}
    return xr.Dataset(maps, attrs=attrs)


def voxel_size_um(data: xr.DataArray | xr.Dataset) -> tuple[float, float, float]:
    """Voxel size (z, y, x) in µm of a stack, prediction or label volume."""
    size = data.attrs.get("voxel_size_um")
    if size is None or len(size) != 3:
        raise VoxelSizeError(f"The data carry no voxel size (voxel_size_um is {size!r}); "
                             "label them with deepd3_ij.label_stack(array, xy_um=…, z_um=…).")
    z_um, y_um, x_um = (float(value) for value in size)
    return z_um, y_um, x_um


def provenance_of(prediction: xr.Dataset) -> dict[str, Any]:
    """Provenance of a prediction as a dictionary (empty if it has none)."""
    return dict(json.loads(prediction.attrs.get("provenance", "{}")))
