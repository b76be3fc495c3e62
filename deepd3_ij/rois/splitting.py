"""Splitting of regions: by shape, or where they have several prominent peaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy import ndimage

from deepd3_ij.compiled import compiled
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.prominence import pieces_of_peaks
from deepd3_ij.rois.voxels import Voxels

Split: TypeAlias = tuple[Voxels, np.ndarray, np.ndarray]
"""What is left of regions that were split; see :func:`split_by_shape`."""


def split_by_shape(
    voxels: Voxels, of_run: np.ndarray, depth: int, voxel_size_um: tuple[float, float, float],
    progress: Progress = no_progress,
) -> Split:
    """Split every region at its waists.

    In each region the distance to the region's surface is measured in µm; its regional maxima (plateaus
    count once) are markers, and a watershed on the negated distance shares the region out among them
    (Vincent and Soille, IEEE PAMI 13, 1991). Regions are treated one by one: neighbours that touch
    stay apart. What lies beyond the border of the volume does not count as surface, so regions
    at the border, in the first and last plane and in single-plane stacks are kept. No voxel is lost.

    Parameters
    ----------
    voxels
        Voxels of the regions.
    of_run
        Region of each run, int32, numbered from 1 without gaps.
    depth
        Planes of the volume.
    voxel_size_um
        Size of a voxel in µm along z, y and x.
    progress
        Called after every region.

    Returns
    -------
    tuple
        The voxels in runs that lie within a piece; the piece of each run, int32, numbered from 1: pieces of one region
        follow each other in raster order of their markers, in the order of the regions; the region of each piece,
        int64.
    """
    return _split_each(voxels, of_run, depth, lambda mask, _: _waists(mask, voxel_size_um), progress)


def split_by_prominence(
    voxels: Voxels, of_run: np.ndarray, depth: int, voxel_size_um: tuple[float, float, float], *, prominence: float,
    sigma_um: float, progress: Progress = no_progress,
) -> Split:
    """Split every region among the prominent peaks of its spine probability; see :func:`pieces_of_peaks`.

    Parameters
    ----------
    voxels, of_run, depth, voxel_size_um, progress
        As for :func:`split_by_shape`; the values are probabilities.
    prominence
        Smallest height of both peaks above the saddle between them, in units of the log-odds.
    sigma_um
        Standard deviation of the Gaussian that smooths the log-odds, in µm.

    Returns
    -------
    tuple
        As of :func:`split_by_shape`; pieces of one region follow each other in raster order of their peaks.
    """
    z_um, y_um, x_um = voxel_size_um
    sigma_px = sigma_um / z_um, sigma_um / y_um, sigma_um / x_um
    return _split_each(voxels, of_run, depth,
                       lambda mask, values: pieces_of_peaks(values, mask, sigma_px, prominence), progress)


def _split_each(voxels: Voxels, of_run: np.ndarray, depth: int,
                pieces_in: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, int]], progress: Progress) -> Split:
    """Split regions one by one: a function numbers the pieces in a box, from its mask and its values."""
    order = np.argsort(of_run, kind="stable")
    bounds = np.flatnonzero(np.diff(of_run[order], prepend=0, append=np.iinfo(np.int32).max))
    planes, rows = np.divmod(voxels.rows, voxels.plane_px[0])
    labels = np.zeros(len(voxels.values), np.int32)
    offsets = voxels.offsets
    found = []
    count, regions = 0, len(bounds) - 1
    progress(0, regions, "Split ROIs")
    for region in range(regions):
        own = order[bounds[region]:bounds[region + 1]]
        z, y, begins, ends = planes[own], rows[own], voxels.begins[own], voxels.ends[own]
        low = np.maximum([z.min() - 1, y.min() - 1, begins.min() - 1], 0)
        high = np.minimum([z.max() + 2, y.max() + 2, ends.max() + 1], (depth, *voxels.plane_px))
        places = z - low[0], y - low[1], begins - low[2], ends - low[2]
        mask, values = np.zeros(tuple(high - low), np.bool_), np.zeros(tuple(high - low), np.float32)
        _set(mask, values, *places, offsets[own], voxels.values)
        pieces, pieces_count = pieces_in(mask, values)
        _take(pieces, *places, count, offsets[own], labels)
        found.append(np.full(pieces_count, region + 1))
        count += pieces_count
        progress(region + 1, regions, "Split ROIs")
    split, of_piece = voxels.labelled(labels)
    return split, of_piece, np.concatenate([np.empty(0, np.int64), *found])


def _waists(mask: np.ndarray, voxel_size_um: tuple[float, float, float]) -> tuple[np.ndarray, int]:
    from skimage.morphology import local_maxima

    if mask.all():
        return mask.astype(np.int32), 1
    distance = ndimage.distance_transform_edt(mask, sampling=voxel_size_um)
    markers, found = ndimage.label(local_maxima(distance, connectivity=3) & mask, np.ones((3, 3, 3)))
    return flood_markers(distance, markers, mask), found


@compiled
def _set(mask: np.ndarray, values: np.ndarray, z: np.ndarray, y: np.ndarray, begins: np.ndarray, ends: np.ndarray,
         offsets: np.ndarray, of_voxel: np.ndarray) -> None:
    for run in range(len(z)):
        for x in range(begins[run], ends[run]):
            mask[z[run], y[run], x] = True
            values[z[run], y[run], x] = of_voxel[offsets[run] + x - begins[run]]


@compiled
def _take(pieces: np.ndarray, z: np.ndarray, y: np.ndarray, begins: np.ndarray, ends: np.ndarray, before: int,
          offsets: np.ndarray, labels: np.ndarray) -> None:
    for run in range(len(z)):
        for x in range(begins[run], ends[run]):
            labels[offsets[run] + x - begins[run]] = pieces[z[run], y[run], x] + before


def flood_markers(distance: np.ndarray, markers: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Share a mask out among markers by watershed on the negated distance.

    Water flows over faces; pixels that hang on by an edge or a corner only are reached in a
    second round, so every connected component that holds a marker is filled completely.

    Parameters
    ----------
    distance
        Distance to the surface, any number of dimensions.
    markers
        int32 labels of the markers, 0 elsewhere.
    mask
        Pixels to share out.

    Returns
    -------
    numpy.ndarray
        int32 labels, 0 outside of the mask.
    """
    from skimage.segmentation import watershed

    pieces = watershed(-distance, markers, connectivity=1, mask=mask)
    if (mask & (pieces == 0)).any():
        pieces = watershed(-distance, pieces, connectivity=mask.ndim, mask=mask)
    return pieces.astype(np.int32)
