"""The guide's ROIs: a dictionary from planes (0-based) to lists of outlines.

An entry of a list has ``ROI_id`` (the value in the ROI map), ``contour`` (float64 ``(n, 2)``, columns y and x, pixel
(0, 0) has its centre at (0, 0)), ``centroid`` (z, y, x of a 3-D ROI, x, y of a 2-D one) and ``holes``, outlines too.
Outlines run along pixel edges. A ROI of several parts in a plane has one entry for each; the original lists the
first part alone, with an outline half a pixel within the edges, and knows no holes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from deepd3_ij.compat.pitch import DEFAULT_DIMENSIONS, pitch_of
from deepd3_ij.rois.contours import Contours, rasterise
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack

RoiDictionary = dict[int, list[dict[str, Any]]]

_CORNER = 0.5  # corner coordinates of a pixel's centre


def roi_dictionary(rois: RoiSet, after_plane: Callable[[int, int], None] = lambda done, total: None) -> RoiDictionary:
    """List the outlines of ROIs plane by plane.

    Parameters
    ----------
    rois
        ROIs.
    after_plane
        Called after every plane with the number of planes done and of all planes.

    Returns
    -------
    dict
        An entry for every plane, also for those without ROIs.
    """
    contours = rois.contours
    centroids = dict(zip(rois.ids.tolist(), rois.statistics.centroids_zyx, strict=True))
    planes = rois.labels.sizes["z"]
    bounds = np.searchsorted(contours.plane, np.arange(planes + 1))
    result: RoiDictionary = {}
    for plane in range(planes):
        entries = result[plane] = []
        for index in range(bounds[plane], bounds[plane + 1]):
            roi_id, outline = int(contours.roi_id[index]), contours.points(index) - _CORNER
            if contours.is_hole[index]:
                # A hole begins after the first pixel of the part around it; which part that is does not matter.
                next(entry for entry in entries if entry["ROI_id"] == roi_id)["holes"].append(outline)
                continue
            centre = centroids[roi_id]
            entries.append({"ROI_id": roi_id, "contour": outline, "holes": [],
                            "centroid": centre[:0:-1].tolist() if rois.dimensions == 2 else centre.tolist()})
        after_plane(plane + 1, planes)
    return result


def roi_set_of(rois: Mapping[int, Sequence[Mapping[str, Any]]]) -> RoiSet:
    """Fill the outlines of such a dictionary; also of one that the original made.

    Returns
    -------
    RoiSet
        On a volume just large enough, with the guide's default voxel size, which the dictionary does not tell.
    """
    rows = [(int(plane), int(roi["ROI_id"]), is_hole, np.asarray(outline, dtype=np.float64) + _CORNER)
            for plane, entries in rois.items() for roi in entries
            for is_hole, outline in [(False, roi["contour"]), *((True, hole) for hole in roi.get("holes", ()))]]
    count = np.array([len(row[3]) for row in rows], dtype=np.int64)
    points = np.concatenate([row[3] for row in rows]) if rows else np.empty((0, 2))
    contours = Contours(
        plane=np.array([row[0] for row in rows], dtype=np.int32), roi_id=np.array([row[1] for row in rows], np.int32),
        is_hole=np.array([row[2] for row in rows], dtype=np.bool_), start=np.cumsum(count) - count, count=count,
        points_yx=points)
    height, width = (max(1, int(np.ceil(end))) for end in points.max(axis=0, initial=1))
    labels = rasterise(contours, (max(rois, default=0) + 1, height, width))
    flat = any(len(roi["centroid"]) == 2 for entries in rois.values() for roi in entries)
    xy_um, z_um = pitch_of(DEFAULT_DIMENSIONS)
    return RoiSet(label_stack(labels, xy_um=xy_um, z_um=z_um, source="ROIs"), dimensions=2 if flat else 3)
