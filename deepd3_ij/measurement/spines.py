"""Spines: the table of ROIs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.columns import as_table, spine_columns
from deepd3_ij.measurement.dendrites import Dendrites
from deepd3_ij.measurement.surface import shell_voxels
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.roiset import RoiSet
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

    @property
    def centroids(self) -> np.ndarray:
        """Mean voxel indices z, y, x of each ROI, float64, shape ``(n, 3)``."""
        if not len(self.ids):
            return np.empty((0, 3))
        return np.add.reduceat(self.zyx, self.starts, axis=0) / self.counts[:, None]


def roi_voxels(rois: RoiSet) -> RoiVoxels:
    """List the voxels of all ROIs."""
    labels = rois.labels.values
    flat = np.flatnonzero(labels > 0)
    values = labels.ravel()[flat]
    order = np.argsort(values, kind="stable")
    ids, starts = np.unique(values[order], return_index=True)
    zyx = np.stack(np.unravel_index(flat[order], labels.shape), axis=1)
    return RoiVoxels(ids=ids.astype(np.int64), starts=starts.astype(np.int64), zyx=zyx, shape=labels.shape)


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
    voxel = np.array(voxel_size_um(dendrites.labels))
    labels = dendrites.labels.values
    # The gap between two boxes is the distance between a voxel and the other set grown by one voxel on all sides.
    shell, shell_label = shell_voxels(labels)
    nearest = labels[tuple(voxels.zyx.T)].astype(np.int64)
    distance = np.zeros(len(voxels.zyx))
    outside = nearest == 0
    if outside.any():
        distance[outside], place = _nearest_of_groups(voxels.zyx[outside] * voxel, voxels.row[outside], shell * voxel)
        nearest[outside] = shell_label[place]
    table = pd.DataFrame({"roi": voxels.row, "dendrite": nearest, "distance": distance})
    table = table[table["distance"] == table.groupby("roi")["distance"].transform("min")]
    votes = table.groupby(["roi", "dendrite"], as_index=False).agg(distance=("distance", "first"),
                                                                  votes=("distance", "size"))
    best = votes.sort_values(["roi", "votes", "dendrite"], ascending=[True, False, True]).drop_duplicates("roi")
    return best["dendrite"].to_numpy(dtype=np.int64), best["distance"].to_numpy(dtype=np.float64)


def _nearest_of_groups(points: np.ndarray, group: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance and row of the nearest target for the points of each group that can be nearest of their group.

    Points of the same group follow each other. Only targets in a ball around the group's middle are compared, which
    holds the nearest target of the group's nearest point; other points may get a farther one than theirs.
    """
    tree = cKDTree(targets)
    distance = np.empty(len(points))
    place = np.empty(len(points), dtype=np.int64)
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    for part in np.split(np.arange(len(points)), begins[1:]):
        members = points[part]
        middle = members[np.argmin(((members - members.mean(axis=0)) ** 2).sum(axis=1))]
        extent = np.sqrt(((members - middle) ** 2).sum(axis=1).max())
        near = np.array(tree.query_ball_point(middle, tree.query(middle)[0] * (1 + 1e-9) + extent + 1e-9))
        distance[part], chosen = _nearest_pairs(members, targets[near])
        place[part] = near[chosen]
    return distance, place


@compiled
def _nearest_pairs(points: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    distance = np.empty(len(points))
    place = np.empty(len(points), dtype=np.int64)
    for row in range(len(points)):
        best, chosen = np.inf, 0
        for other in range(len(targets)):
            square = ((points[row, 0] - targets[other, 0]) ** 2 + (points[row, 1] - targets[other, 1]) ** 2
                      + (points[row, 2] - targets[other, 2]) ** 2)
            if square < best:
                best, chosen = square, other
        distance[row] = np.sqrt(best)
        place[row] = chosen
    return distance, place


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
        position[chosen] = line.position_um[cKDTree(line.zyx_um).query(points_um[chosen])[1]]
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
    for z in np.unique(voxels.zyx[:, 0]):
        here = voxels.zyx[:, 0] == z
        values[here] = spine[z].values[tuple(voxels.zyx[here, 1:].T)]
    return {"max_probability": np.maximum.reduceat(values, voxels.starts),
            "mean_probability": np.add.reduceat(values, voxels.starts) / voxels.counts}


def _intensity_columns(
    voxels: RoiVoxels, stack: xr.DataArray, dendrites: Dendrites, background_um: float, progress: Progress
) -> dict[str, np.ndarray]:
    """Intensities; the background is the median of the pixels around the ROI in its planes, without ROIs, dendrites."""
    pixel_um = voxel_size_um(stack)[1]
    margin = int(np.floor(background_um / pixel_um))
    count = len(voxels.ids)
    total = np.zeros(count)
    rings: list[list[np.ndarray]] = [[] for _ in range(count)]
    row = voxels.row
    by_plane = np.argsort(voxels.zyx[:, 0], kind="stable")
    planes, firsts = np.unique(voxels.zyx[by_plane, 0], return_index=True)
    ends = np.append(firsts, len(by_plane))[1:]
    progress(0, len(planes), "Measuring intensities")
    for done, (z, first, end) in enumerate(zip(planes, firsts, ends, strict=True), start=1):
        part = by_plane[first:end]
        image = np.asarray(stack[z].values, dtype=np.float64)
        yx, owner = voxels.zyx[part, 1:], row[part]
        total += np.bincount(owner, weights=image[tuple(yx.T)], minlength=count)
        free = dendrites.labels[z].values == 0
        free[tuple(yx.T)] = False
        order = np.argsort(owner, kind="stable")
        owners, starts = np.unique(owner[order], return_index=True)
        for roi, pixels in zip(owners, np.split(yx[order], starts[1:]), strict=True):
            low = np.maximum(pixels.min(axis=0) - margin, 0)
            box = tuple(slice(begin, end) for begin, end in zip(low, pixels.max(axis=0) + margin + 1, strict=True))
            away = np.ones(free[box].shape, dtype=bool)
            away[tuple((pixels - low).T)] = False
            ring = free[box] & (distance_transform_edt(away) * pixel_um <= background_um)
            rings[roi].append(image[box][ring])
        progress(done, len(planes), "Measuring intensities")
    background = np.array([np.median(values) if (values := np.concatenate(parts)).size else np.nan
                           for parts in rings], dtype=np.float64)
    return {"mean_intensity": total / voxels.counts, "background_intensity": background,
            "integrated_intensity": total - background * voxels.counts}
