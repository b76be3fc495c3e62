"""Outlines of labelled regions along pixel edges, and the way back from outlines to labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from deepd3_ij.compiled import compiled
from deepd3_ij.errors import AnnotationError
from deepd3_ij.parallel import in_blocks
from deepd3_ij.rois.labels import COPIES
from deepd3_ij.slabs import slab_bounds, slabs_of


@dataclass(frozen=True)
class Contours:
    """Closed outlines, stored flat.

    Outline ``i`` belongs to ROI ``roi_id[i]`` in plane ``plane[i]`` (0-based); its vertices are
    ``points_yx[start[i]:start[i] + count[i]]``, columns y and x, in corner coordinates: pixel
    ``(y, x)`` is the square from ``(y, x)`` to ``(y + 1, x + 1)``, as in ImageJ. Outlines run along pixel
    edges, corners only, without repeating the first vertex. ``is_hole[i]`` marks the outlines of
    holes. The summed areas of a ROI's outlines less those of its holes equal its pixel count.
    Outlines are sorted by plane, then ROI id, then first pixel in raster order.

    Attributes
    ----------
    plane, roi_id
        int32, shape ``(n,)``.
    is_hole
        bool, shape ``(n,)``.
    start, count
        int64, shape ``(n,)``: first vertex and number of vertices.
    points_yx
        Vertices, shape ``(m, 2)``: int32 as traced, float64 where a user drew them.
    """

    plane: np.ndarray
    roi_id: np.ndarray
    is_hole: np.ndarray
    start: np.ndarray
    count: np.ndarray
    points_yx: np.ndarray

    def __len__(self) -> int:
        return len(self.plane)

    def points(self, index: int) -> np.ndarray:
        """Vertices of one outline, shape ``(count, 2)``, columns y and x."""
        begin = int(self.start[index])
        return self.points_yx[begin:begin + int(self.count[index])]

    def select(self, chosen: np.ndarray) -> Contours:
        """Take some outlines, by index (in the order given) or by a boolean mask; vertices are packed anew."""
        count = self.count[chosen]
        start = np.concatenate(([0], np.cumsum(count)[:-1])) if len(count) else count
        gather = np.repeat(self.start[chosen] - start, count) + np.arange(int(count.sum()))
        return Contours(self.plane[chosen], self.roi_id[chosen], self.is_hole[chosen],
                        start.astype(np.int64), count, self.points_yx[gather])


def trace_contours(labels: np.ndarray | xr.DataArray) -> Contours:
    """Trace every region of a label volume plane by plane.

    Parts of a region that touch only at a corner get outlines of their own (the foreground is
    4-connected), so an outline belongs to one connected part and crosses neither itself nor
    another one. Edges are followed with the region on the right-hand side, as in the crack-following of
    Rosenfeld and Kak, *Digital Picture Processing* (1982), chapter 11.

    Parameters
    ----------
    labels
        Integer labels, shape ``(z, y, x)``; 0 is background. Lazy ones are read slab by slab.

    Returns
    -------
    Contours
        The outlines of all parts and holes.

    Raises
    ------
    AnnotationError
        The labels are not three-dimensional.
    """
    if labels.ndim != 3:
        raise AnnotationError(f"Labels have shape {labels.shape}; accepted: three dimensions (z, y, x).")
    source = slabs_of(labels)
    parts = [part for first, last in slab_bounds(source.shape, COPIES)
             for part in _trace_slab(source.read(first, last), first)]
    meta = np.concatenate([part[0] for part in parts])
    points = np.concatenate([part[1] for part in parts])
    count = meta[:, 3]
    contours = Contours(plane=meta[:, 0].astype(np.int32), roi_id=meta[:, 1].astype(np.int32),
                        is_hole=meta[:, 2] != 0, start=np.cumsum(count) - count, count=count, points_yx=points)
    return contours.select(np.lexsort((np.arange(len(meta)), contours.roi_id, contours.plane)))


def _trace_slab(labels: np.ndarray, first: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Outlines of a slab that begins with plane `first`, in blocks of planes; see :func:`_trace_planes`."""
    slab = np.ascontiguousarray(labels, dtype=np.int32)
    parts = in_blocks(lambda begin, end: _trace_planes(slab, begin, end), len(slab))
    for meta, _ in parts:
        meta[:, 0] += first
    return parts


@compiled
def _trace_planes(labels: np.ndarray, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of planes ``begin:end``: rows (plane, id, is_hole, vertices) and all vertices (y, x)."""
    height, width = labels.shape[1], labels.shape[2]
    # Direction 0 right, 1 down, 2 left, 3 up. After a step the vertex is (y, x); the pixels ahead, to the
    # left and to the right of the direction, lie at these offsets from it.
    step_y, step_x = (0, 1, 0, -1), (1, 0, -1, 0)
    left_y, left_x = (-1, 0, 0, -1), (0, 0, -1, -1)
    right_y, right_x = (0, 0, -1, -1), (0, -1, -1, 0)
    seen = np.zeros((height, width), np.uint8)
    meta = np.empty((256, 4), np.int64)
    points = np.empty((4096, 2), np.int32)
    outlines = 0
    vertices = 0
    for z in range(begin, end):
        plane = labels[z]
        seen[:] = 0
        for first_y in range(height):
            for first_x in range(width):
                label = plane[first_y, first_x]
                if label <= 0 or seen[first_y, first_x]:
                    continue
                if first_y > 0 and plane[first_y - 1, first_x] == label:
                    continue
                first_vertex = vertices
                twice_area = 0
                y, x, direction = first_y, first_x, 0
                while True:
                    if vertices == len(points):
                        larger = np.empty((2 * vertices, 2), np.int32)
                        larger[:vertices] = points
                        points = larger
                    points[vertices, 0] = y
                    points[vertices, 1] = x
                    vertices += 1
                    corner_y, corner_x = y, x
                    while True:
                        if direction == 0:
                            seen[y, x] = 1
                        y += step_y[direction]
                        x += step_x[direction]
                        py, px = y + right_y[direction], x + right_x[direction]
                        if py < 0 or py >= height or px < 0 or px >= width or plane[py, px] != label:
                            direction = (direction + 1) % 4
                            break
                        py, px = y + left_y[direction], x + left_x[direction]
                        if py >= 0 and py < height and px >= 0 and px < width and plane[py, px] == label:
                            direction = (direction + 3) % 4
                            break
                    twice_area += corner_x * y - x * corner_y
                    if y == first_y and x == first_x and direction == 0:
                        break
                if outlines == len(meta):
                    more = np.empty((2 * outlines, 4), np.int64)
                    more[:outlines] = meta
                    meta = more
                meta[outlines, 0] = z
                meta[outlines, 1] = label
                meta[outlines, 2] = 1 if twice_area < 0 else 0
                meta[outlines, 3] = vertices - first_vertex
                outlines += 1
    return meta[:outlines].copy(), points[:vertices].copy()


def rasterise(contours: Contours, shape: tuple[int, int, int]) -> np.ndarray:
    """Fill outlines: the inverse of :func:`trace_contours`, also for outlines with fractional vertices.

    A pixel belongs to an outline when its centre lies inside (even-odd rule for one outline). It
    belongs to a ROI when more of the ROI's outlines than of its holes contain it. Where ROIs overlap, the
    one with the larger id wins. What lies outside of the image is left out.

    Parameters
    ----------
    contours
        Outlines in any order; vertices in corner coordinates, integer or fractional.
    shape
        Shape ``(z, y, x)`` of the result.

    Returns
    -------
    numpy.ndarray
        int32 labels.

    Raises
    ------
    AnnotationError
        An outline lies in a plane that the stack does not have, has a vertex that is no finite
        number, or belongs to a ROI whose id is not positive.
    """
    labels = np.zeros(shape, np.int32)
    if len(contours) == 0:
        return labels
    _check_outlines(contours, shape[0])
    order = np.lexsort((contours.roi_id, contours.plane))
    plane = contours.plane[order].astype(np.int64)
    roi_id = contours.roi_id[order].astype(np.int32)
    is_hole = contours.is_hole[order].astype(np.bool_)
    start = contours.start[order].astype(np.int64)
    count = contours.count[order].astype(np.int64)
    points = np.ascontiguousarray(contours.points_yx, dtype=np.float64)

    def fill(begin: int, end: int) -> None:
        first, last = np.searchsorted(plane, (begin, end))
        _fill_outlines(labels, plane, roi_id, is_hole, start, count, points, first, last)

    in_blocks(fill, shape[0])
    return labels


def _check_outlines(contours: Contours, planes: int) -> None:
    lowest, highest = int(contours.plane.min()), int(contours.plane.max())
    if lowest < 0 or highest >= planes:
        wrong = lowest if lowest < 0 else highest
        raise AnnotationError(f"A ROI lies in plane {wrong} (0-based); accepted: 0 to {planes - 1}. "
                              "Were the ROIs drawn on another stack?")
    if int(contours.roi_id.min()) < 1:
        raise AnnotationError(f"A ROI has the id {int(contours.roi_id.min())}; accepted: 1 or more.")
    if not np.isfinite(contours.points_yx).all():
        raise AnnotationError("A ROI has a vertex that is not a finite number; delete or redraw it.")


@compiled
def _fill_outlines(
    labels: np.ndarray, plane: np.ndarray, roi_id: np.ndarray, is_hole: np.ndarray,
    start: np.ndarray, count: np.ndarray, points: np.ndarray, first: int, last: int,
) -> None:
    """Fill outlines ``first:last``, sorted by plane and ROI, into the labels."""
    height, width = labels.shape[1], labels.shape[2]
    group = first
    while group < last:
        group_end = group + 1
        while group_end < last and plane[group_end] == plane[group] and roi_id[group_end] == roi_id[group]:
            group_end += 1
        low_y, low_x, high_y, high_x = float(height), float(width), 0.0, 0.0
        for outline in range(group, group_end):
            for i in range(start[outline], start[outline] + count[outline]):
                low_y, high_y = min(low_y, points[i, 0]), max(high_y, points[i, 0])
                low_x, high_x = min(low_x, points[i, 1]), max(high_x, points[i, 1])
        top, left = max(0, int(np.floor(low_y))), max(0, int(np.floor(low_x)))
        bottom, right = int(min(float(height), np.ceil(high_y))), int(min(float(width), np.ceil(high_x)))
        if bottom > top and right > left:
            depth = np.zeros((bottom - top, right - left), np.int32)
            for outline in range(group, group_end):
                _add_outline(depth, points[start[outline]:start[outline] + count[outline]], top, left,
                             -1 if is_hole[outline] else 1)
            for y in range(depth.shape[0]):
                for x in range(depth.shape[1]):
                    if depth[y, x] > 0:
                        labels[plane[group], top + y, left + x] = roi_id[group]
        group = group_end


@compiled
def _add_outline(depth: np.ndarray, points: np.ndarray, top: int, left: int, weight: int) -> None:
    """Add ``weight`` to the pixels of the window at (top, left) whose centres the outline contains."""
    rows, columns = depth.shape
    flips = np.zeros((rows, columns), np.uint8)
    n = len(points)
    for i in range(n):
        y0, x0 = points[i, 0], points[i, 1]
        y1, x1 = points[(i + 1) % n, 0], points[(i + 1) % n, 1]
        if y0 > y1:
            y0, x0, y1, x1 = y1, x1, y0, x0
        # Rows whose centre c has y0 <= c < y1, so that an edge's end counts once.
        row_begin = int(max(0.0, min(float(rows), np.ceil(y0 - 0.5) - top)))
        row_end = int(max(0.0, min(float(rows), np.ceil(y1 - 0.5) - top)))
        for row in range(row_begin, row_end):
            crossing = x0 + (x1 - x0) * ((row + top + 0.5 - y0) / (y1 - y0))
            column = int(max(0.0, min(float(columns), np.ceil(crossing - 0.5) - left)))
            if column < columns:
                flips[row, column] ^= 1
    for row in range(rows):
        inside = 0
        for column in range(columns):
            inside ^= flips[row, column]
            if inside:
                depth[row, column] += weight
