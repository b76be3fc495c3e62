"""From a stack to probability maps."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from deepd3_ij.errors import ModelError, ParameterError, StackError
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.notes import note
from deepd3_ij.parameters import Choice, PredictionParameters, Resolved, resolve
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation import tiling as tilings
from deepd3_ij.segmentation.normalisation import scale, without_outliers
from deepd3_ij.segmentation.resampling import resample, resampled_shape
from deepd3_ij.segmentation.smoothing import reach_planes, smooth_along_z
from deepd3_ij.segmentation.tiling import FloatArray, Tiling
from deepd3_ij.stack import DIMS, label_prediction, voxel_size_um
from deepd3_ij.version import __version__

# Activations need about this much per pixel of a batch and per filter of the network's first
# layer; with what Python, TensorFlow and the planes take, a 32-filter network stays below 4 GB.
_BYTES_PER_PIXEL_AND_FILTER = 70
_ACTIVATION_BYTES = 2_800_000_000
_BATCH_PX = 512 * 512


def predict(
    stack: xr.DataArray,
    model: DeepD3Model | str | PathLike[str] | None = None,
    parameters: Choice[PredictionParameters] = None,
    *,
    z_range: tuple[int | None, int | None] | None = None,
    progress: Progress = no_progress,
    out: tuple[FloatArray, FloatArray] | None = None,
) -> xr.Dataset:
    """Predict where dendrites and spines are.

    Each plane is scaled by its own minimum and maximum to -1…1, isolated outliers aside
    (:func:`deepd3_ij.segmentation.normalisation.without_outliers`); a plane whose pixels are all
    equal gets probability 0. Planes are read one group at a time, so that a lazy stack can be
    larger than memory.

    Parameters
    ----------
    stack
        Dimensions ``("z", "y", "x")``, any integer or float type (numpy or dask).
    model
        A loaded model, a model file, or the name of a model; None for the default model.
    parameters
        How planes are cut up: all parameters, or those that differ from what the model recommends, by name.
    z_range
        First plane and end (exclusive), 0-based; None for all. Other planes get probability 0.
    progress
        Called after every batch of tiles.
    out
        Two float32 arrays (dendrite, spine) of the stack's shape to write to, for example
        memory-mapped files; new ones are made if None.

    Returns
    -------
    xarray.Dataset
        float32 ``dendrite`` and ``spine`` on the stack's coordinates, with provenance.

    Raises
    ------
    ModelError
        The model cannot be used, or not with this tiling.
    ParameterError
        ``z_range`` or ``out`` do not fit the stack.
    StackError
        The stack has other dimensions, or pixels that are no numbers.
    """
    _check_stack(stack)
    model = model if isinstance(model, DeepD3Model) else load_model(model)
    first, end = _planes(stack, z_range)
    dendrite, spine = _maps(stack, out, first, end)
    voxel_um = voxel_size_um(stack)
    resolved = resolve(PredictionParameters, parameters, recommended=model.card.recommended, voxel_size_um=voxel_um)
    chosen = resolved.parameters
    shape = (stack.sizes["y"], stack.sizes["x"])
    inner = resampled_shape(shape, voxel_um[1:], model.card.resolution_um if chosen.resample else None)
    tiling = make_tiling(inner or shape, model, chosen)

    meter = _Meter(progress, (end - first) * len(tiling.tiles))
    group = max(1, _BATCH_PX // (tiling.padded_px[0] * tiling.padded_px[1]))
    outliers: dict[int, int] = {}
    for start in range(first, end, group):
        planes = _read(stack, start, min(start + group, end), chosen.z_sigma_um, voxel_um[0], outliers)
        if inner:
            planes = np.stack([resample(plane, inner) for plane in planes])
        scaled = [_scaled(plane, z) for z, plane in enumerate(planes, start)]
        for maps, predicted in zip((dendrite, spine), _predict_scaled(scaled, model, tiling, chosen, meter),
                                   strict=True):
            for z, plane in enumerate(predicted, start):
                maps[z] = np.clip(resample(plane, shape), 0, 1) if inner else plane
    _tell_outliers(outliers, stack)
    return label_prediction(dendrite, spine, stack, prediction_provenance(stack, model, resolved, z_range))


def prediction_provenance(
    stack: xr.DataArray, model: DeepD3Model, resolved: Resolved[PredictionParameters],
    z_range: tuple[int | None, int | None] | None = None,
) -> dict[str, Any]:
    """What :func:`predict` states in its result, known before it runs (JSON-compatible).

    The recommendations of the model's card are among it, so that later steps can follow them without the model.
    """
    shape, voxel_um = (stack.sizes["y"], stack.sizes["x"]), voxel_size_um(stack)
    chosen = resolved.parameters
    inner = resampled_shape(shape, voxel_um[1:], model.card.resolution_um if chosen.resample else None)
    return resolved.into({
        "operation": "predict", "version": __version__,
        "model": {"name": model.name, "sha256": model.sha256, "recommended": model.card.recommended},
        "z_range": list(_planes(stack, z_range)),
        "tile_px": list(make_tiling(inner or shape, model, chosen).tile_px),
        "resampled_to_um": model.card.resolution_um if inner else None, "voxel_size_um": list(voxel_um),
        "source": str(stack.attrs.get("source", ""))})


def make_tiling(plane_px: tuple[int, int], model: DeepD3Model, parameters: PredictionParameters) -> Tiling:
    """Choose the tiles for planes of a size.

    A model with a fixed input size makes 'seamless' and 'plane' fall back on overlapping tiles
    of that size; 'inset' and 'fourfold' need ``tile_px`` to be that size.

    Raises
    ------
    ModelError
        ``tile_px`` is no size that the model accepts.
    """
    fixed = model.fixed_shape
    if parameters.tiling in ("inset", "fourfold"):
        size = parameters.tile_px
        if size % model.stride_px or fixed not in (None, (size, size)):
            accepted = f"{fixed[0]} × {fixed[1]}" if fixed else f"a multiple of {model.stride_px}"
            raise ModelError(f"tile_px is {size}; the model {model.name} accepts {accepted}. Give another tile_px, or "
                             "the tiling 'seamless'.")
        make = tilings.inset if parameters.tiling == "inset" else tilings.fourfold
        return make(plane_px, size, parameters.inset_px)
    if fixed:
        return tilings.fixed_tiles(plane_px, fixed, model.stride_px)
    if parameters.tiling == "plane":
        return tilings.whole_plane(plane_px, model.stride_px)
    largest = int(_ACTIVATION_BYTES / (_BYTES_PER_PIXEL_AND_FILTER * model.filters))
    return tilings.seamless(plane_px, model.stride_px, model.halo_px, largest)


def _predict_scaled(
    scaled: Sequence[FloatArray | None], model: DeepD3Model, tiling: Tiling, parameters: PredictionParameters,
    meter: _Meter,
) -> FloatArray:
    """Predict scaled planes; shape (2, planes, y, x). None stands for a plane of equal pixels."""
    sums = np.zeros((2, len(scaled), *tiling.padded_px), dtype=np.float32)
    padded = {}
    for index, plane in enumerate(scaled):
        if plane is not None:
            constant = -1.0 if parameters.padding == "min" else float(plane.mean(dtype=np.float64))
            padded[index] = tiling.pad(plane[np.newaxis], [constant])[0]
    jobs = [(index, tile) for index in padded for tile in tiling.tiles]
    meter.advance((len(scaled) - len(padded)) * len(tiling.tiles))
    batch = max(1, _BATCH_PX // (tiling.tile_px[0] * tiling.tile_px[1]))
    for start in range(0, len(jobs), batch):
        part = jobs[start:start + batch]
        predicted = np.stack(model.predict_batch(np.stack([tiling.cut(padded[index], tile) for index, tile in part])))
        for i, (index, tile) in enumerate(part):
            tiling.add(sums[:, index], tile, predicted[:, i])
        meter.advance(len(part))
    return tiling.finish(sums)


class _Meter:
    """Counts tiles for ``progress``."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self.advance(0)

    def advance(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total, "Predicting")


def _read(stack: xr.DataArray, start: int, end: int, z_sigma_um: float, z_um: float, outliers: dict[int, int]
          ) -> npt.NDArray[Any]:
    """Planes of a stack without outliers (counted by plane), averaged with their neighbours if wanted."""
    reach = reach_planes(z_sigma_um, z_um)
    low = max(0, start - reach)
    planes = np.asarray(stack[low:end + reach].data)
    cleared = [without_outliers(plane) for plane in planes]
    outliers.update({z: count for z, (_, count) in enumerate(cleared, low) if count})
    if any(count for _, count in cleared):
        planes = np.stack([plane for plane, _ in cleared])
    return smooth_along_z(planes, z_sigma_um, z_um)[start - low:end - low] if reach else planes


def _tell_outliers(outliers: dict[int, int], stack: xr.DataArray) -> None:
    if outliers:
        count, planes = sum(outliers.values()), len(outliers)
        note(f"{stack.attrs.get('source', 'The stack')}: {count} isolated pixel{'s' * (count != 1)} far beyond all "
             f"others in {planes} plane{'s' * (planes != 1)} (hot or dead pixels, grains) did not count for the grey "
             "range.")


def _scaled(plane: npt.NDArray[Any], z: int) -> FloatArray | None:
    try:
        return scale(plane)
    except StackError as error:
        raise StackError(f"Plane {z} (counted from 0): {error}") from error


def _check_stack(stack: xr.DataArray) -> None:
    if not isinstance(stack, xr.DataArray) or stack.dims != DIMS:
        got = stack.dims if isinstance(stack, xr.DataArray) else type(stack).__name__
        raise StackError(f"The stack is {got}; accepted: an array with dimensions {DIMS}, as made by open_stack or "
                         "label_stack.")
    if stack.dtype.kind not in "uif":
        raise StackError(f"The stack holds {stack.dtype} pixels; accepted: whole numbers or floats.")


def _planes(stack: xr.DataArray, z_range: tuple[int | None, int | None] | None) -> tuple[int, int]:
    count = stack.sizes["z"]
    low, high = z_range or (None, None)
    first, end = 0 if low is None else low, count if high is None else high
    if not 0 <= first < end <= count:
        raise ParameterError(f"z_range is {first}:{end}; accepted: planes within 0:{count} (end exclusive).")
    return first, end


def _maps(
    stack: xr.DataArray, out: tuple[FloatArray, FloatArray] | None, first: int, end: int
) -> tuple[FloatArray, FloatArray]:
    """The two maps to fill, 0 in planes that are not predicted."""
    if out is None:
        return np.zeros(stack.shape, np.float32), np.zeros(stack.shape, np.float32)
    for array in out:
        if array.shape != stack.shape or array.dtype != np.float32:
            raise ParameterError(f"out holds {array.dtype} {array.shape}; accepted: float32 {stack.shape}.")
        array[:first] = 0
        array[end:] = 0
    return out
