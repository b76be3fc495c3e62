"""From a stack to probability maps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from deepd3_ij.errors import ModelError, ParameterError, StackError, remedy
from deepd3_ij.model.areas import CELL_PX, Cells
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.notes import note
from deepd3_ij.parameters import Choice, PredictionParameters, Resolved, resolve
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation import tiling as tilings
from deepd3_ij.segmentation.emptiness import can_skip, wanted_cells
from deepd3_ij.segmentation.likeness import tell_unlike
from deepd3_ij.segmentation.normalisation import grey_range_of, scaled_to, without_outliers
from deepd3_ij.segmentation.plane_shifts import average_aligned
from deepd3_ij.segmentation.region import Region, Window, computed_window, rows_and_columns
from deepd3_ij.segmentation.resampling import resample, resampled_shape
from deepd3_ij.segmentation.smoothing import average_planes, reach_planes
from deepd3_ij.segmentation.tiling import FloatArray, Tiling
from deepd3_ij.slabs import ArraySlabs, Volume, new_volume, shape_of
from deepd3_ij.stack import DIMS, label_prediction, voxel_size_um
from deepd3_ij.version import __version__

# Images between the layers need this much per pixel of a tile and per filter of the network's first layer.
_BYTES_PER_PIXEL_AND_FILTER = 18
_ACTIVATION_BYTES = 1_000_000_000
_BATCH_PX = 512 * 512
# Planes that are read together; fewer groups read fewer of their neighbours for averages twice.
_GROUP_PX = 4 * _BATCH_PX
_WHOLE_PLANE_BYTES = 30


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
    check_stack(stack)
    model = model if isinstance(model, DeepD3Model) else load_model(model)
    first, end = _planes(stack, z_range)
    dendrite, spine = _maps(stack, out, first, end)
    resolved = resolve(PredictionParameters, parameters, recommended=model.card.recommended,
                       voxel_size_um=voxel_size_um(stack))
    counts = predict_planes(stack, model, resolved.parameters, (dendrite, spine), (first, end), region, progress)
    tell_outliers(counts.outliers, stack)
    tell_unlike(stack[first:end], model.card.trained_on)
    return label_prediction(dendrite.as_array(), spine.as_array(), stack,
                            prediction_provenance(stack, model, resolved, z_range, region) | skipped_share([counts]))


class PlaneCounts(NamedTuple):
    """What was met in planes that were predicted.

    Attributes
    ----------
    outliers
        Number of pixels that did not count for the grey range, by the plane that has any.
    cells, skipped_cells
        Cells of the maps, and those that were too dark to be computed; both 0 if all is computed.
    """

    outliers: dict[int, int]
    cells: int
    skipped_cells: int


def skipped_share(counts: Iterable[PlaneCounts]) -> dict[str, float]:
    """What the provenance states of cells that were not computed: nothing where none can be left out."""
    parts = list(counts)
    cells = sum(part.cells for part in parts)
    return {"skipped_share": round(sum(part.skipped_cells for part in parts) / cells, 4)} if cells else {}


def predict_planes(
    stack: xr.DataArray, model: DeepD3Model, chosen: PredictionParameters, maps: tuple[Volume, Volume],
    planes: tuple[int, int], region: Region | None = None, progress: Progress = no_progress,
) -> PlaneCounts:
    """Predict some planes of a checked stack: the computation behind :func:`predict`, without a word to the user.

    Parameters
    ----------
    stack, model, chosen, region, progress
        As for :func:`predict`.
    maps
        float32 volumes of the stack's shape (dendrite, spine) to write to.
    planes
        First plane and end (exclusive); parts that are cut as :func:`planes_at_once` says give the values of the whole.

    Returns
    -------
    PlaneCounts
    """
    plan = _planned(stack, model, chosen, region)
    tiling = plan.tiling
    first, end = planes

    meter = _Meter(progress, (end - first) * len(tiling.tiles))
    group = _planes_at_once(tiling)
    outliers: dict[int, int] = {}
    known: dict[int, npt.NDArray[Any]] = {}
    cells = skipped = 0
    try:
        for start in range(first, end, group):
            read = _read(stack, start, min(start + group, end), chosen, outliers, known)
            if plan.resampled:
                read = [resample(plane, plan.computed_px) for plane in read]
            wanted = [plan.wanted(plane) for plane in read]
            cells += sum(of_plane.size for of_plane in wanted if of_plane is not None)
            skipped += sum(int((~of_plane).sum()) for of_plane in wanted if of_plane is not None)
            if group == 1 and plan.is_tiled_plane:
                _predict_tiled(read[0], start, wanted[0], model, tiling, maps, meter)
                continue
            scaled = [_scaled(plane, z) for z, plane in enumerate(read, start)]
            parts = [plane if plane is None else plane[plan.window] for plane in scaled]
            for sink, predicted in zip(maps, _predict_scaled(parts, wanted, model, tiling, chosen, meter), strict=True):
                for z, plane in enumerate(predicted, start):
                    sink.write(z, plan.whole_plane(plane)[np.newaxis])
    finally:
        model.release()
    return PlaneCounts(outliers, cells, skipped)


def planes_at_once(
    stack: xr.DataArray, model: DeepD3Model, resolved: Resolved[PredictionParameters], region: Region | None = None
) -> int:
    """Planes that :func:`predict` computes together; parts of a stack cut between such groups give the same values."""
    return _planes_at_once(_planned(stack, model, resolved.parameters, region).tiling)


def bytes_of_plane(
    stack: xr.DataArray, model: DeepD3Model, parameters: Choice[PredictionParameters] = None,
    region: Region | None = None,
) -> int:
    """About what the prediction of a plane (or a group of small ones) takes beside its tiles: pixels read, and copies.

    Measured were 4 bytes per pixel (of a uint16 stack) for tiles that each decide their part, 23 with the average over
    9 planes, and up to 32 for planes that are resampled or whose tiles overlap.
    """
    voxel_um = voxel_size_um(stack)
    chosen = resolve(PredictionParameters, parameters, recommended=model.card.recommended,
                     voxel_size_um=voxel_um).parameters
    plan = _planned(stack, model, chosen, region)
    reach = reach_planes(chosen.z_sigma_um, voxel_um[0])
    group = min(_planes_at_once(plan.tiling), stack.sizes["z"])
    read = min(2 * reach + group, stack.sizes["z"]) + 1
    per_pixel = stack.dtype.itemsize * read + (4 * group if reach else 0)
    copied = 0 if plan.is_tiled_plane and group == 1 else group
    copies = copied * _WHOLE_PLANE_BYTES * math.prod(plan.tiling.padded_px)
    return per_pixel * math.prod(plan.plane_px) + copies


def _planes_at_once(tiling: Tiling) -> int:
    return max(1, _GROUP_PX // (tiling.padded_px[0] * tiling.padded_px[1]))


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
    empty_below
        Share of a plane's brightest place up to which nothing is computed; None to compute all.
    """

    plane_px: tuple[int, int]
    computed_px: tuple[int, int]
    kept: Window
    window: Window
    tiling: Tiling
    empty_below: float | None

    @property
    def resampled(self) -> bool:
        """Whether planes are resampled for the network."""
        return self.plane_px != self.computed_px

    @property
    def is_tiled_plane(self) -> bool:
        """Whether planes as they are get cut into tiles of which each decides its part."""
        height, width = self.plane_px
        return (self.computed_px == self.tiling.plane_px == (height, width) and self.tiling.decides_once
                and self.kept == (slice(0, height), slice(0, width)))

    def wanted(self, plane: npt.NDArray[Any]) -> Cells | None:
        """Cells of the padded window of a plane (resampled) that have to be computed; None for all."""
        if self.empty_below is None:
            return None
        cells = np.zeros([side // CELL_PX for side in self.tiling.padded_px], np.bool_)
        top, left = (part.start // CELL_PX for part in self.window)
        height, width = cells.shape
        of_plane = wanted_cells(plane, self.empty_below)[top:top + height, left:left + width]
        cells[:of_plane.shape[0], :of_plane.shape[1]] = of_plane  # what is added to a plane is not wanted
        return cells

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
    skips = chosen.skip_empty and chosen.tiling not in ("inset", "fourfold") and can_skip(model.stride_px)
    empty_below = model.card.empty_below if skips else None
    if region is None:
        whole = (slice(0, shape[0]), slice(0, shape[1]))
        return _Plan(shape, computed, whole, (slice(0, computed[0]), slice(0, computed[1])),
                     make_tiling(computed, model, chosen), empty_below)
    kept = rows_and_columns(region, shape)
    tiles = model.fixed_shape or ((chosen.tile_px,) if chosen.tiling in ("inset", "fourfold") else ())
    window = computed_window(kept, shape, computed, max(model.halo_px, *tiles, 0), model.stride_px)
    size = (window[0].stop - window[0].start, window[1].stop - window[1].start)
    return _Plan(shape, computed, kept, window, make_tiling(size, model, chosen), empty_below)


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
    scaled: Sequence[FloatArray | None], wanted: Sequence[Cells | None], model: DeepD3Model, tiling: Tiling,
    parameters: PredictionParameters, meter: _Meter,
) -> FloatArray:
    """Predict scaled planes where cells are wanted; shape (2, planes, y, x). None stands for a plane of equal pixels.
    """
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
        predicted = np.stack(model.predict_batch(
            np.stack([tiling.cut(padded[index], tile) for index, tile in part]),
            _cells_of_tiles([(wanted[index], tile) for index, tile in part], tiling)))
        for i, (index, tile) in enumerate(part):
            tiling.add(sums[:, index], tile, predicted[:, i])
        meter.advance(len(part))
    return tiling.finish(sums)


def _cells_of_tiles(tiles: Sequence[tuple[Cells | None, tuple[tilings.Span, tilings.Span]]], tiling: Tiling
                    ) -> Cells | None:
    """Wanted cells of tiles, each with those of its plane; only of the part of a tile that is kept."""
    if any(cells is None for cells, _ in tiles):
        return None
    height, width = (side // CELL_PX for side in tiling.tile_px)
    wanted = np.zeros((len(tiles), height, width), np.bool_)
    for part, (cells, spans) in zip(wanted, tiles, strict=True):
        if cells is not None:
            # A cell of which only a part is kept is computed as a whole.
            (top, bottom), (left, right) = ((span.low // CELL_PX, -(-span.high // CELL_PX)) for span in spans)
            y, x = (span.start // CELL_PX for span in spans)
            part[top - y:bottom - y, left - x:right - x] = cells[top:bottom, left:right]
    return wanted


def _predict_tiled(plane: npt.NDArray[Any], z: int, cells: Cells | None, model: DeepD3Model, tiling: Tiling,
                   sinks: Sequence[Volume], meter: _Meter) -> None:
    """Predict a large plane tile by tile as :func:`_predict_scaled` does, without a scaled or padded copy of it.

    Rows of tiles are written as soon as they are complete.
    """
    grey_range = _grey_range(plane, z)
    height, width = tiling.plane_px
    left = Counter(y for y, _ in tiling.tiles)
    rows: dict[tilings.Span, FloatArray] = {}

    def write(y: tilings.Span, maps: FloatArray) -> None:
        if y.low < height:  # else all of it is padding
            for sink, values in zip(sinks, maps, strict=True):
                sink.write(z, values[np.newaxis, :height - y.low], y.low)

    if grey_range is None:
        for y in left:
            write(y, np.zeros((2, y.high - y.low, width), np.float32))
        meter.advance(len(tiling.tiles))
        return
    batch = max(1, _BATCH_PX // (tiling.tile_px[0] * tiling.tile_px[1]))
    for start in range(0, len(tiling.tiles), batch):
        part = tiling.tiles[start:start + batch]
        cut = np.stack([scaled_to(tiling.mirrored(plane, tile), grey_range) for tile in part])
        wanted = _cells_of_tiles([(cells, tile) for tile in part], tiling)
        for predicted, (y, x) in zip(np.stack(model.predict_batch(cut, wanted), axis=1), part, strict=True):
            row = rows.setdefault(y, np.empty((2, y.high - y.low, tiling.padded_px[1]), np.float32))
            row[..., x.low:x.high] = predicted[:, y.low - y.start:y.high - y.start, x.low - x.start:x.high - x.start]
            left[y] -= 1
            if not left[y]:
                write(y, rows.pop(y)[..., :width])
        meter.advance(len(part))


class _Meter:
    """Counts tiles for ``progress``."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self.advance(0)

    def advance(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total, "Predicting")


def _read(stack: xr.DataArray, start: int, end: int, chosen: PredictionParameters, outliers: dict[int, int],
          known: dict[int, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
    """Planes of a stack without outliers (counted by plane), averaged with their neighbours if wanted.

    Planes that the groups before or after need as well are read once and kept in ``known``.
    """
    z_um, _, xy_um = voxel_size_um(stack)
    z_sigma_um = chosen.z_sigma_um
    reach = reach_planes(z_sigma_um, z_um)
    low, high = max(0, start - reach), min(end + reach, stack.sizes["z"])
    for z in [z for z in known if z < low]:
        del known[z]
    first = max(known, default=low - 1) + 1
    if first < high:
        for z, plane in enumerate(np.asarray(stack[first:high].data), first):
            cleared, count = without_outliers(plane)
            # A view would keep all planes that were read with it.
            known[z] = cleared.copy() if cleared is plane else cleared
            if count:
                outliers[z] = count
    planes = [known[z] for z in range(low, high)]
    if not reach:
        return planes
    wanted = range(start - low, end - low)
    if chosen.align_planes:
        return list(average_aligned(planes, wanted, z_sigma_um / z_um, reach, xy_um))
    return list(average_planes(planes, wanted, z_sigma_um, z_um))


def tell_outliers(outliers: Mapping[int, int], stack: xr.DataArray) -> None:
    """Note how many pixels did not count for the grey range, in how many planes; nothing where there are none."""
    if outliers:
        count, planes = sum(outliers.values()), len(outliers)
        note(f"{stack.attrs.get('source', 'The stack')}: {count} isolated pixel{'s' * (count != 1)} far beyond all "
             f"others in {planes} plane{'s' * (planes != 1)} (hot or dead pixels, grains) did not count for the grey "
             "range.")


def _scaled(plane: npt.NDArray[Any], z: int) -> FloatArray | None:
    grey_range = _grey_range(plane, z)
    return None if grey_range is None else scaled_to(plane, grey_range)


def _grey_range(plane: npt.NDArray[Any], z: int) -> tuple[float, float] | None:
    try:
        return grey_range_of(plane)
    except StackError as error:
        raise StackError(f"Plane {remedy(f'{z} (counted from 0)', str(z + 1))}: {error}") from error


def check_stack(stack: xr.DataArray) -> None:
    """Refuse what is no stack.

    Raises
    ------
    StackError
        It has other dimensions, or pixels that are no numbers.
    """
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
