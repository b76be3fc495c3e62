"""Cleaning of probability maps: connect dendrite, drop small pieces and far spines."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage

from deepd3_ij.compiled import compiled
from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.parallel import in_blocks
from deepd3_ij.parameters import Choice, CleaningParameters
from deepd3_ij.probabilities import probability_slabs, resolve_for
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.runs import FoundRuns, Runs, runs_of_slab
from deepd3_ij.slab_tasks import Arrays, Cutting, map_bands, write_bands
from deepd3_ij.slabs import Band, Shape, SlabSink, SlabSource, is_lazy, lazily, new_volume
from deepd3_ij.stack import label_prediction, provenance_of, voxel_size_um

CLOSING_COPIES, DENDRITE_COPIES, SPINE_COPIES = 3.5, 2.5, 4.0
"""4-byte copies of a slab that each step is counted with. Closing was measured to hold 3.0, cleaning of dendrites 2.0;
that of spines holds 3, and up to one more of distances."""
_WHOLE = (slice(0, None), slice(0, None))


def clean(
    prediction: xr.Dataset, parameters: Choice[CleaningParameters] = None, progress: Progress = no_progress
) -> xr.Dataset:
    """Clean both maps: closing, dendrite pieces, then spines (with the cleaned dendrite).

    Parameters
    ----------
    prediction
        Dataset with ``dendrite`` and ``spine``; not changed.
    parameters
        Which steps, and how: all parameters, or those that differ from what the prediction's model recommends, by
        name.
    progress
        Called before and after each step; may raise ``Cancelled``.

    Returns
    -------
    xarray.Dataset
        A new prediction; its provenance lists the parameters. A map that no step touches is shared, not copied.

    Raises
    ------
    StackError
        A map is missing or holds no probabilities.
    """
    resolved = resolve_for(CleaningParameters, parameters, prediction)
    chosen = resolved.parameters
    dendrite, spine = probability_slabs(prediction, "dendrite"), probability_slabs(prediction, "spine")
    depth = dendrite.shape[0]
    made: dict[str, Any] = {
        name: lazily(source) if is_lazy(prediction[name]) else source.read(0, depth)
        for name, source in (("dendrite", dendrite), ("spine", spine))}
    if chosen.closing:
        closed = new_volume(dendrite.shape, np.float32)
        _close_slabs(dendrite, closed, chosen.closing_iterations, _part_of(progress, 0, depth, "Connect dendrite"))
        dendrite, made["dendrite"] = closed, closed.as_array()
    if chosen.clean_dendrite:
        cleaned = new_volume(dendrite.shape, np.float32)
        _clean_slabs(dendrite, cleaned, chosen, _part_of(progress, 1, depth, "Clean dendrite"))
        dendrite, made["dendrite"] = cleaned, cleaned.as_array()
    if chosen.clean_spines:
        near = new_volume(spine.shape, np.float32)
        _keep_near_slabs(spine, dendrite, near, voxel_size_um(prediction), chosen,
                         _part_of(progress, 2, depth, "Clean spines"))
        made["spine"] = near.as_array()
    progress(3 * depth, 3 * depth, "Maps cleaned")
    return label_prediction(made["dendrite"], made["spine"], prediction, resolved.into(provenance_of(prediction)))


def _part_of(progress: Progress, step: int, depth: int, message: str) -> Callable[[int], None]:
    """Progress of one of the three steps, by the planes that are done."""
    def report(done: int) -> None:
        progress(step * depth + done, 3 * depth, message)

    report(0)
    return report


def _close_slabs(source: SlabSource, sink: SlabSink, iterations: int, done: Callable[[int], None]) -> None:
    # A voxel depends on those within the reach of an erosion of a dilation.
    cutting = Cutting(source.shape, CLOSING_COPIES, 2 * iterations, 2 * iterations)
    write_bands(partial(_close_band, source, sink, iterations, cutting), cutting, done)


def _close_band(source: SlabSource, sink: SlabSink, iterations: int, cutting: Cutting, band: Band) -> Arrays:
    around = band.grown(cutting.halo, cutting.halo_rows)
    band.write(sink, close_dendrite(around.read(source), iterations)[band.within(around)])
    return ()


def _clean_slabs(source: SlabSource, sink: SlabSink, chosen: CleaningParameters, done: Callable[[int], None]) -> None:
    cutting = Cutting(source.shape, DENDRITE_COPIES)
    threshold, smallest = chosen.dendrite_threshold, chosen.min_dendrite_voxels
    found = [runs for _, runs in map_bands(partial(_runs_of_band, source, threshold), cutting, lambda _: done(0))]
    large = (_large_pieces(found, source.shape, smallest) if chosen.dendrite_dimensions == 3
             else _large_in_planes(found, source.shape, smallest + 1))
    write_bands(partial(_select_band, source, sink), cutting, done, (large.rows, large.begins, large.ends))


def _runs_of_band(source: SlabSource, threshold: float, band: Band) -> FoundRuns:
    return runs_of_slab(band.read(source), threshold, band.first_row, source.shape[1])


def _select_band(source: SlabSource, sink: SlabSink, band: Band, rows: np.ndarray, begins: np.ndarray,
                 ends: np.ndarray) -> Arrays:
    planes = band.read(source)
    own = slice(*np.searchsorted(rows, (band.first_row, band.end_row)))
    depth, height, width = planes.shape
    runs = Runs.of_rows((depth, height, width), rows[own] - band.first_row, begins[own], ends[own])
    band.write(sink, runs.selected(planes))
    return ()


def _keep_near_slabs(spine: SlabSource, dendrite: SlabSource, sink: SlabSink, voxel_um: tuple[float, float, float],
                     chosen: CleaningParameters, done: Callable[[int], None]) -> None:
    if chosen.spine_iterations is None:
        limits = _reach_px(chosen.spine_distance_um, voxel_um, spine.shape)
        halo, halo_rows = len(limits) - 1, math.isqrt(int(limits[0]))
    else:
        halo = halo_rows = chosen.spine_iterations
    cutting = Cutting(spine.shape, SPINE_COPIES, halo, halo_rows)
    write_bands(partial(_keep_near_in_band, spine, dendrite, sink, voxel_um, chosen, cutting), cutting, done)


def _keep_near_in_band(spine: SlabSource, dendrite: SlabSource, sink: SlabSink, voxel_um: tuple[float, float, float],
                       chosen: CleaningParameters, cutting: Cutting, band: Band) -> Arrays:
    around = band.grown(cutting.halo, cutting.halo_rows)
    planes, near = band.read(spine), around.read(dendrite)
    within, threshold = band.within(around), chosen.dendrite_threshold
    band.write(sink, _near(planes, near, within, threshold, chosen.spine_distance_um, voxel_um)
               if chosen.spine_iterations is None
               else _near_by_iterations(planes, near, within, threshold, chosen.spine_iterations))
    return ()


def close_dendrite(dendrite: np.ndarray, iterations: int = 1) -> np.ndarray:
    """Fill gaps: grey dilations with a flat 3×3×3 window, then as many erosions.

    One iteration is the grey closing of the original; more iterations reach farther. Values outside of the
    volume take no part. Dilating n times equals one maximum over a box 2 n + 1 wide; it is taken axis by axis, with
    windows that double, so the time grows with the logarithm of n.

    Parameters
    ----------
    dendrite
        float32 probabilities, shape ``(z, y, x)``.
    iterations
        Number of dilations, and of erosions.

    Returns
    -------
    numpy.ndarray
        float32, nowhere below the input.
    """
    if iterations < 1:
        raise ParameterError(f"iterations is {iterations}; accepted: a whole number of at least 1.")
    dilated = np.empty_like(dendrite)
    closed = np.empty_like(dendrite)
    for source, target, sign in ((dendrite, dilated, np.float32(1)), (dilated, closed, np.float32(-1))):
        _box_maximum(source, target, iterations, sign)
    return closed


def _box_maximum(source: np.ndarray, target: np.ndarray, reach: int, sign: np.float32) -> None:
    """Write ``sign`` times the maximum of ``sign * source`` in a box of ``2 * reach + 1`` to ``target``."""
    in_blocks(lambda begin, end: _maximum_along_z(source, reach, sign, begin, end, target), source.shape[1])
    in_blocks(lambda begin, end: _maximum_in_planes(target, reach, sign, begin, end), source.shape[0])


@compiled
def _maximum_along_z(source: np.ndarray, reach: int, sign: np.float32, begin: int, end: int,
                     target: np.ndarray) -> None:
    depth, _, width = source.shape
    lines = np.empty((depth + 2 * reach, width), np.float32)
    for y in range(begin, end):
        lines[:] = -np.inf
        for z in range(depth):
            line, given = lines[z + reach], source[z, y]
            for x in range(width):
                line[x] = sign * given[x]
        rest = _double_windows(lines, 2 * reach + 1)
        for z in range(depth):
            first, second, result = lines[z], lines[z + rest], target[z, y]
            for x in range(width):
                result[x] = sign * max(first[x], second[x])


@compiled
def _maximum_in_planes(volume: np.ndarray, reach: int, sign: np.float32, begin: int, end: int) -> None:
    _, height, width = volume.shape
    lines = np.empty((height + 2 * reach, width), np.float32)
    row = np.empty(width + 2 * reach, np.float32)
    wider = np.empty(width + 2 * reach, np.float32)
    for z in range(begin, end):
        lines[:] = -np.inf
        for y in range(height):
            line, given = lines[y + reach], volume[z, y]
            for x in range(width):
                line[x] = sign * given[x]
        rest = _double_windows(lines, 2 * reach + 1)
        for y in range(height):
            row[:] = -np.inf
            first, second, result = lines[y], lines[y + rest], row[reach:]
            for x in range(width):
                result[x] = max(first[x], second[x])
            span = 1
            while 2 * span <= 2 * reach + 1:
                ahead = row[span:]
                for x in range(len(ahead)):
                    wider[x] = max(row[x], ahead[x])
                wider[len(ahead):] = row[len(ahead):]
                row, wider = wider, row
                span *= 2
            ahead, result = row[2 * reach + 1 - span:], volume[z, y]
            for x in range(width):
                result[x] = sign * max(row[x], ahead[x])


@compiled
def _double_windows(lines: np.ndarray, window: int) -> int:
    """Replace every line by the maximum of itself and the next ones, as many as the largest power of two in ``window``.

    Returns
    -------
    int
        Offset of the second line whose maximum with the first spans the window.
    """
    span = 1
    while 2 * span <= window:
        for i in range(len(lines) - span):
            line, ahead = lines[i], lines[i + span]
            for x in range(len(line)):
                line[x] = max(line[x], ahead[x])
        span *= 2
    return window - span


def clean_dendrite(
    dendrite: np.ndarray, threshold: float = 0.7, min_voxels: int = 100, *, dimensions: int = 3
) -> np.ndarray:
    """Keep the probabilities of large pieces of dendrite and set everything else to 0.

    Parameters
    ----------
    dendrite
        float32 probabilities, shape ``(z, y, x)``.
    threshold
        Probability that a pixel of a piece exceeds.
    min_voxels
        Size of a piece. In 3-D, pieces of at least this many voxels are kept; in 2-D, as in
        the original, pieces of more pixels than this.
    dimensions
        3: 26-connected pieces. 2: 8-connected pieces of single planes.

    Returns
    -------
    numpy.ndarray
        float32.
    """
    if dimensions not in (2, 3):
        raise ParameterError(f"dimensions is {dimensions}; accepted: 2, 3.")
    depth, height, width = dendrite.shape
    found = [runs_of_slab(dendrite, threshold, 0)]
    large = (_large_pieces(found, (depth, height, width), min_voxels) if dimensions == 3
             else _large_in_planes(found, (depth, height, width), min_voxels + 1))
    return large.selected(dendrite)


def _large_pieces(found: Sequence[Arrays], shape: Shape, smallest: int) -> Runs:
    """The 26-connected pieces of runs, in raster order, that have at least so many voxels."""
    runs = _all_runs(found, shape)
    return runs.labelled(_in_large_piece(runs, smallest).astype(np.int32))


def _large_in_planes(found: Sequence[Arrays], shape: Shape, smallest: int) -> Runs:
    """The 8-connected pieces of runs in single planes that have at least so many pixels."""
    runs = _all_runs(found, shape)
    rows, (_, height, width) = runs.rows, shape
    large = np.zeros(len(rows), np.int32)
    for z in range(shape[0]):
        within = slice(runs.row_starts[z * height], runs.row_starts[(z + 1) * height])
        plane = Runs.of_rows((1, height, width), rows[within] - z * height, runs.begins[within], runs.ends[within])
        large[within] = _in_large_piece(plane, smallest)
    return runs.labelled(large)


def _all_runs(found: Sequence[Arrays], shape: Shape) -> Runs:
    rows, begins, ends = (np.concatenate(part) for part in zip(*found, strict=True))
    return Runs.of_rows(shape, rows, begins, ends)


def _in_large_piece(runs: Runs, smallest: int) -> np.ndarray:
    """Whether each run belongs to a connected piece of at least so many voxels."""
    piece, count = runs.connected()
    sizes = np.bincount(piece, weights=runs.lengths, minlength=count + 1)
    return sizes[piece] >= smallest


def clean_spines(
    spine: np.ndarray,
    dendrite: np.ndarray,
    voxel_size_um: tuple[float, float, float],
    *,
    dendrite_threshold: float = 0.7,
    distance_um: float = 2.0,
) -> np.ndarray:
    """Set spine probability to 0 where no dendrite is near.

    Parameters
    ----------
    spine, dendrite
        float32 probabilities, shape ``(z, y, x)``.
    voxel_size_um
        Size of a voxel in µm along z, y and x; y and x equal.
    dendrite_threshold
        Probability that dendrite exceeds.
    distance_um
        Largest distance in µm between a kept voxel's centre and that of a dendrite voxel; 0 keeps what lies
        in the dendrite itself.

    Returns
    -------
    numpy.ndarray
        float32.
    """
    _check_same_shape(spine, dendrite)
    return _near(spine, dendrite, _WHOLE, dendrite_threshold, distance_um, voxel_size_um)


def _near(spine: np.ndarray, dendrite: np.ndarray, within: tuple[slice, slice], threshold: float, distance_um: float,
          voxel_um: tuple[float, float, float]) -> np.ndarray:
    """A part of a spine map where dendrite is near; it has these planes and rows of a part of the dendrite map."""
    depth, height, width = dendrite.shape
    limits = _reach_px(distance_um, voxel_um, (depth, height, width))
    result = np.empty_like(spine)
    first, top = within[0].start, within[1].start
    # Each block keeps the distances of as many planes as the reach spans; all blocks together keep no more than a copy.
    in_blocks(lambda begin, end: _keep_near(spine, dendrite, np.float32(threshold), limits, first, top, begin, end,
                                            result),
              len(spine), smallest=2 * len(limits))
    return result


def _reach_px(distance_um: float, voxel_um: tuple[float, float, float], shape: Shape) -> np.ndarray:
    """Largest squared distance within a plane, in whole px, at each distance in planes; int32."""
    z_um, y_um, x_um = voxel_um
    if y_um != x_um:
        raise StackError(f"Pixels measure {y_um:g} × {x_um:g} µm (y × x); accepted: square pixels.")
    reach_planes = min(int(distance_um / z_um + 1e-6), shape[0] - 1)
    planes_um = np.arange(reach_planes + 1) * z_um
    limits = np.floor(np.maximum(distance_um ** 2 - planes_um ** 2, 0) / x_um ** 2 + 1e-6).astype(np.int64)
    farthest = min(shape[1] ** 2 + shape[2] ** 2, 2 ** 29)  # so that sums fit 32 bits
    return np.minimum(limits, farthest).astype(np.int32)


@compiled
def _keep_near(spine: np.ndarray, dendrite: np.ndarray, threshold: np.float32, limits: np.ndarray,
               first: int, top: int, begin: int, end: int, out: np.ndarray) -> None:
    """Planes ``begin:end``, which are those from `first` on of the dendrite, and its rows from `top` on.

    Distances in a plane are kept for as many planes as the reach spans.
    """
    depth, height, width = dendrite.shape
    reach = len(limits) - 1
    ring = min(2 * reach + 1, depth)
    squared = np.empty((ring, height, width), np.int32)
    across = np.empty((height, width), np.int32)
    near = np.empty(width, np.bool_)
    known = max(0, first + begin - reach)
    for z in range(first + begin, first + end):
        while known < min(depth, z + reach + 1):
            _squared_distance(dendrite[known], threshold, limits[0], across, squared[known % ring])
            known += 1
        for y in range(spine.shape[1]):
            near[:] = False
            for plane in range(max(0, z - reach), min(depth, z + reach + 1)):
                limit = limits[abs(plane - z)]
                row = squared[plane % ring, y + top]
                for x in range(width):
                    near[x] |= row[x] <= limit
            for x in range(width):
                out[z - first, y, x] = spine[z - first, y, x] if near[x] else np.float32(0)


@compiled
def _squared_distance(plane: np.ndarray, threshold: np.float32, limit: int,
                      across: np.ndarray, out: np.ndarray) -> None:
    """Squared distance in px to pixels above the threshold where it is at most ``limit``, else more than that.

    Row by row, then column by column, as in Meijster, Roerdink and Hesselink, A general algorithm for
    computing distance transforms in linear time (2000), with the search limited to the reach.
    """
    height, width = plane.shape
    reach = int(np.sqrt(limit))
    beyond = np.int32(limit + 1)
    filled = np.zeros(height, np.bool_)
    for y in range(height):
        last = -width - reach - 1
        for x in range(width):
            if plane[y, x] > threshold:
                last = x
                filled[y] = True
            away = x - last
            across[y, x] = away * away if away <= reach else beyond
        if not filled[y]:
            continue
        last = 2 * width + reach + 1
        for x in range(width - 1, -1, -1):
            if across[y, x] == 0:
                last = x
            away = last - x
            if away <= reach and away * away < across[y, x]:
                across[y, x] = away * away
    for y in range(height):
        out[y, :] = beyond
        for other in range(max(0, y - reach), min(height, y + reach + 1)):
            if filled[other]:
                rise = np.int32((other - y) * (other - y))
                for x in range(width):
                    out[y, x] = min(out[y, x], across[other, x] + rise)


def clean_spines_by_iterations(
    spine: np.ndarray, dendrite: np.ndarray, *, dendrite_threshold: float = 0.7, iterations: int
) -> np.ndarray:
    """The same with a distance in voxels, as in the original.

    Parameters
    ----------
    spine, dendrite
        float32 probabilities, shape ``(z, y, x)``.
    dendrite_threshold
        Probability that dendrite exceeds.
    iterations
        Dilations of the dendrite with the 6-neighbour cross in 3-D; 0 dilates not at all.

    Returns
    -------
    numpy.ndarray
        float32.
    """
    _check_same_shape(spine, dendrite)
    return _near_by_iterations(spine, dendrite, _WHOLE, dendrite_threshold, iterations)


def _near_by_iterations(spine: np.ndarray, dendrite: np.ndarray, within: tuple[slice, slice], threshold: float,
                        iterations: int) -> np.ndarray:
    near = dendrite > np.float32(threshold)
    if iterations > 0:
        near = ndimage.binary_dilation(near, iterations=iterations)
    return np.where(near[within], spine, np.float32(0))


def _check_same_shape(spine: np.ndarray, dendrite: np.ndarray) -> None:
    if spine.shape != dendrite.shape:
        raise StackError(f"The maps differ in shape: spine {spine.shape}, dendrite {dendrite.shape} (z, y, x); "
                         "take both from one prediction.")
