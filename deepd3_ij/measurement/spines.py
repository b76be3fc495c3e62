"""Spines: the table of ROIs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.columns import as_table, spine_columns
from deepd3_ij.measurement.dendrites import Dendrites
from deepd3_ij.parallel import in_blocks
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.labels import COPIES
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.slabs import slab_bounds, slabs_of
from deepd3_ij.stack import DIMS, voxel_size_um


@dataclass(frozen=True, eq=False)
class RoiVoxels:
    """Voxels of all ROIs, sorted by ROI, then in raster order.

    Attributes
    ----------
    ids
        Ids of the ROIs, ascending, int64, shape ``(n,)``.
    starts
        First row of each ROI, int64, shape ``(n,)``.
    zyx
        Indices of the voxels, int64, shape ``(m, 3)``.
    shape
        Shape of the volume.
    """

    ids: np.ndarray
    starts: np.ndarray
    zyx: np.ndarray
    shape: tuple[int, ...]

    @property
    def counts(self) -> np.ndarray:
        """Number of voxels of each ROI, int64, shape ``(n,)``."""
        return np.diff(self.starts, append=len(self.zyx))

    @property
    def row(self) -> np.ndarray:
        """Row of its ROI for each voxel, int64, shape ``(m,)``."""
        return np.repeat(np.arange(len(self.ids)), self.counts)

    def by_plane(self) -> Iterator[tuple[int, np.ndarray]]:
        """Each plane with voxels, and the rows of these, sorted by ROI."""
        order = np.argsort(self.zyx[:, 0], kind="stable")
        bounds = np.searchsorted(self.zyx[order, 0], np.arange(self.shape[0] + 1))
        for z in np.flatnonzero(np.diff(bounds)):
            yield int(z), order[bounds[z]:bounds[z + 1]]

    @property
    def centroids(self) -> np.ndarray:
        """Mean voxel indices z, y, x of each ROI, float64, shape ``(n, 3)``."""
        if not len(self.ids):
            return np.empty((0, 3))
        return np.add.reduceat(self.zyx, self.starts, axis=0) / self.counts[:, None]


def roi_voxels(rois: RoiSet) -> RoiVoxels:
    """List the voxels of all ROIs."""
    source = slabs_of(rois.labels)
    blocks = [block for first, last in slab_bounds(source.shape, COPIES)
              for block in _labelled_in(source.read(first, last), first)]
    flat, values = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    order = np.argsort(values, kind="stable")
    ids, starts = np.unique(values[order], return_index=True)
    zyx = np.stack(np.unravel_index(flat[order], source.shape), axis=1)
    return RoiVoxels(ids=ids.astype(np.int64), starts=starts.astype(np.int64), zyx=zyx, shape=source.shape)


def _labelled_in(labels: np.ndarray, first: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places and labels of a slab that begins with plane `first`."""
    everything, before = labels.reshape(-1), first * labels[0].size
    parts = in_blocks(lambda begin, end: _labelled(everything, begin, end), len(everything))
    return [(places + before, values) for places, values in parts]


@compiled
def _labelled(labels, first, last):  # type: ignore[no-untyped-def]  # numba types
    """Places of the labels above 0 in a part of the volume, and these labels."""
    count = 0
    for place in range(first, last):
        count += labels[place] > 0
    places, values = np.empty(count, np.int64), np.empty(count, np.int32)
    found = 0
    for place in range(first, last):
        if labels[place] > 0:
            places[found], values[found] = place, labels[place]
            found += 1
    return places, values


def spine_table(
    voxels: RoiVoxels,
    spine: xr.DataArray,
    dendrites: Dendrites,
    parameters: MeasureParameters,
    stack: xr.DataArray | None = None,
    progress: Progress = no_progress,
) -> pd.DataFrame:
    """One row per ROI.

    Parameters
    ----------
    voxels
        Voxels of the ROIs.
    spine
        Spine probability, float32, dimensions ``(z, y, x)``.
    dendrites
        Dendrites of the same prediction.
    parameters
        ``background_um``.
    stack
        Image, for the intensities.
    progress
        Called after each plane whose intensities were measured.

    Returns
    -------
    pandas.DataFrame
        Columns as described at :func:`deepd3_ij.measurement.measure`.
    """
    voxel = np.array(voxel_size_um(spine))
    centroids = voxels.centroids
    micrometres = np.array([float(spine.coords[dim][0]) for dim in DIMS]) + centroids * voxel
    dendrite_id, distance = nearest_dendrite(voxels, dendrites)
    columns: dict[str, np.ndarray] = {"id": voxels.ids}
    columns |= {f"{dim}_um": micrometres[:, axis] for axis, dim in enumerate(DIMS)}
    columns |= {f"{dim}_px": centroids[:, axis] for axis, dim in enumerate(DIMS)}
    columns |= {"voxels": voxels.counts, "volume_um3": voxels.counts * voxel.prod()}
    columns |= _plane_columns(voxels, voxel)
    columns |= _probability_columns(voxels, spine)
    columns |= {"dendrite_id": dendrite_id, "distance_to_dendrite_um": distance,
                "position_along_dendrite_um": positions_along(centroids * voxel, dendrite_id, dendrites)}
    columns["equivalent_diameter_um"] = np.cbrt(6 / np.pi * columns["volume_um3"])
    if stack is not None:
        columns |= _intensity_columns(voxels, stack, dendrites, parameters.background_um, progress)
    return as_table(columns, spine_columns(parameters, with_image=stack is not None))


def nearest_dendrite(voxels: RoiVoxels, dendrites: Dendrites) -> tuple[np.ndarray, np.ndarray]:
    """Nearest dendrite of each ROI and the distance to its surface.

    The distance is the smallest gap between a voxel of the ROI and a voxel of a dendrite, both taken as boxes of the
    voxel's size: 0 if they overlap or touch by a face, an edge or a corner. Of several dendrites at the same distance,
    the one that meets more of the ROI's voxels counts, then the one with the smaller id.

    Parameters
    ----------
    voxels
        Voxels of the ROIs.
    dendrites
        Dendrites on the same volume.

    Returns
    -------
    tuple of numpy.ndarray
        Dendrite ids (int64, 0 if there is no dendrite) and distances in µm (float64, NaN if there is none), both of
        shape ``(n,)``.
    """
    count = len(voxels.ids)
    if not len(dendrites) or not count:
        return np.zeros(count, dtype=np.int64), np.full(count, np.nan)
    runs = dendrites.runs
    distance, nearest = _nearest_runs(voxels.zyx, voxels.row, runs.row_starts, runs.begins, runs.ends, runs.labels,
                                      *runs.shape[:2], np.array(dendrites.voxel_um))
    table = pd.DataFrame({"roi": voxels.row, "dendrite": nearest, "distance": distance})
    table = table[table["distance"] == table.groupby("roi")["distance"].transform("min")]
    votes = table.groupby(["roi", "dendrite"], as_index=False).agg(distance=("distance", "first"),
                                                                  votes=("distance", "size"))
    best = votes.sort_values(["roi", "votes", "dendrite"], ascending=[True, False, True]).drop_duplicates("roi")
    return best["dendrite"].to_numpy(dtype=np.int64), best["distance"].to_numpy(dtype=np.float64)


@compiled
def _nearest_runs(zyx, roi, starts, begins, ends, labels, depth, height, voxel):  # type: ignore[no-untyped-def]
    """Gap between each voxel and the nearest run, and its label, for the voxels that can be nearest of their ROI.

    Others get an infinite gap.
    """
    gaps = np.full(len(zyx), np.inf)
    nearest = np.zeros(len(zyx), np.int64)
    least = known = np.inf  # of this ROI; of the voxel before it
    before = -1
    for i in range(len(zyx)):
        bound = np.inf
        if before >= 0 and roi[before] == roi[i]:
            step = np.sqrt((((zyx[i] - zyx[before]) * voxel) ** 2).sum())
            if known - step > least * (1 + 1e-9) + 1e-9:
                continue
            bound = (known + step) ** 2 * (1 + 1e-9) + 1e-9
        else:
            least = np.inf
        square, label = _nearest_run(zyx[i], bound, starts, begins, ends, labels, depth, height, voxel)
        gaps[i], nearest[i] = np.sqrt(max(square, 0.0)), label
        known = gaps[i]
        least = min(least, known)
        before = i
    return gaps, nearest


@compiled
def _nearest_run(place, bound, starts, begins, ends, labels, depth, height, voxel):  # type: ignore[no-untyped-def]
    """Squared gap (−1 inside) and label of the run nearest to a voxel, which is not farther than a bound.

    Rows are looked at from the voxel's own outwards, as long as they can be nearer than what was found.
    """
    best, label = bound, 0
    for z in _outwards(place[0], depth):
        part_z = (max(abs(z - place[0]) - 1, 0) * voxel[0]) ** 2
        if part_z > best:
            break
        for y in _outwards(place[1], height):
            part = part_z + (max(abs(y - place[1]) - 1, 0) * voxel[1]) ** 2
            if part > best:
                break
            row = z * height + y
            for run in range(starts[row], starts[row + 1]):
                apart = max(begins[run] - 1 - place[2], place[2] - ends[run], 0) * voxel[2]
                square = part + apart * apart
                if z == place[0] and y == place[1] and begins[run] <= place[2] < ends[run]:
                    square = -1.0  # inside: nothing is nearer
                if square < best or (square == best and (label == 0 or labels[run] < label)):
                    best, label = square, labels[run]
    return best, label


@compiled
def _outwards(middle, size):  # type: ignore[no-untyped-def]  # numba types
    """A place and the others of a range, in the order of their distance from it."""
    yield middle
    for far in range(1, size):
        if middle - far >= 0:
            yield middle - far
        if middle + far < size:
            yield middle + far


def positions_along(points_um: np.ndarray, dendrite_id: np.ndarray, dendrites: Dendrites) -> np.ndarray:
    """Length along each spine's dendrite to the point of the centre line nearest to it.

    Parameters
    ----------
    points_um
        Positions in µm from the centre of the volume's first voxel, float64, shape ``(n, 3)``.
    dendrite_id
        Dendrite of each, int64, shape ``(n,)``; 0 if none.
    dendrites
        The dendrites.

    Returns
    -------
    numpy.ndarray
        µm from one end of the dendrite's longest path, along its branches, float64, shape ``(n,)``; NaN without
        dendrite.
    """
    position = np.full(len(points_um), np.nan)
    for identity in np.unique(dendrite_id[dendrite_id > 0]):
        line = dendrites.centre_lines[identity - 1]
        chosen = dendrite_id == identity
        position[chosen] = line.position_um[line.tree.query(points_um[chosen])[1]]
    return position


def _plane_columns(voxels: RoiVoxels, voxel_um: np.ndarray) -> dict[str, np.ndarray]:
    if not len(voxels.ids):
        names = ("planes", "first_plane", "last_plane", "min_y_px", "max_y_px", "min_x_px", "max_x_px",
                 "largest_area_um2")
        return {name: np.empty(0) for name in names}
    low = np.minimum.reduceat(voxels.zyx, voxels.starts, axis=0)
    high = np.maximum.reduceat(voxels.zyx, voxels.starts, axis=0)
    parts, area = np.unique(voxels.row * voxels.shape[0] + voxels.zyx[:, 0], return_counts=True)
    owner = parts // voxels.shape[0]
    largest = np.zeros(len(voxels.ids), dtype=np.int64)
    np.maximum.at(largest, owner, area)
    return {"planes": np.bincount(owner, minlength=len(voxels.ids)),
            "first_plane": low[:, 0], "last_plane": high[:, 0], "min_y_px": low[:, 1], "max_y_px": high[:, 1],
            "min_x_px": low[:, 2], "max_x_px": high[:, 2],
            "largest_area_um2": largest * voxel_um[1] * voxel_um[2]}


def _probability_columns(voxels: RoiVoxels, spine: xr.DataArray) -> dict[str, np.ndarray]:
    if not len(voxels.ids):
        return {"max_probability": np.empty(0), "mean_probability": np.empty(0)}
    values = np.empty(len(voxels.zyx), dtype=np.float64)
    for z, rows in voxels.by_plane():
        values[rows] = spine.variable[z].values[tuple(voxels.zyx[rows, 1:].T)]
    return {"max_probability": np.maximum.reduceat(values, voxels.starts),
            "mean_probability": np.add.reduceat(values, voxels.starts) / voxels.counts}


def _intensity_columns(
    voxels: RoiVoxels, stack: xr.DataArray, dendrites: Dendrites, background_um: float, progress: Progress
) -> dict[str, np.ndarray]:
    """Intensities; the background is the median of the pixels around the ROI in its planes, without ROIs, dendrites."""
    pixel_um = voxel_size_um(stack)[1]
    count = len(voxels.ids)
    total = np.zeros(count)
    rings: list[list[np.ndarray]] = [[] for _ in range(count)]
    row = voxels.row
    planes = list(voxels.by_plane())
    progress(0, len(planes), "Measuring intensities")
    for done, (z, part) in enumerate(planes, start=1):
        image = stack.variable[z].values
        yx, owner = voxels.zyx[part, 1:], row[part]
        total += np.bincount(owner, weights=image[tuple(yx.T)], minlength=count)
        starts = np.flatnonzero(np.diff(owner, prepend=-1, append=count))
        taken = dendrites.labels_in((slice(z, z + 1), slice(None), slice(None)))[0] > 0
        taken[tuple(yx.T)] = True
        places, sizes = _rings(taken, yx, starts, pixel_um, background_um)
        for roi, pixels in zip(owner[starts[:-1]], np.split(image.reshape(-1)[places], np.cumsum(sizes)[:-1]),
                               strict=True):
            rings[roi].append(pixels)
        progress(done, len(planes), "Measuring intensities")
    background = np.array([np.median(values) if (values := np.concatenate(parts)).size else np.nan
                           for parts in rings], dtype=np.float64)
    return {"mean_intensity": total / voxels.counts, "background_intensity": background,
            "integrated_intensity": total - background * voxels.counts}


@compiled
def _rings(taken, yx, starts, pixel_um, width_um):  # type: ignore[no-untyped-def]  # numba types
    """Pixels around each ROI of a plane that are nobody's: their places in the plane, and how many each has."""
    height, width = taken.shape
    margin = int(np.floor(width_um / pixel_um))
    sizes = np.zeros(len(starts) - 1, np.int64)
    places = np.empty(1024, np.int64)
    found = 0
    for roi in range(len(sizes)):
        mine = yx[starts[roi]:starts[roi + 1]]
        y0, y1 = max(mine[:, 0].min() - margin, 0), min(mine[:, 0].max() + margin + 1, height)
        x0, x1 = max(mine[:, 1].min() - margin, 0), min(mine[:, 1].max() + margin + 1, width)
        # Squared distance to the ROI: along each row first, then of the rows above and below.
        along = np.full((y1 - y0, x1 - x0), margin + 1, np.int64)
        for pixel in range(len(mine)):
            along[mine[pixel, 0] - y0, mine[pixel, 1] - x0] = 0
        for y in range(y1 - y0):
            for x in range(1, x1 - x0):
                along[y, x] = min(along[y, x], along[y, x - 1] + 1)
            for x in range(x1 - x0 - 2, -1, -1):
                along[y, x] = min(along[y, x], along[y, x + 1] + 1)
        for y in range(y1 - y0):
            for x in range(x1 - x0):
                if taken[y0 + y, x0 + x]:
                    continue
                for other in range(max(y - margin, 0), min(y + margin + 1, y1 - y0)):
                    if along[other, x] <= margin and \
                            np.sqrt(along[other, x] ** 2 + (other - y) ** 2) * pixel_um <= width_um:
                        if found == len(places):
                            places = np.append(places, np.empty(found, np.int64))
                        places[found] = (y0 + y) * width + x0 + x
                        found += 1
                        sizes[roi] += 1
                        break
    return places[:found], sizes
