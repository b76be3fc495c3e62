"""Dendrites: pieces of the dendrite map, their centre lines and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.measurement.columns import DENDRITE_COLUMNS, kinds
from deepd3_ij.measurement.skeleton import CentreLine, trace_centre_line
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stack import DIMS, label_like, voxel_size_um


@dataclass(frozen=True, eq=False)
class Dendrites:
    """Dendrites that were found in a prediction.

    Attributes
    ----------
    labels
        int32 volume ``(z, y, x)`` on the prediction's coordinates; 0 is background.
    centre_lines
        Centre line of dendrite 1, 2, …; positions in µm from the centre of the volume's first voxel.
    boxes
        Slices z, y, x of the bounding box of each.
    """

    labels: xr.DataArray
    centre_lines: Sequence[CentreLine]
    boxes: Sequence[tuple[slice, slice, slice]]

    def __len__(self) -> int:
        return len(self.centre_lines)


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
    mask = np.empty(dendrite.shape, dtype=np.bool_)
    for z in range(len(mask)):  # plane by plane, so that lazy maps are not loaded at once
        mask[z] = dendrite[z].values > parameters.measured_dendrite_threshold
    pieces, count = cc3d.connected_components(mask, connectivity=26, return_N=True)
    del mask
    statistics = cc3d.statistics(pieces, no_slice_conversion=False)
    new_label = np.zeros(count + 1, dtype=np.int32)
    lines: list[CentreLine] = []
    boxes: list[tuple[slice, slice, slice]] = []
    progress(0, count, "Measuring dendrites")
    for piece in range(1, count + 1):
        box = statistics["bounding_boxes"][piece]
        line = _measurable_line(pieces, piece, box, voxel_um, parameters.min_dendrite_um)
        if line is not None:
            lines.append(line)
            boxes.append(box)
            new_label[piece] = len(lines)
        progress(piece, count, "Measuring dendrites")
    labels = np.empty(pieces.shape, dtype=np.int32)
    for z in range(len(labels)):
        labels[z] = new_label[pieces[z]]
    return Dendrites(labels=label_like(labels, dendrite), centre_lines=tuple(lines), boxes=tuple(boxes))


def _measurable_line(
    pieces: np.ndarray, piece: int, box: tuple[slice, slice, slice], voxel_um: tuple[float, float, float],
    min_dendrite_um: float,
) -> CentreLine | None:
    """Centre line of a piece; None if it is too short. A bounding box that is too small saves the tracing."""
    extent = np.array([part.stop - part.start for part in box])
    if np.linalg.norm(extent * voxel_um) < min_dendrite_um:
        return None
    start = np.array([part.start for part in box])
    open_faces = np.stack([start == 0, start + extent == pieces.shape], axis=1)
    # A single plane is not "open" above and below: nothing is known to go on there.
    open_faces[np.array(pieces.shape) == 1] = False
    line = trace_centre_line(pieces[box] == piece, voxel_um, min_dendrite_um, open_faces)
    if line.longest_path_um < min_dendrite_um:
        return None
    return line.moved(start * np.asarray(voxel_um))


def dendrite_table(dendrites: Dendrites, dendrite: xr.DataArray, dendrite_of_spine: np.ndarray) -> pd.DataFrame:
    """One row per dendrite.

    Parameters
    ----------
    dendrites
        As found by :func:`find_dendrites`.
    dendrite
        Dendrite probability.
    dendrite_of_spine
        Dendrite id of each spine (0 = none), int64, shape ``(n,)``.

    Returns
    -------
    pandas.DataFrame
        ``id``; ``length_um`` (all branches of the centre line); ``longest_path_um`` (from end to end along the longest
        way); ``branches``; ``spines``; ``density_per_um`` (spines per µm of ``length_um``); ``voxels``;
        ``volume_um3``; ``mean_radius_um`` (mean distance from the centre line to the nearest surface);
        ``mean_probability``; ``z_um, y_um, x_um`` (centroid); ``first_plane … max_x_px`` (bounding box, 0-based, both
        ends included).
    """
    voxel = np.array(voxel_size_um(dendrite))
    origin = np.array([float(dendrite.coords[dim][0]) for dim in DIMS])
    rows = []
    for index, (line, box) in enumerate(zip(dendrites.centre_lines, dendrites.boxes, strict=True)):
        inside = np.nonzero(dendrites.labels.values[box] == index + 1)
        start = np.array([part.start for part in box])
        centroid = origin + (start + np.array([places.mean() for places in inside])) * voxel
        spines = int((dendrite_of_spine == index + 1).sum())
        (z0, z1), (y0, y1), (x0, x1) = ((part.start, part.stop - 1) for part in box)
        rows.append((index + 1, line.total_um, line.longest_path_um, line.branches, spines, spines / line.total_um,
                     len(inside[0]), len(inside[0]) * voxel.prod(), line.radius_um.mean(),
                     dendrite[box].values[inside].mean(dtype=np.float64), *centroid, z0, z1, y0, y1, x0, x1))
    return pd.DataFrame(rows, columns=list(DENDRITE_COLUMNS)).astype(kinds(DENDRITE_COLUMNS))
