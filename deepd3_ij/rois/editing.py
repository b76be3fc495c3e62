"""Corrections of spine ROIs: merging, splitting, growing a drawn outline, keeping corrections over a new detection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from deepd3_ij.errors import ParameterError
from deepd3_ij.rois.labels import label_maxima, renumber
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.rois.splitting import flood_markers
from deepd3_ij.stack import voxel_size_um

_PROMINENCES = (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02)
_REACH_PX = 3
_SAME_SHARE = 0.5


def merge_rois(rois: RoiSet, ids: Iterable[int]) -> RoiSet:
    """Make one spine of several.

    Parameters
    ----------
    rois
        The ROIs; a set of single planes stays one, if the merged ROIs lie in one plane.
    ids
        At least two ids of the set.

    Returns
    -------
    RoiSet
        The spines under their smallest id, the others unchanged.

    Raises
    ------
    ParameterError
        Fewer than two ids, or one that is not in the set.
    """
    chosen = _known(rois, ids)
    if len(chosen) < 2:
        raise ParameterError(f"Spines to merge: {_listed(chosen)}; accepted: at least two.")
    labels = renumber(rois.labels.values, rois.ids, np.where(np.isin(rois.ids, chosen), chosen[0], rois.ids))
    planes = np.flatnonzero((labels == chosen[0]).any(axis=(1, 2)))
    return _with_labels(rois, labels, dimensions=rois.dimensions if len(planes) == 1 else 3)


def split_roi(rois: RoiSet, roi_id: int, line_yx: Any = None) -> RoiSet:
    """Make two spines of one.

    Without a line the two most prominent maxima of the distance to the spine's surface (in µm) share its voxels by
    watershed; a spine without a waist is halved across its longest axis. With a line, the spine is cut along it in
    all planes.

    Parameters
    ----------
    rois
        The ROIs.
    roi_id
        The spine.
    line_yx
        Two points (y, x) in corner coordinates (pixel ``(y, x)`` is the square from ``(y, x)`` to ``(y + 1, x + 1)``).

    Returns
    -------
    RoiSet
        The larger part keeps the id, the other one takes the id after the largest.

    Raises
    ------
    ParameterError
        The id is not in the set, the spine has a single voxel, or the line does not cross it.
    """
    _known(rois, (roi_id,))
    box = rois.statistics.box(int(np.flatnonzero(rois.ids == roi_id)[0]), margin=1)
    mask = rois.labels.values[box] == roi_id
    if mask.sum() < 2:
        raise ParameterError(f"Spine {roi_id} has a single voxel; delete it instead.")
    if line_yx is not None:
        second = _beyond_line(mask, line_yx, (box[1].start, box[2].start))
        if not second.any() or second.sum() == mask.sum():
            raise ParameterError(f"The line does not cross spine {roi_id}; draw it through the spine.")
    else:
        second = _second_half(mask, voxel_size_um(rois.labels))
    if second.sum() * 2 > mask.sum():
        second = mask & ~second
    labels = rois.labels.values.copy()
    labels[box][second] = rois.ids.max() + 1
    return _with_labels(rois, labels)


def grow_outline(outline: np.ndarray, plane: int, spine: np.ndarray, free: np.ndarray, threshold: float) -> np.ndarray:
    """Follow an outline that was drawn in one plane through the planes above and below.

    From plane to plane, voxels belong to the spine whose probability reaches the threshold, that touch or overlap
    what was found in the plane before, and that lie within three pixels of the drawn outline. Where nothing
    overlaps any more, the spine ends.

    Parameters
    ----------
    outline
        Pixels drawn, bool, shape ``(y, x)``.
    plane
        0-based plane that they were drawn in; there they all count, whatever their probability.
    spine
        Spine probabilities, shape ``(z, y, x)``.
    free
        Voxels that belong to no other spine, bool, shape ``(z, y, x)``.
    threshold
        Smallest probability in the other planes.

    Returns
    -------
    numpy.ndarray
        Voxels of the spine, bool, shape ``(z, y, x)``.

    Raises
    ------
    ParameterError
        The outline has no free pixel, or the plane does not exist.
    """
    if not 0 <= plane < len(spine):
        raise ParameterError(f"The outline lies in plane {plane + 1}; accepted: 1 to {len(spine)}.")
    grown = np.zeros(spine.shape, dtype=bool)
    grown[plane] = outline & free[plane]
    if not grown[plane].any():
        raise ParameterError("The outline has no pixel that is free; draw it beside the other spines, inside of the "
                             "image.")
    near = ndimage.binary_dilation(outline, iterations=_REACH_PX)
    for step in (-1, 1):
        before = grown[plane]
        for z in range(plane + step, len(spine) if step > 0 else -1, step):
            candidates = (spine[z] >= threshold) & free[z] & near & ndimage.binary_dilation(before)
            pieces, _ = ndimage.label(candidates, np.ones((3, 3)))
            overlapping = np.unique(pieces[before])
            before = np.isin(pieces, overlapping[overlapping > 0])
            if not before.any():
                break
            grown[z] = before
    return grown


def keep_corrections(built: RoiSet, before: RoiSet, now: RoiSet) -> tuple[RoiSet, RoiSet]:
    """Merge a new detection with what a person corrected in an earlier one.

    Spines that the person changed or added stay as they are. A detected spine that shares at least half of its
    voxels with one of them, or with one that the person deleted, is left out; of others, only the shared voxels go.

    Parameters
    ----------
    built
        The new detection.
    before
        The earlier detection, before the corrections.
    now
        The corrected ROIs.

    Returns
    -------
    merged, detected : RoiSet
        The corrected spines with their ids and the detected ones with free ids; and all detected ones with the same
        ids, which is `before` when the corrections are to be kept another time.
    """
    old, new = before.labels.values, now.labels.values
    changed = old != new
    touched = np.union1d(new[changed], old[changed]).astype(np.int64)
    corrected = np.intersect1d(touched[touched > 0], now.ids)
    deleted = np.setdiff1d(before.ids, now.ids)
    kept = renumber(new, corrected, corrected)
    taken = (kept > 0) | ((renumber(old, deleted, deleted) > 0) & (new == 0))
    labels = built.labels.values
    sizes = np.bincount(labels.ravel(), minlength=1)
    shared = np.bincount(labels[taken], minlength=len(sizes))
    gone = shared[built.ids] >= _SAME_SHARE * sizes[built.ids]
    free_ids = np.setdiff1d(np.arange(1, len(built) + len(corrected) + 1), corrected)[:len(built)]
    detected = renumber(labels, built.ids, free_ids)
    remaining = renumber(detected, free_ids, np.where(gone, 0, free_ids))
    detected[(kept > 0) & (remaining > 0)] = 0
    merged = np.where(kept > 0, kept, remaining)
    provenance = {**built.provenance, "corrections_kept": {"corrected": len(corrected), "deleted": len(deleted)}}
    return replace(_with_labels(built, merged), provenance=provenance), _with_labels(built, detected)


def _known(rois: RoiSet, ids: Iterable[int]) -> np.ndarray:
    chosen = np.unique(np.array(list(ids), dtype=np.int64))
    unknown = np.setdiff1d(chosen, rois.ids)
    if len(unknown):
        raise ParameterError(f"There is no spine {int(unknown[0])}; accepted: {_listed(rois.ids)}.")
    return chosen


def _listed(ids: np.ndarray) -> str:
    first = ", ".join(str(roi_id) for roi_id in ids[:10])
    return f"{first or 'none'}{' …' if len(ids) > 10 else ''}"


def _with_labels(rois: RoiSet, labels: np.ndarray, dimensions: int | None = None) -> RoiSet:
    return RoiSet(rois.labels.copy(data=labels.astype(np.int32, copy=False)),
                  rois.dimensions if dimensions is None else dimensions, rois.provenance)


def _second_half(mask: np.ndarray, voxel_um: tuple[float, float, float]) -> np.ndarray:
    """One of two parts of a region."""
    from skimage.morphology import h_maxima

    distance = np.zeros(mask.shape) if mask.all() else ndimage.distance_transform_edt(mask, sampling=voxel_um)
    for prominence in _PROMINENCES if distance.any() else ():
        markers, found = ndimage.label(h_maxima(distance, prominence * distance.max()), np.ones((3, 3, 3)))
        if found >= 2:
            ids = np.arange(1, found + 1, dtype=np.int32)
            heights = label_maxima(markers.astype(np.int32), distance.astype(np.float32), ids)
            best = ids[np.argsort(-heights, kind="stable")[:2]]
            pieces = flood_markers(distance, np.where(np.isin(markers, best), markers, 0), mask)
            return np.asarray(mask & (pieces == best[1]))
    points = np.argwhere(mask) * np.array(voxel_um)
    centred = points - points.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    second = np.zeros_like(mask)
    second[mask] = along > np.median(along) if (along > np.median(along)).any() else along >= np.median(along)
    return second


def _beyond_line(mask: np.ndarray, line_yx: Any, corner_yx: tuple[int, int]) -> np.ndarray:
    """Voxels on one side of a line."""
    (y0, x0), (y1, x1) = ((float(y) - corner_yx[0], float(x) - corner_yx[1]) for y, x in line_yx)
    y, x = np.mgrid[:mask.shape[1], :mask.shape[2]] + 0.5
    return np.asarray(mask & ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0))
