"""The voxels of one piece as a graph of neighbours, their distances to its surface, and shortest paths through it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from deepd3_ij.compiled import compiled
from deepd3_ij.runs import Runs


@dataclass(frozen=True, eq=False)
class VoxelGraph:
    """Voxels; those that touch by a face, an edge or a corner are neighbours.

    Attributes
    ----------
    runs
        The voxels.
    firsts
        Number of the first voxel of each run, in raster order, and how many there are, int64.
    voxel_um
        Voxel size z, y, x, float64, shape ``(3,)``.
    """

    runs: Runs
    firsts: np.ndarray
    voxel_um: np.ndarray

    @classmethod
    def of(cls, runs: Runs, voxel_um: np.ndarray) -> VoxelGraph:
        """The graph of all voxels of runs."""
        return cls(runs, np.concatenate([[0], np.cumsum(runs.lengths)]), voxel_um)

    def __len__(self) -> int:
        return int(self.firsts[-1])

    @cached_property
    def zyx(self) -> np.ndarray:
        """Indices of the voxels, int32, shape ``(n, 3)``."""
        return _indices(self.runs.row_starts, self.runs.begins, self.runs.ends, self.firsts, self.runs.shape[1])

    def depths_um(self) -> np.ndarray:
        """Distance from each voxel to the nearest one outside, float64, shape ``(n,)``."""
        runs = self.runs
        return _depths(runs.row_starts, runs.begins, runs.ends, self.firsts, runs.shape[0], runs.shape[1], self.zyx,
                       self.voxel_um)

    def shortest_paths(self, start: int, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Shortest paths from a voxel to all others (Dijkstra's algorithm).

        Parameters
        ----------
        start
            Number of the voxel.
        weights
            Cost of each voxel, float64, shape ``(n,)``: a step costs its length times the sum over its two voxels.
            Without it, a step costs its length.

        Returns
        -------
        tuple of numpy.ndarray
            Costs (float64, infinite where there is no path), and the voxel before each on its path (int32, −1 for the
            start and where there is none).
        """
        runs = self.runs
        factor = np.full(len(self), 0.5) if weights is None else weights
        return _shortest_paths(runs.row_starts, runs.begins, runs.ends, self.firsts, runs.shape[0], runs.shape[1],
                               self.zyx, self.voxel_um, factor, start)


@compiled
def _indices(starts, begins, ends, firsts, height):  # type: ignore[no-untyped-def]  # numba types
    zyx = np.empty((firsts[-1], 3), np.int32)
    for row in range(len(starts) - 1):
        for run in range(starts[row], starts[row + 1]):
            for x in range(begins[run], ends[run]):
                voxel = firsts[run] + x - begins[run]
                zyx[voxel, 0], zyx[voxel, 1], zyx[voxel, 2] = row // height, row % height, x
    return zyx


@compiled
def _beyond(squares, starts, begins, ends, firsts, row, x):  # type: ignore[no-untyped-def]  # numba types
    """Squared distance at a place; 0 outside."""
    for run in range(starts[row], starts[row + 1]):
        if begins[run] <= x < ends[run]:
            return squares[firsts[run] + x - begins[run]]
    return 0.0


@compiled
def _depths(starts, begins, ends, firsts, depth, height, zyx, voxel):  # type: ignore[no-untyped-def]  # numba types
    """Distances along x first, then those that also go along y, then along z."""
    squares = np.empty(len(zyx))
    for run in range(len(begins)):
        for x in range(begins[run], ends[run]):
            squares[firsts[run] + x - begins[run]] = (min(x - begins[run] + 1, ends[run] - x) * voxel[2]) ** 2
    for axis, size, stride in ((1, height, 1), (0, depth, height)):
        least = squares.copy()
        for i in range(len(zyx)):
            row = zyx[i, 0] * height + zyx[i, 1]
            for side in (-1, 1):
                count = 1
                while (count * voxel[axis]) ** 2 < least[i]:
                    beyond = 0.0
                    if 0 <= zyx[i, axis] + side * count < size:
                        beyond = _beyond(squares, starts, begins, ends, firsts, row + side * count * stride, zyx[i, 2])
                    least[i] = min(least[i], (count * voxel[axis]) ** 2 + beyond)
                    count += 1
        squares = least
    return np.sqrt(squares)


@compiled
def _lift(heap, keys, place, at, voxel, key):  # type: ignore[no-untyped-def]  # numba types
    """Put a voxel into a heap at a free place, or above it."""
    while at > 0 and keys[(at - 1) // 2] > key:
        heap[at], keys[at] = heap[(at - 1) // 2], keys[(at - 1) // 2]
        place[heap[at]] = at
        at = (at - 1) // 2
    heap[at], keys[at] = voxel, key
    place[voxel] = at


@compiled
def _drop(heap, keys, place, size):  # type: ignore[no-untyped-def]  # numba types
    """Move the last entry of a heap, behind its new size, to the top and down."""
    moved, key = heap[size], keys[size]
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        heap[at], keys[at] = heap[child], keys[child]
        place[heap[at]] = at
        at = child
    heap[at], keys[at] = moved, key
    place[moved] = at


@compiled
def _shortest_paths(  # type: ignore[no-untyped-def]  # numba types
    starts, begins, ends, firsts, depth, height, zyx, voxel_um, weights, start
):
    count = len(zyx)
    cost = np.full(count, np.inf)
    before = np.full(count, np.int32(-1), np.int32)
    heap = np.empty(count, np.int32)
    keys = np.empty(count)  # cost of each entry of the heap
    place = np.full(count, np.int32(-1), np.int32)  # in the heap; −2 once a voxel is done
    cost[start] = 0.0
    _lift(heap, keys, place, 0, start, 0.0)
    size = 1
    while size:
        voxel = heap[0]
        place[voxel] = -2
        size -= 1
        if size:
            _drop(heap, keys, place, size)
        z, y, x = zyx[voxel]
        for other_z in range(max(z - 1, 0), min(z + 2, depth)):
            for other_y in range(max(y - 1, 0), min(y + 2, height)):
                row = other_z * height + other_y
                across = ((other_z - z) * voxel_um[0]) ** 2 + ((other_y - y) * voxel_um[1]) ** 2
                for run in range(starts[row], starts[row + 1]):
                    for other_x in range(max(x - 1, begins[run]), min(x + 2, ends[run])):
                        other = firsts[run] + other_x - begins[run]
                        if place[other] == -2:
                            continue
                        length = np.sqrt(across + ((other_x - x) * voxel_um[2]) ** 2)
                        new = cost[voxel] + length * (weights[voxel] + weights[other])
                        if new < cost[other]:
                            cost[other] = new
                            before[other] = voxel
                            at = place[other]
                            if at < 0:
                                at = size
                                size += 1
                            _lift(heap, keys, place, at, other, new)
    return cost, before
