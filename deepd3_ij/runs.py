"""Few voxels of a large volume, kept as runs: stretches of voxels along x.

Dendrites fill about a hundredth of a stack. As runs they take little memory, and work on them takes as long as they are
large, not as long as the stack is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from deepd3_ij.compiled import compiled
from deepd3_ij.parallel import in_blocks

Box = tuple[slice, slice, slice]
FoundRuns = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows (int64), counted through all planes of the volume, begins and ends (int32) of runs in raster order."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Labelled voxels of a volume.

    Attributes
    ----------
    shape
        Shape of the volume, z, y, x.
    row_starts
        First run of each row along x, rows in raster order, int64, shape ``(planes * height + 1,)``.
    begins, ends
        First x of each run, and the one after its last, int32, shape ``(n,)``.
    labels
        Label of each run, int32, shape ``(n,)``; runs of one row do not overlap.
    """

    shape: tuple[int, int, int]
    row_starts: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    labels: np.ndarray

    @classmethod
    def of_mask(cls, mask: np.ndarray) -> Runs:
        """The voxels of a mask ``(z, y, x)``, labelled 1."""
        rows, begins, ends = (np.concatenate(parts) for parts in
                              zip(*(_runs_of_plane(plane, 0, z * len(plane)) for z, plane in enumerate(mask)),
                                  strict=True))
        return cls.of_rows((mask.shape[0], mask.shape[1], mask.shape[2]), rows, begins, ends)

    @classmethod
    def of_rows(cls, shape: tuple[int, int, int], rows: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> Runs:
        """Runs in raster order, given the number of each one's row; labelled 1."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0] * shape[1]))])
        return cls(shape, starts, begins, ends, np.ones(len(begins), dtype=np.int32))

    @property
    def lengths(self) -> np.ndarray:
        """Number of voxels of each run, int64, shape ``(n,)``."""
        return self.ends.astype(np.int64) - self.begins

    @property
    def rows(self) -> np.ndarray:
        """Number of the row of each run, int64, shape ``(n,)``."""
        return np.repeat(np.arange(len(self.row_starts) - 1), np.diff(self.row_starts))

    @property
    def planes_and_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Index z and y of each run, int64, shape ``(n,)`` each."""
        return np.divmod(self.rows, self.shape[1])

    def labelled(self, labels: np.ndarray) -> Runs:
        """Other labels, int32, shape ``(n,)``; runs with 0 are left out."""
        kept = labels > 0
        before = np.concatenate([[0], np.cumsum(kept)])
        return replace(self, row_starts=before[self.row_starts], begins=self.begins[kept], ends=self.ends[kept],
                       labels=labels[kept])

    def connected(self) -> tuple[np.ndarray, int]:
        """Number the pieces that are connected by faces, edges and corners, in the order of their first voxels.

        Returns
        -------
        tuple
            Number of the piece of each run from 1 on (int32, shape ``(n,)``), and how many there are.
        """
        return _numbered(self.row_starts, self.begins, self.ends, self.shape[0], self.shape[1], True)

    def drawn(self, box: Box) -> np.ndarray:
        """Labels in a box of the volume, int32."""
        (z0, z1), (y0, y1), (x0, x1) = (part.indices(size)[:2] for part, size in zip(box, self.shape, strict=True))
        volume = np.zeros((max(z1 - z0, 0), max(y1 - y0, 0), max(x1 - x0, 0)), dtype=np.int32)
        _draw(self.row_starts, self.begins, self.ends, self.labels, self.shape[1], z0, y0, x0, volume)
        return volume

    def volume(self) -> np.ndarray:
        """All labels, int32, shape ``(z, y, x)``."""
        return self.drawn((slice(None), slice(None), slice(None)))

    def selected(self, planes: np.ndarray) -> np.ndarray:
        """Values of a volume of this shape, 0 wherever no run is."""
        result = np.zeros_like(planes)
        in_blocks(lambda begin, end: _select(self.row_starts, self.begins, self.ends, begin, end, planes, result),
                  len(planes))
        return result

    def filled(self) -> Runs:
        """The same with all that is enclosed on all sides; for runs of one label."""
        rows, begins, ends = _gaps(self.row_starts, self.begins, self.ends, *self.shape)
        depth, height, width = self.shape
        # Numbered in a volume that is larger by one voxel on all sides: run 0 is outside.
        outer = Runs.of_rows((depth + 2, height + 2, width + 2), rows, begins, ends)
        gap, count = _numbered(outer.row_starts, begins, ends, depth + 2, height + 2, False)
        if count < 2:
            return self
        enclosed = gap != gap[0]
        z, y = np.divmod(rows[enclosed], height + 2)
        all_rows = np.concatenate([self.rows, (z - 1) * height + y - 1])
        all_begins = np.concatenate([self.begins, begins[enclosed] - 1])
        all_ends = np.concatenate([self.ends, ends[enclosed] - 1])
        order = np.lexsort([all_begins, all_rows])
        return Runs.of_rows(self.shape, *_joined(all_rows[order], all_begins[order], all_ends[order]))

    def halved(self) -> Runs:
        """On pixels of twice the size, set where any of the four is; for runs of one label."""
        z, y = self.planes_and_rows
        height, width = -(-self.shape[1] // 2), -(-self.shape[2] // 2)
        rows, begins, ends = z * height + y // 2, self.begins // 2, (self.ends + 1) // 2
        order = np.lexsort([begins, rows])
        return Runs.of_rows((self.shape[0], height, width), *_joined(rows[order], begins[order], ends[order]))


def runs_above(plane: np.ndarray, threshold: float, z: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Find the runs of values above a threshold in one plane.

    Parameters
    ----------
    plane
        Values, shape ``(y, x)``.
    threshold
        Limit; it is compared with the precision of the values.
    z
        Index of the plane.

    Returns
    -------
    tuple of numpy.ndarray
        Rows (int64), begins and ends (int32) of the runs, and the sum of the values of each (float64).
    """
    rows, begins, ends = _runs_of_plane(plane, plane.dtype.type(threshold), z * len(plane))
    return rows, begins, ends, _sums(plane, rows - z * len(plane), begins, ends)


def runs_of_slab(planes: np.ndarray, threshold: float, first_row: int, height: int | None = None) -> FoundRuns:
    """Runs above a threshold in a slab, or in a band of planes of a height, that begins with this row."""
    limit = planes.dtype.type(threshold)
    rows_between = planes.shape[1] if height is None else height
    parts = in_blocks(lambda begin, end: [_runs_of_plane(planes[z], limit, first_row + z * rows_between)
                                          for z in range(begin, end)], len(planes))
    rows, begins, ends = (np.concatenate(part) for part in zip(*(run for part in parts for run in part), strict=True))
    return rows, begins, ends


@compiled
def _select(starts, begins, ends, begin, end, planes, out):  # type: ignore[no-untyped-def]
    height = planes.shape[1]
    for z in range(begin, end):
        for y in range(height):
            row = z * height + y
            for run in range(starts[row], starts[row + 1]):
                for x in range(begins[run], ends[run]):
                    out[z, y, x] = planes[z, y, x]


@compiled
def _runs_of_plane(plane, threshold, first_row):  # type: ignore[no-untyped-def]  # numba types
    height, width = plane.shape
    count = 0
    for y in range(height):
        before = False
        for x in range(width):
            above = plane[y, x] > threshold
            if above and not before:
                count += 1
            before = above
    rows = np.empty(count, np.int64)
    begins, ends = np.empty(count, np.int32), np.empty(count, np.int32)
    run = 0
    for y in range(height):
        x = 0
        while x < width and run < count:
            if plane[y, x] > threshold:
                rows[run] = first_row + y
                begins[run] = x
                while x < width and plane[y, x] > threshold:
                    x += 1
                ends[run] = x
                run += 1
            else:
                x += 1
    return rows, begins, ends


@compiled
def _sums(plane, rows, begins, ends):  # type: ignore[no-untyped-def]  # numba types
    sums = np.zeros(len(rows))
    for run in range(len(rows)):
        for x in range(begins[run], ends[run]):
            sums[run] += plane[rows[run], x]
    return sums


@compiled
def _root(parents, run):  # type: ignore[no-untyped-def]  # numba types
    while parents[run] != run:
        parents[run] = parents[parents[run]]
        run = parents[run]
    return run


@compiled
def _numbered(starts, begins, ends, depth, height, corners):  # type: ignore[no-untyped-def]  # numba types
    """Connected pieces of runs: by corners too, or only by faces."""
    parents = np.arange(len(begins))
    reach = 1 if corners else 0
    for z in range(depth):
        for y in range(height):
            row = z * height + y
            if starts[row] == starts[row + 1]:
                continue
            for dz in range(-1, 1):
                for dy in range(-1, 2):
                    if (dz == 0 and dy != -1) or dz + z < 0 or not 0 <= y + dy < height:
                        continue
                    if not corners and dz != 0 and dy != 0:
                        continue
                    other = (z + dz) * height + y + dy
                    mine, theirs = starts[row], starts[other]
                    while mine < starts[row + 1] and theirs < starts[other + 1]:
                        if begins[mine] < ends[theirs] + reach and begins[theirs] < ends[mine] + reach:
                            one, two = _root(parents, mine), _root(parents, theirs)
                            parents[max(one, two)] = min(one, two)
                        if ends[mine] < ends[theirs]:
                            mine += 1
                        else:
                            theirs += 1
    numbers = np.zeros(len(begins), np.int32)
    count = 0
    for run in range(len(begins)):
        root = _root(parents, run)
        if root == run:
            count += 1
            numbers[run] = count
        else:
            numbers[run] = numbers[root]
    return numbers, count


@compiled
def _draw(starts, begins, ends, labels, height, z0, y0, x0, volume):  # type: ignore[no-untyped-def]  # numba types
    for z in range(volume.shape[0]):
        for y in range(volume.shape[1]):
            row = (z + z0) * height + y + y0
            for run in range(starts[row], starts[row + 1]):
                for x in range(max(begins[run] - x0, 0), min(ends[run] - x0, volume.shape[2])):
                    volume[z, y, x] = labels[run]


@compiled
def _gaps(starts, begins, ends, depth, height, width):  # type: ignore[no-untyped-def]  # numba types
    """Runs of what is no run, in a volume that is larger by one voxel on all sides."""
    count = (depth + 2) * (height + 2) + len(begins)
    rows = np.empty(count, np.int64)
    firsts, lasts = np.empty(count, np.int32), np.empty(count, np.int32)
    gap = 0
    for z in range(-1, depth + 1):
        for y in range(-1, height + 1):
            first = 0
            if 0 <= z < depth and 0 <= y < height:
                row = z * height + y
                for run in range(starts[row], starts[row + 1]):
                    rows[gap] = (z + 1) * (height + 2) + y + 1
                    firsts[gap], lasts[gap] = first, begins[run] + 1
                    gap += 1
                    first = ends[run] + 1
            rows[gap] = (z + 1) * (height + 2) + y + 1
            firsts[gap], lasts[gap] = first, width + 2
            gap += 1
    return rows[:gap], firsts[:gap], lasts[:gap]


@compiled
def _joined(rows, begins, ends):  # type: ignore[no-untyped-def]  # numba types
    """Sorted runs, joined where they overlap or touch."""
    new_rows, new_begins, new_ends = np.empty_like(rows), np.empty_like(begins), np.empty_like(ends)
    count = 0
    for run in range(len(rows)):
        if count and new_rows[count - 1] == rows[run] and begins[run] <= new_ends[count - 1]:
            new_ends[count - 1] = max(new_ends[count - 1], ends[run])
        else:
            new_rows[count], new_begins[count], new_ends[count] = rows[run], begins[run], ends[run]
            count += 1
    return new_rows[:count].copy(), new_begins[:count].copy(), new_ends[:count].copy()
