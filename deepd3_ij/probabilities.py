"""What every step takes from a prediction: its maps, checked, and the parameters that suit its model."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import numpy as np
import xarray as xr

from deepd3_ij.errors import StackError
from deepd3_ij.parameters import Choice, Parameters, Resolved, recommended_of, resolve
from deepd3_ij.slabs import ConvertedSlabs, SlabSource, slabs_of
from deepd3_ij.stack import DIMS, provenance_of, voxel_size_um

P = TypeVar("P", bound=Parameters)

TOLERANCE = 1e-3  # resampling and 8-bit storage may leave the range by this much


def probability_slabs(prediction: xr.Dataset, name: str) -> SlabSource:
    """Take one map out of a prediction, slab by slab, as it may be lazy.

    Parameters
    ----------
    prediction
        Dataset with ``dendrite`` and ``spine``.
    name
        "dendrite" or "spine".

    Returns
    -------
    SlabSource
        float32; the prediction's own memory, not to be written to, where that is float32 already. Values are checked as
        they are read.

    Raises
    ------
    StackError
        The map is missing or has other dimensions, or, when it is read, values outside of 0…1.
    """
    if name not in prediction:
        raise StackError(f"The prediction has no {name} map; it has: {', '.join(map(str, prediction)) or 'nothing'}.")
    if prediction[name].dims != DIMS:
        raise StackError(f"The {name} map has dimensions {prediction[name].dims}; accepted: {DIMS}.")
    return ConvertedSlabs(slabs_of(prediction[name]), np.dtype(np.float32), partial(checked_probabilities, name=name))


def checked_probabilities(values: np.ndarray, name: str) -> np.ndarray:
    """Check a volume of probabilities; see :func:`probability_slabs`."""
    if values.ndim != 3 or 0 in values.shape:
        raise StackError(f"The {name} map has shape {values.shape}; accepted: three dimensions (z, y, x), none empty.")
    if values.dtype.kind not in "fbiu":
        raise StackError(f"The {name} map has pixel type {values.dtype}; accepted: float32 with values 0 to 1.")
    values = np.ascontiguousarray(values, dtype=np.float32)
    low, high = float(values.min()), float(values.max())
    if np.isnan(low) or np.isnan(high):
        raise StackError(f"The {name} map contains NaN; accepted: values 0 to 1. Predict it again from the stack.")
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise StackError(f"The {name} map has values from {low:g} to {high:g}; accepted: probabilities, 0 to 1 "
                         "(divide an 8-bit map by 255).")
    return values


def resolve_for(cls: type[P], typed: Choice[P], prediction: xr.Dataset) -> Resolved[P]:
    """Decide the parameters of a step on a prediction, whose provenance tells what its model recommends.

    Raises
    ------
    ParameterError
        A typed name is unknown, or a value is not accepted.
    """
    return resolve(cls, typed, recommended=recommended_of(provenance_of(prediction)),
                   voxel_size_um=voxel_size_um(prediction))
