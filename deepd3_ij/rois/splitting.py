"""Splitting of regions by shape (watershed on the distance to the region's surface)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.labels import label_statistics


def split_by_shape(
    labels: np.ndarray, voxel_size_um: tuple[float, float, float], progress: Progress = no_progress
) -> np.ndarray:
    """Split every region at its waists.

    In each region the distance to the region's surface is measured in µm; its regional maxima (plateaus
    count once) are markers, and a watershed on the negated distance shares the region out among them
    (Vincent and Soille, IEEE PAMI 13, 1991). Regions are treated one by one: neighbours that touch
    stay apart. What lies beyond the border of the volume does not count as surface, so regions
    at the border, in the first and last plane and in single-plane stacks are kept. No voxel is lost.

    Parameters
    ----------
    labels
        int32 labels, shape ``(z, y, x)``.
    voxel_size_um
        Size of a voxel in µm along z, y and x.
    progress
        Called after every region.

    Returns
    -------
    numpy.ndarray
        int32 labels, consecutive; pieces of one region follow each other in raster order of their markers,
        in the order of the old ids.
    """
    from skimage.morphology import local_maxima

    regions = label_statistics(labels)
    result = np.zeros_like(labels)
    count = 0
    progress(0, len(regions), "Split ROIs")
    for row, label in enumerate(regions.ids):
        box = regions.box(row, margin=1)
        mask = labels[box] == label
        if mask.all():
            pieces, found = mask.astype(np.int32), 1
        else:
            distance = ndimage.distance_transform_edt(mask, sampling=voxel_size_um)
            markers, found = ndimage.label(local_maxima(distance, connectivity=3) & mask, np.ones((3, 3, 3)))
            pieces = flood_markers(distance, markers, mask)
        result[box][mask] = pieces[mask] + count
        count += found
        progress(row + 1, len(regions), "Split ROIs")
    return result


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
