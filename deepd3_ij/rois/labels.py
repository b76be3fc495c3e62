"""Counting, locating, selecting and numbering the regions of a label volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from deepd3_ij.compiled import compiled
from deepd3_ij.errors import StackError
from deepd3_ij.parallel import in_blocks
from deepd3_ij.slabs import slab_bounds, slabs_of

COPIES = 1.5
"""Slabs of 4-byte values that passes over labels are counted with; 1.0 was measured."""


@dataclass(frozen=True)
class LabelStatistics:
    """Size and place of every region, one row per id, ids ascending.

    Attributes
    ----------
    ids
        int32, shape ``(n,)``.
    voxels
        Number of voxels, int64.
    planes
        Number of planes with at least one voxel, int64.
    centroids_zyx
        Mean voxel coordinates (pixel centres, 0-based), float64, shape ``(n, 3)``.
    low_zyx, high_zyx
        First and last coordinate along each axis, both included, int64, shape ``(n, 3)``.
    """

    ids: np.ndarray
    voxels: np.ndarray
    planes: np.ndarray
    centroids_zyx: np.ndarray
    low_zyx: np.ndarray
    high_zyx: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def box(self, row: int, margin: int = 0) -> tuple[slice, slice, slice]:
        """Bounding box of the region in one row, wider by a margin at the upper and (unchecked) far ends."""
        z, y, x = (slice(max(0, int(low) - margin), int(high) + 1 + margin)
                   for low, high in zip(self.low_zyx[row], self.high_zyx[row], strict=True))
        return z, y, x


def checked_labels(labels: np.ndarray) -> np.ndarray:
    """Labels as contiguous int32 ``(z, y, x)``; raises ``StackError`` for other shapes, kinds or ranges."""
    if labels.ndim != 3 or labels.dtype.kind not in "iub":
        raise StackError(f"The label volume is {labels.dtype} of shape {labels.shape}; "
                         "accepted: whole numbers with three dimensions (z, y, x).")
    if labels.dtype != np.int32 and labels.size and (labels.min() < 0 or labels.max() > np.iinfo(np.int32).max):
        raise StackError(f"Labels reach from {labels.min()} to {labels.max()}; "
                         f"accepted: 0 to {np.iinfo(np.int32).max}.")
    return np.ascontiguousarray(labels, dtype=np.int32)


def label_statistics(labels: np.ndarray | xr.DataArray) -> LabelStatistics:
    """Count and locate all regions in one pass.

    Parameters
    ----------
    labels
        Integer labels, shape ``(z, y, x)``; 0 is background. Lazy ones are read slab by slab.

    Returns
    -------
    LabelStatistics
        One row per id that occurs. Sums are whole numbers, so centroids are exact to float64.
    """
    if labels.ndim != 3:
        checked_labels(np.asarray(labels))
    source = slabs_of(labels)
    parts = [_counted(checked_labels(source.read(first, last)), first)
             for first, last in slab_bounds(source.shape, COPIES)]
    counted = parts[0] if len(parts) == 1 else _merged(parts)
    voxels = counted.counts[:, 0]
    return LabelStatistics(ids=counted.ids, voxels=voxels, planes=counted.counts[:, 1],
                           centroids_zyx=counted.sums / voxels[:, np.newaxis],
                           low_zyx=counted.low, high_zyx=counted.high)


class _Counted(NamedTuple):
    """Ids, ascending; for each (voxels, planes), sums of coordinates, first and last coordinates."""

    ids: np.ndarray
    counts: np.ndarray
    sums: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _counted(labels: np.ndarray, first: int) -> _Counted:
    highest = int(labels.max(initial=0))
    if highest <= max(1_000_000, labels.size // 16):
        return _dense_counted(labels, highest, None, first)
    ids, dense = np.unique(labels, return_inverse=True)  # a few huge ids: number them first
    known = np.concatenate(([0], ids[ids > 0])).astype(np.int32)
    shift = 0 if ids[0] == 0 else 1
    return _dense_counted((dense.reshape(labels.shape) + shift).astype(np.int32), len(known) - 1, known, first)


def _dense_counted(labels: np.ndarray, highest: int, names: np.ndarray | None, first: int) -> _Counted:
    def block(begin: int, end: int) -> tuple[np.ndarray, ...]:
        counts = np.zeros((highest + 1, 2), np.int64)
        sums = np.zeros((highest + 1, 3), np.int64)
        low = np.full((highest + 1, 3), np.iinfo(np.int64).max)
        high = np.full((highest + 1, 3), -1, np.int64)
        _accumulate(labels, begin, end, counts, sums, low, high)
        return counts, sums, low, high

    parts = in_blocks(block, labels.shape[0])
    counts = np.add.reduce([part[0] for part in parts])
    rows = np.flatnonzero(counts[:, 0])
    counts = counts[rows]
    sums = np.add.reduce([part[1] for part in parts])[rows]
    low = np.minimum.reduce([part[2] for part in parts])[rows]
    high = np.maximum.reduce([part[3] for part in parts])[rows]
    sums[:, 0] += first * counts[:, 0]
    low[:, 0] += first
    high[:, 0] += first
    return _Counted(rows.astype(np.int32) if names is None else names[rows], counts, sums, low, high)


def _merged(parts: list[_Counted]) -> _Counted:
    ids, row = np.unique(np.concatenate([part.ids for part in parts]), return_inverse=True)
    counts, sums = np.zeros((len(ids), 2), np.int64), np.zeros((len(ids), 3), np.int64)
    low, high = np.full((len(ids), 3), np.iinfo(np.int64).max), np.full((len(ids), 3), -1, np.int64)
    np.add.at(counts, row, np.concatenate([part.counts for part in parts]))
    np.add.at(sums, row, np.concatenate([part.sums for part in parts]))
    np.minimum.at(low, row, np.concatenate([part.low for part in parts]))
    np.maximum.at(high, row, np.concatenate([part.high for part in parts]))
    return _Counted(ids, counts, sums, low, high)


@compiled
def _accumulate(labels: np.ndarray, begin: int, end: int, counts: np.ndarray, sums: np.ndarray,
                low: np.ndarray, high: np.ndarray) -> None:
    """Add planes ``begin:end``, run by run along x; counts are (voxels, planes)."""
    width = labels.shape[2]
    for z in range(begin, end):
        for y in range(labels.shape[1]):
            x = 0
            while x < width:
                label = labels[z, y, x]
                first = x
                x += 1
                if label <= 0:
                    continue
                while x < width and labels[z, y, x] == label:
                    x += 1
                run = x - first
                counts[label, 0] += run
                if high[label, 0] < z:
                    counts[label, 1] += 1
                    high[label, 0] = z
                sums[label, 0] += z * run
                sums[label, 1] += y * run
                sums[label, 2] += (first + x - 1) * run // 2
                low[label, 0] = min(low[label, 0], z)
                low[label, 1] = min(low[label, 1], y)
                low[label, 2] = min(low[label, 2], first)
                high[label, 1] = max(high[label, 1], y)
                high[label, 2] = max(high[label, 2], x - 1)


def label_maxima(labels: np.ndarray, values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Largest value of a map in every region.

    Parameters
    ----------
    labels
        int32 labels, shape ``(z, y, x)``.
    values
        float32 map of the same shape.
    ids
        Ids asked for, ascending.

    Returns
    -------
    numpy.ndarray
        float32, one per id; −inf for an id that does not occur.
    """
    def block(begin: int, end: int) -> np.ndarray:
        maxima = np.full(len(ids), -np.inf, np.float32)
        _maxima(labels, values, ids, begin, end, maxima)
        return maxima

    return np.maximum.reduce(in_blocks(block, labels.shape[0]))


@compiled
def _maxima(labels: np.ndarray, values: np.ndarray, ids: np.ndarray, begin: int, end: int,
            maxima: np.ndarray) -> None:
    last_label, row = 0, -1
    for z in range(begin, end):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = labels[z, y, x]
                if label <= 0:
                    continue
                if label != last_label:
                    last_label = label
                    row = np.searchsorted(ids, label)
                    if row == len(ids) or ids[row] != label:
                        row = -1
                if row >= 0 and values[z, y, x] > maxima[row]:
                    maxima[row] = values[z, y, x]


def renumber(labels: np.ndarray, ids: np.ndarray, new_ids: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Give regions new ids; regions that are not listed become background.

    Parameters
    ----------
    labels
        int32 labels, shape ``(z, y, x)``.
    ids
        Ids to keep, ascending.
    new_ids
        Their new ids, in the same order (0 removes one).
    out
        Array for the result; ``labels`` itself is allowed.

    Returns
    -------
    numpy.ndarray
        int32 labels.
    """
    result = np.empty_like(labels, dtype=np.int32) if out is None else out
    kept, new = ids.astype(np.int32), new_ids.astype(np.int32)
    in_blocks(lambda begin, end: _renumber(labels, kept, new, begin, end, result), labels.shape[0])
    return result


@compiled
def _renumber(labels: np.ndarray, ids: np.ndarray, new_ids: np.ndarray, begin: int, end: int,
              out: np.ndarray) -> None:
    last_label, last_new = 0, 0
    for z in range(begin, end):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                label = labels[z, y, x]
                if label <= 0:
                    out[z, y, x] = 0
                    continue
                if label != last_label:
                    row = np.searchsorted(ids, label)
                    last_label = label
                    last_new = new_ids[row] if row < len(ids) and ids[row] == label else 0
                out[z, y, x] = last_new


def consecutive(count: int) -> np.ndarray:
    """Ids 1…count (int32)."""
    return np.arange(1, count + 1, dtype=np.int32)
