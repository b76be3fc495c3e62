"""Dendrites: pieces of the dendrite map, their centre lines and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.measurement.columns import DENDRITE_COLUMNS, as_table
from deepd3_ij.measurement.dendrite_shape import branch_orders
from deepd3_ij.measurement.skeleton import CentreLine, trace_centre_line
from deepd3_ij.measurement.spacing import density_interval
from deepd3_ij.parallel import MAX_THREADS, available_threads, in_blocks
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.runs import Box, Runs, runs_above
from deepd3_ij.stack import DIMS, voxel_size_um


@dataclass(frozen=True, eq=False)
class Dendrites:
    """Dendrites that were found in a prediction.

    Attributes
    ----------
    runs
        Their voxels; the label of each run is the dendrite's number from 1 on.
    run_sums
        Sum of the dendrite probabilities of each run, float64.
    centre_lines
        Centre line of dendrite 1, 2, …; positions in µm from the centre of the volume's first voxel.
    voxel_um
        Voxel size z, y, x in µm.
    origin_um
        Position z, y, x of the centre of the volume's first voxel, in µm.
    """

    runs: Runs
    run_sums: np.ndarray
    centre_lines: Sequence[CentreLine]
    voxel_um: tuple[float, float, float]
    origin_um: tuple[float, float, float]

    def __len__(self) -> int:
        return len(self.centre_lines)

    def labels_in(self, box: Box) -> np.ndarray:
        """Number of the dendrite at each voxel of a box (slices z, y, x), int32; 0 where none is."""
        return self.runs.drawn(box)


def find_dendrites(
    dendrite: xr.DataArray, parameters: MeasureParameters, progress: Progress = no_progress
) -> Dendrites:
    """Find connected dendrites and their centre lines.

    Parameters
    ----------
    dendrite
        Dendrite probability, float32, dimensions ``(z, y, x)``.
    parameters
        ``measured_dendrite_threshold`` (voxels above it are dendrite, connected by faces, edges and corners) and
        ``min_dendrite_um`` (pieces with a shorter longest path, and shorter side branches, are left out).
    progress
        Called after each piece.

    Returns
    -------
    Dendrites
        Numbered in the order of their first voxels.
    """
    voxel_um = voxel_size_um(dendrite)
    runs, sums = _runs_of_map(dendrite, parameters.measured_dendrite_threshold)
    pieces, count = runs.connected()
    runs = runs.labelled(pieces)
    lows, highs = _bounds(runs, count)
    long_enough = np.linalg.norm((highs - lows) * voxel_um, axis=1) >= parameters.min_dendrite_um
    traced = np.flatnonzero(long_enough)
    progress(0, count, "Measuring dendrites")
    lines: list[CentreLine] = []
    new_label = np.zeros(count + 1, dtype=np.int32)
    members = _members(runs.labels, traced + 1)

    def line_of(index: int) -> CentreLine | None:
        piece = traced[index]
        return _measurable_line(runs, members[index], lows[piece], highs[piece], voxel_um, parameters.min_dendrite_um)

    with ThreadPoolExecutor(max(1, min(available_threads(), MAX_THREADS))) as pool:
        try:
            for piece, line in zip(traced, pool.map(line_of, range(len(traced))), strict=True):
                if line is not None:
                    lines.append(line)
                    new_label[piece + 1] = len(lines)
                progress(int(piece) + 1, count, "Measuring dendrites")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    progress(count, count, "Measuring dendrites")
    labels = new_label[runs.labels]
    z, y, x = (float(dendrite.coords[dim][0]) for dim in DIMS)
    return Dendrites(runs=runs.labelled(labels), run_sums=sums[labels > 0], centre_lines=tuple(lines),
                     voxel_um=voxel_um, origin_um=(z, y, x))


def _runs_of_map(dendrite: xr.DataArray, threshold: float) -> tuple[Runs, np.ndarray]:
    """Runs above the threshold and the sum of the probabilities of each; plane by plane, as maps may be lazy."""

    def of_planes(first: int, last: int) -> list[tuple[np.ndarray, ...]]:
        return [runs_above(dendrite.variable[z].values, threshold, z) for z in range(first, last)]

    planes = [plane for block in in_blocks(of_planes, dendrite.shape[0]) for plane in block]
    rows, begins, ends, sums = (np.concatenate(parts) for parts in zip(*planes, strict=True))
    return Runs.of_rows((dendrite.shape[0], dendrite.shape[1], dendrite.shape[2]), rows, begins, ends), sums


def _bounds(runs: Runs, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First voxel of the bounding box of each label 1, 2, …, and the one after its last, int64, shape (count, 3)."""
    z, y = runs.planes_and_rows
    low, high = np.full((count + 1, 3), np.iinfo(np.int64).max), np.zeros((count + 1, 3), dtype=np.int64)
    for axis, (first, last) in enumerate(((z, z + 1), (y, y + 1), (runs.begins, runs.ends))):
        np.minimum.at(low[:, axis], runs.labels, first)
        np.maximum.at(high[:, axis], runs.labels, last)
    return low[1:], high[1:]


def _members(labels: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """Positions of the runs of each wanted label, ascending."""
    order = np.argsort(labels, kind="stable")
    first, last = (np.searchsorted(labels[order], wanted, side=side) for side in ("left", "right"))
    return [order[begin:end] for begin, end in zip(first, last, strict=True)]


def _measurable_line(
    runs: Runs, members: np.ndarray, low: np.ndarray, high: np.ndarray, voxel_um: tuple[float, float, float],
    min_dendrite_um: float,
) -> CentreLine | None:
    """Centre line of a piece; None if it is too short."""
    open_faces = np.stack([low == 0, high == runs.shape], axis=1)
    # A single plane is not "open" above and below: nothing is known to go on there.
    open_faces[np.array(runs.shape) == 1] = False
    depth, height, width = (int(length) for length in high - low)
    rows = np.searchsorted(runs.row_starts, members, side="right") - 1
    z, y = np.divmod(rows, runs.shape[1])
    piece = Runs.of_rows((depth, height, width), (z - low[0]) * height + y - low[1],
                         runs.begins[members] - np.int32(low[2]), runs.ends[members] - np.int32(low[2]))
    line = trace_centre_line(piece, voxel_um, min_dendrite_um, open_faces)
    if line.longest_path_um < min_dendrite_um:
        return None
    return line.moved(low * np.asarray(voxel_um))


def dendrite_table(
    dendrites: Dendrites, dendrite_of_spine: np.ndarray, shapes: Mapping[str, np.ndarray] | None = None
) -> pd.DataFrame:
    """One row per dendrite.

    Parameters
    ----------
    dendrites
        As found by :func:`find_dendrites`.
    dendrite_of_spine
        Dendrite id of each spine (0 = none), int64, shape ``(n,)``.
    shapes
        Columns ``mean_diameter_um … spacing_p`` if they were measured; else these are NaN.

    Returns
    -------
    pandas.DataFrame
        Columns as described in :data:`deepd3_ij.measurement.columns.DENDRITE_COLUMNS`; positions in µm on the
        prediction's coordinates, bounding boxes with both ends included.
    """
    count = len(dendrites)
    runs, voxel = dendrites.runs, np.array(dendrites.voxel_um)

    def of_each(values: np.ndarray) -> np.ndarray:
        return np.bincount(runs.labels, weights=values, minlength=count + 1)[1:]

    lengths = runs.lengths
    voxels = of_each(lengths)
    z, y = runs.planes_and_rows
    # The middle of a run of n voxels from x on is at x + (n − 1) / 2.
    middles = (z, y, runs.begins + (lengths - 1) / 2)
    low, high = _bounds(runs, count)
    spines = np.bincount(dendrite_of_spine, minlength=count + 1)[1:]
    total_um = np.array([line.total_um for line in dendrites.centre_lines])
    columns: dict[str, np.ndarray] = {
        "id": np.arange(1, count + 1), "length_um": total_um,
        "longest_path_um": np.array([line.longest_path_um for line in dendrites.centre_lines]),
        "branches": np.array([line.branches for line in dendrites.centre_lines]),
        "spines": spines, "density_per_um": spines / total_um,
        "voxels": voxels, "volume_um3": voxels * voxel.prod(),
        "mean_radius_um": np.array([line.radius_um.mean() for line in dendrites.centre_lines]),
        "mean_probability": of_each(dendrites.run_sums) / voxels,
        "first_plane": low[:, 0], "last_plane": high[:, 0] - 1, "min_y_px": low[:, 1], "max_y_px": high[:, 1] - 1,
        "min_x_px": low[:, 2], "max_x_px": high[:, 2] - 1,
    }
    columns |= {f"{dim}_um": dendrites.origin_um[axis] + of_each(middles[axis] * lengths) / voxels * voxel[axis]
                for axis, dim in enumerate(DIMS)}
    low_density, high_density = density_interval(spines, total_um)
    columns |= {"density_low_per_um": low_density, "density_high_per_um": high_density,
                "branch_orders": np.array([branch_orders(line).max() for line in dendrites.centre_lines]),
                "order_from": np.full(count, "thicker end", dtype=object)}
    unknown = {name: np.full(count, np.nan) for name in DENDRITE_COLUMNS if name not in columns}
    return as_table(columns | unknown | dict(shapes or {}), DENDRITE_COLUMNS)
