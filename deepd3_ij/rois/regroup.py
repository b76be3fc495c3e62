"""From single outlines in single planes back to spines.

A user deletes, redraws and adds ROIs in ImageJ. What comes back is a list of regions, each in
one plane, of which some still say which spine they belong to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.errors import ParameterError
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.slabs import new_volume, slab_bounds
from deepd3_ij.stack import DIMS, label_like


@dataclass(frozen=True, eq=False)
class RoiPart:
    """Pixels of one ImageJ ROI.

    Attributes
    ----------
    name
        Its name in ImageJ.
    plane
        0-based plane, None for all planes.
    y, x
        Row and column of the first pixel of `mask`.
    mask
        Pixels (bool, 2-D) that belong to it.
    roi_id
        Spine that it says to belong to, None if it does not say.
    dimensions
        2 if it says to be a ROI of a single plane.
    frame, channel
        0-based time point and channel that it says to belong to, None if it does not say.
    """

    name: str
    plane: int | None
    y: int
    x: int
    mask: np.ndarray
    roi_id: int | None = None
    dimensions: int | None = None
    frame: int | None = None
    channel: int | None = None


def join_parts(
    parts: Sequence[RoiPart],
    like: xr.DataArray | xr.Dataset,
    *,
    dimensions: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> RoiSet:
    """Make a label volume of regions of single planes.

    Regions that say which spine they belong to keep its id. The others are joined across neighbouring
    planes where they share pixels, largest overlap (intersection over union) first, each with
    at most one region of the plane before and one of the plane after; so touching spines stay
    apart. A region thus joined to a known spine takes its id, all others take new ids
    after the largest known one, in the order of the list. Where regions overlap, the later one of
    the list wins.

    Parameters
    ----------
    parts
        Regions; those of planes outside of the stack are left out.
    like
        Stack or prediction that gives shape and coordinates.
    dimensions
        3 to join across planes, 2 to take every region without an id for itself;
        None for 2 if a region says so, else 3.
    provenance
        Stored with the result.

    Returns
    -------
    RoiSet
    """
    if dimensions not in (None, 2, 3):
        raise ParameterError(f"dimensions is {dimensions!r}; accepted: 2 or 3.")
    if dimensions is None:
        dimensions = 2 if any(part.dimensions == 2 for part in parts) else 3
    depth, rows, columns = (like.sizes[dim] for dim in DIMS)
    parts = [part for part in parts if part.mask.any() and (part.plane is None or part.plane < depth)]
    groups = _Groups([part.roi_id for part in parts])
    if dimensions == 3:
        _link_planes(parts, groups)
    labels = new_volume((depth, rows, columns), np.int32)
    numbered = list(zip(parts, groups.ids(), strict=True))
    for first, last in slab_bounds(labels.shape, 1.5):
        slab = np.zeros((last - first, rows, columns), dtype=np.int32)
        for part, roi_id in numbered:
            if part.plane is None or first <= part.plane < last:
                height, width = part.mask.shape
                planes = slice(None) if part.plane is None else part.plane - first
                slab[planes, part.y:part.y + height, part.x:part.x + width][..., part.mask] = roi_id
        labels.write(first, slab)
    return RoiSet(label_like(labels.as_array(), like), dimensions=dimensions, provenance=dict(provenance or {}))


class _Groups:
    """Disjoint sets of parts, each with at most one known id."""

    def __init__(self, known: Sequence[int | None]) -> None:
        self._parent = list(range(len(known)))
        self._known = list(known)

    def find(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, a: int, b: int) -> bool:
        """Join two groups, unless they are known to be different spines."""
        a, b = self.find(a), self.find(b)
        known = {self._known[a], self._known[b]} - {None}
        if len(known) > 1:
            return False
        self._parent[b] = a
        self._known[a] = known.pop() if known else None
        return True

    def ids(self) -> list[int]:
        last = max((roi_id for roi_id in self._known if roi_id is not None), default=0)
        result = []
        for index in range(len(self._parent)):
            root = self.find(index)
            if self._known[root] is None:
                last += 1
                self._known[root] = last
            result.append(int(self._known[root] or 0))
        return result


def _link_planes(parts: Sequence[RoiPart], groups: _Groups) -> None:
    by_plane: dict[int, list[int]] = {}
    for index, part in enumerate(parts):
        if part.plane is not None:
            by_plane.setdefault(part.plane, []).append(index)
    links = []
    for plane, indices in by_plane.items():
        after = by_plane.get(plane + 1, [])
        boxes = np.array([_box(parts[index]) for index in after]).reshape(-1, 4)
        for index in indices:
            top, left, bottom, right = _box(parts[index])
            near = ((boxes[:, 0] < bottom) & (boxes[:, 2] > top) & (boxes[:, 1] < right) & (boxes[:, 3] > left))
            for other in np.flatnonzero(near).tolist():
                same_spine = parts[index].roi_id is not None and parts[index].roi_id == parts[after[other]].roi_id
                overlap = _overlap(parts[index], parts[after[other]])
                if same_spine or overlap > 0:
                    links.append((same_spine, overlap, index, after[other]))
    links.sort(key=lambda link: (-link[0], -link[1], link[2], link[3]))
    has_next: set[int] = set()
    has_previous: set[int] = set()
    for _, _, index, other in links:
        if index not in has_next and other not in has_previous and groups.join(index, other):
            has_next.add(index)
            has_previous.add(other)


def _box(part: RoiPart) -> tuple[int, int, int, int]:
    return part.y, part.x, part.y + part.mask.shape[0], part.x + part.mask.shape[1]


def _overlap(a: RoiPart, b: RoiPart) -> float:
    """Intersection over union of two regions, planes ignored."""
    top, left = max(a.y, b.y), max(a.x, b.x)
    bottom, right = min(_box(a)[2], _box(b)[2]), min(_box(a)[3], _box(b)[3])
    shared = (a.mask[top - a.y:bottom - a.y, left - a.x:right - a.x]
              & b.mask[top - b.y:bottom - b.y, left - b.x:right - b.x])
    common = int(np.count_nonzero(shared))
    return common / (int(np.count_nonzero(a.mask)) + int(np.count_nonzero(b.mask)) - common)
