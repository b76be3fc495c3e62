"""Voxels above a threshold, with their values, as runs along x: what is left of a map when ROIs are built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deepd3_ij.compiled import compiled
from deepd3_ij.parallel import in_blocks
from deepd3_ij.runs import Runs


@dataclass(frozen=True, eq=False)
class Voxels:
    """Runs of voxels in raster order, and the value of each voxel.

    Attributes
    ----------
    plane_px
        Rows and columns of a plane.
    rows
        Number of the row of each run, counted through all planes of the volume, int64, shape ``(n,)``.
    begins, ends
        First x of each run, and the one after its last, int32, shape ``(n,)``.
    values
        Values of the voxels, run after run, float32, shape ``(m,)``.
    """

    plane_px: tuple[int, int]
    rows: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    values: np.ndarray

    @classmethod
    def none(cls, plane_px: tuple[int, int]) -> Voxels:
        """No voxel."""
        return cls(plane_px, np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32),
                   np.empty(0, np.float32))

    @classmethod
    def above(cls, planes: np.ndarray, threshold: np.float32, first_row: int = 0, height: int | None = None) -> Voxels:
        """Voxels of a slab, or of a band of its planes, that exceed a threshold.

        Parameters
        ----------
        planes
            float32, shape ``(z, y, x)``.
        threshold
            Limit.
        first_row
            Row with which it begins, counted through all planes of the volume.
        height
            Rows of a plane of the volume; those of `planes` if omitted.
        """
        of_plane = planes.shape[1] if height is None else height
        parts = in_blocks(lambda begin, end: _above(planes, threshold, begin, end, first_row, of_plane), len(planes))
        rows, begins, ends, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        return cls((of_plane, planes.shape[2]), rows, begins, ends, values)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Number of voxels of each run, int64, shape ``(n,)``."""
        return self.ends.astype(np.int64) - self.begins

    @property
    def offsets(self) -> np.ndarray:
        """Place of the first value of each run, int64, shape ``(n,)``."""
        lengths = self.lengths
        return np.cumsum(lengths) - lengths

    @property
    def planes(self) -> np.ndarray:
        """Plane of each run, int64, shape ``(n,)``."""
        return self.rows // self.plane_px[0]

    @property
    def first_plane(self) -> int:
        """Plane of the first run; 0 if there is none."""
        return int(self.rows[0]) // self.plane_px[0] if len(self) else 0

    def row_starts(self) -> np.ndarray:
        """First run of each row from :attr:`first_plane` on, and the one after the last, int64."""
        if not len(self):
            return np.zeros(1, np.int64)
        local = self.rows - self.first_plane * self.plane_px[0]
        depth = int(local[-1]) // self.plane_px[0] + 1
        return np.concatenate([[0], np.cumsum(np.bincount(local, minlength=depth * self.plane_px[0]))])

    def positions(self, places: np.ndarray) -> np.ndarray:
        """Positions in the flattened volume of some voxels, given as places in `values`; int64."""
        offsets = self.offsets
        run = np.searchsorted(offsets, places, side="right") - 1
        return self.rows[run] * self.plane_px[1] + self.begins[run] + (places - offsets[run])

    def places_of(self, positions: np.ndarray) -> np.ndarray:
        """Places in `values` of positions in the flattened volume, int64; −1 for those that are no voxel of these."""
        if not len(self):
            return np.full(len(positions), -1)
        firsts = self.rows * self.plane_px[1] + self.begins
        run = np.maximum(np.searchsorted(firsts, positions, side="right") - 1, 0)
        within = positions - firsts[run]
        return np.where((within >= 0) & (within < self.lengths[run]), self.offsets[run] + within, -1)

    def joined(self, later: Voxels) -> Voxels:
        """These voxels, and those of later rows."""
        pairs = ((self.rows, later.rows), (self.begins, later.begins), (self.ends, later.ends),
                 (self.values, later.values))
        return Voxels(self.plane_px, *(np.concatenate(pair) for pair in pairs))

    def of_runs(self, chosen: np.ndarray) -> Voxels:
        """Some of the runs, by a boolean mask."""
        if chosen.all():
            return self
        return Voxels(self.plane_px, self.rows[chosen], self.begins[chosen], self.ends[chosen],
                      self.values[np.repeat(chosen, self.lengths)])

    def pieces(self) -> tuple[np.ndarray, int]:
        """Number the pieces that are connected by faces, edges and corners; see :meth:`Runs.connected`."""
        starts = self.row_starts()
        height, width = self.plane_px
        depth = (len(starts) - 1) // height
        return Runs((depth, height, width), starts, self.begins, self.ends, np.ones(len(self), np.int32)).connected()

    def labelled(self, labels: np.ndarray) -> tuple[Voxels, np.ndarray]:
        """Cut runs where the labels of their voxels change; voxels with label 0 are left out.

        Parameters
        ----------
        labels
            Label of each voxel, int32, shape ``(m,)``.

        Returns
        -------
        tuple
            The voxels, and the label of each run, int32.
        """
        rows, begins, ends, of_run = _cut(self.rows, self.begins, self.ends, labels)
        return Voxels(self.plane_px, rows, begins, ends, self.values[labels > 0]), of_run


@compiled
def _above(planes: np.ndarray, threshold: np.float32, begin: int, end: int,
           first_row: int, of_plane: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    _, height, width = planes.shape
    rows = np.empty(1024, np.int64)
    begins, ends = np.empty(1024, np.int32), np.empty(1024, np.int32)
    values = np.empty(4096, np.float32)
    runs, found = 0, 0
    for z in range(begin, end):
        for y in range(height):
            line = planes[z, y]
            in_row = 0
            for x in range(width):
                in_row += line[x] > threshold
            if in_row == 0:
                continue
            if found + in_row > len(values):
                values = _longer(values, found + in_row)
            if runs + in_row > len(rows):
                rows = _longer(rows, runs + in_row)
                begins, ends = _longer(begins, runs + in_row), _longer(ends, runs + in_row)
            x = 0
            while x < width:
                if line[x] > threshold:
                    rows[runs] = first_row + z * of_plane + y
                    begins[runs] = x
                    while x < width and line[x] > threshold:
                        values[found] = line[x]
                        found += 1
                        x += 1
                    ends[runs] = x
                    runs += 1
                else:
                    x += 1
    return rows[:runs].copy(), begins[:runs].copy(), ends[:runs].copy(), values[:found].copy()


@compiled
def _longer(array: np.ndarray, needed: int) -> np.ndarray:
    larger = np.empty(2 * needed, array.dtype)
    larger[:len(array)] = array
    return larger


@compiled
def _cut(rows: np.ndarray, begins: np.ndarray, ends: np.ndarray,
         labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    count, place, last = 0, 0, 0
    for run in range(len(rows)):
        last = 0
        for _ in range(begins[run], ends[run]):
            count += labels[place] > 0 and labels[place] != last
            last = labels[place]
            place += 1
    new_rows, of_run = np.empty(count, np.int64), np.empty(count, np.int32)
    new_begins, new_ends = np.empty(count, np.int32), np.empty(count, np.int32)
    made, place = 0, 0
    for run in range(len(rows)):
        last = 0
        for x in range(begins[run], ends[run]):
            label = labels[place]
            place += 1
            if label > 0:
                if label != last:
                    new_rows[made], new_begins[made], of_run[made] = rows[run], x, label
                    made += 1
                new_ends[made - 1] = x + 1
            last = label
    return new_rows, new_begins, new_ends, of_run
