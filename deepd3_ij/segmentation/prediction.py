"""From a stack to probability maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from deepd3_ij.errors import ModelError, ParameterError, StackError, remedy
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.notes import note
from deepd3_ij.parameters import Choice, PredictionParameters, Resolved, resolve
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation import tiling as tilings
from deepd3_ij.segmentation.likeness import tell_unlike
from deepd3_ij.segmentation.normalisation import scale, without_outliers
from deepd3_ij.segmentation.region import Region, Window, computed_window, rows_and_columns
from deepd3_ij.segmentation.resampling import resample, resampled_shape
from deepd3_ij.segmentation.smoothing import reach_planes, smooth_along_z
from deepd3_ij.segmentation.tiling import FloatArray, Tiling
from deepd3_ij.slabs import ArraySlabs, Volume, new_volume, shape_of
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
    region: Region | None = None,
    progress: Progress = no_progress,
    out: tuple[FloatArray | Volume, FloatArray | Volume] | None = None,
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
    region
        First column and row, width and height of a box in pixels; None for whole planes. Within it the seamless
        tiling gives what it gives for the whole plane; other pixels get probability 0.
    progress
        Called after every batch of tiles.
    out
        Two float32 arrays or volumes in files (dendrite, spine) of the stack's shape to write to, plane by plane; new
        ones are made if None.

    Returns
    -------
    xarray.Dataset
        float32 ``dendrite`` and ``spine`` on the stack's coordinates, with provenance.

    Raises
    ------
    ModelError
        The model cannot be used, or not with this tiling.
    ParameterError
        ``z_range``, ``region`` or ``out`` do not fit the stack.
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
    plan = _planned(stack, model, chosen, region)
    tiling = plan.tiling

    meter = _Meter(progress, (end - first) * len(tiling.tiles))
    group = _planes_at_once(tiling)
    outliers: dict[int, int] = {}
    for start in range(first, end, group):
        planes = _read(stack, start, min(start + group, end), chosen.z_sigma_um, voxel_um[0], outliers)
        if plan.resampled:
            planes = np.stack([resample(plane, plan.computed_px) for plane in planes])
        scaled = [_scaled(plane, z) for z, plane in enumerate(planes, start)]
        parts = [plane if plane is None else plane[plan.window] for plane in scaled]
        for sink, predicted in zip((dendrite, spine), _predict_scaled(parts, model, tiling, chosen, meter),
                                   strict=True):
            for z, plane in enumerate(predicted, start):
                sink.write(z, plan.whole_plane(plane)[np.newaxis])
    _tell_outliers(outliers, stack)
    tell_unlike(stack[first:end], model.card.trained_on)
    return label_prediction(dendrite.as_array(), spine.as_array(), stack,
                            prediction_provenance(stack, model, resolved, z_range, region))


def planes_at_once(
    stack: xr.DataArray, model: DeepD3Model, resolved: Resolved[PredictionParameters], region: Region | None = None
) -> int:
    """Planes that :func:`predict` computes together; parts of a stack cut between such groups give the same values."""
    return _planes_at_once(_planned(stack, model, resolved.parameters, region).tiling)


def _planes_at_once(tiling: Tiling) -> int:
    return max(1, _BATCH_PX // (tiling.padded_px[0] * tiling.padded_px[1]))


def prediction_provenance(
    stack: xr.DataArray, model: DeepD3Model, resolved: Resolved[PredictionParameters],
    z_range: tuple[int | None, int | None] | None = None, region: Region | None = None,
) -> dict[str, Any]:
    """What :func:`predict` states in its result, known before it runs (JSON-compatible).

    The recommendations of the model's card and its calibration are among it, so that later steps can follow them
    without the model.
    """
    voxel_um = voxel_size_um(stack)
    plan = _planned(stack, model, resolved.parameters, region)
    return resolved.into({
        "operation": "predict", "version": __version__,
        "model": {"name": model.name, "sha256": model.sha256, "recommended": model.card.recommended,
                  "confidence": model.card.confidence},
        "z_range": list(_planes(stack, z_range)), **({"region": list(region)} if region is not None else {}),
        "tile_px": list(plan.tiling.tile_px),
        "resampled_to_um": model.card.resolution_um if plan.resampled else None, "voxel_size_um": list(voxel_um),
        "source": str(stack.attrs.get("source", ""))})


@dataclass(frozen=True)
class _Plan:
    """How the planes of a stack are computed.

    Attributes
    ----------
    plane_px, computed_px
        Height and width of a plane, and those to which it is resampled for the network.
    kept
        Rows and columns of a plane that are wanted.
    window
        Rows and columns of a resampled plane that are computed for them.
    tiling
        The tiles of the window.
    """

    plane_px: tuple[int, int]
    computed_px: tuple[int, int]
    kept: Window
    window: Window
    tiling: Tiling

    @property
    def resampled(self) -> bool:
        """Whether planes are resampled for the network."""
        return self.plane_px != self.computed_px

    def whole_plane(self, predicted: FloatArray) -> FloatArray:
        """The map of a plane from that of its window; 0 where nothing was wanted."""
        if predicted.shape != self.computed_px:
            whole = np.zeros(self.computed_px, np.float32)
            whole[self.window] = predicted
            predicted = whole
        if self.resampled:
            predicted = np.clip(resample(predicted, self.plane_px), 0, 1)
        out = np.zeros(self.plane_px, np.float32)
        out[self.kept] = predicted[self.kept]
        return out


def _planned(stack: xr.DataArray, model: DeepD3Model, chosen: PredictionParameters, region: Region | None) -> _Plan:
    shape = (stack.sizes["y"], stack.sizes["x"])
    computed = resampled_shape(shape, voxel_size_um(stack)[1:],
                               model.card.resolution_um if chosen.resample else None) or shape
    if region is None:
        whole = (slice(0, shape[0]), slice(0, shape[1]))
        return _Plan(shape, computed, whole, (slice(0, computed[0]), slice(0, computed[1])),
                     make_tiling(computed, model, chosen))
    kept = rows_and_columns(region, shape)
    tiles = model.fixed_shape or ((chosen.tile_px,) if chosen.tiling in ("inset", "fourfold") else ())
    window = computed_window(kept, shape, computed, max(model.halo_px, *tiles, 0), model.stride_px)
    size = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    return _Plan(shape, computed, kept, window, make_tiling(size, model, chosen))


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
        raise StackError(f"Plane {remedy(f'{z} (counted from 0)', str(z + 1))}: {error}") from error


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
    if first > end >= 0 and first <= count:
        raise ParameterError(f"z_range is {first}:{end}, which is inverted: it ends before its first plane; accepted: "
                             f"planes within 0:{count} (end exclusive).")
    if not 0 <= first < end <= count:
        raise ParameterError(f"z_range is {first}:{end}; accepted: planes within 0:{count} (end exclusive).")
    return first, end


def _maps(
    stack: xr.DataArray, out: tuple[FloatArray | Volume, FloatArray | Volume] | None, first: int, end: int
) -> tuple[Volume, Volume]:
    """The two maps to fill, 0 in planes that are not predicted."""
    shape = shape_of(stack)
    if out is None:
        return new_volume(shape, np.float32), new_volume(shape, np.float32)
    dendrite, spine = (ArraySlabs(given) if isinstance(given, np.ndarray) else given for given in out)
    for volume in (dendrite, spine):
        if volume.shape != shape or volume.dtype != np.float32:
            raise ParameterError(f"out holds {volume.dtype} {volume.shape}; accepted: float32 {shape}.")
        if isinstance(volume, ArraySlabs):
            volume.array[:first] = 0
            volume.array[end:] = 0
    return dendrite, spine
