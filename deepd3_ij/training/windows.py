"""Positions at which a sample can be cut from an annotated stack.

All positions that are accepted are found once, in advance, so drawing one never fails and
takes the same short time however rare the accepted ones are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Windows:
    """Accepted window positions of one stack, as runs of consecutive x.

    Attributes
    ----------
    origin_zyx
        int32, shape ``(runs, 3)``; first voxel of the first window of each run.
    end
        int64, shape ``(runs,)``; number of windows in all runs up to and including this one.
    """

    origin_zyx: npt.NDArray[np.int32]
    end: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.end[-1]) if self.end.size else 0

    def __getitem__(self, rank: int) -> tuple[int, int, int]:
        """Give the origin (plane, row, column) of the window with this 0-based rank."""
        if not 0 <= rank < len(self):
            raise IndexError(f"window {rank} of {len(self)}")
        run = int(np.searchsorted(self.end, rank, side="right"))
        first = int(self.end[run - 1]) if run else 0
        z, y, x = self.origin_zyx[run].tolist()
        return z, y, x + rank - first


def all_windows(shape: tuple[int, int, int], size: tuple[int, int, int]) -> Windows:
    """List every position of a window inside a stack, the last one of each axis included.

    Parameters
    ----------
    shape, size
        Shape of the stack and of the window, ``(z, y, x)``.

    Returns
    -------
    Windows
        Empty if the window does not fit.
    """
    positions = [full - part + 1 for full, part in zip(shape, size, strict=True)]
    if min(positions) < 1:
        return Windows(np.empty((0, 3), np.int32), np.empty(0, np.int64))
    planes, rows = np.meshgrid(np.arange(positions[0]), np.arange(positions[1]), indexing="ij")
    origin = np.stack([planes.ravel(), rows.ravel(), np.zeros(planes.size, int)], axis=1).astype(np.int32)
    return Windows(origin, np.arange(1, len(origin) + 1, dtype=np.int64) * positions[2])


def windows_with_content(
    masks: tuple[npt.NDArray[np.bool_], ...], size: tuple[int, int, int], min_content_voxels: int
) -> Windows:
    """List the positions at which any of the masks has more than so many voxels inside the window.

    Parameters
    ----------
    masks
        Boolean arrays of one shape ``(z, y, x)``.
    size
        Shape of the window, ``(z, y, x)``.
    min_content_voxels
        Windows with more foreground voxels than this, in at least one mask, are accepted.

    Returns
    -------
    Windows
        Empty if no window is accepted.

    Notes
    -----
    Contents come from summed-area tables (F. Crow, SIGGRAPH 1984), one plane at a time.
    """
    depth, height, width = size
    shape = masks[0].shape
    if any(part > full for part, full in zip(size, shape, strict=True)):
        return Windows(np.empty((0, 3), np.int32), np.empty(0, np.int64))
    origins, lengths = [], []
    sums = [np.zeros((shape[1] - height + 1, shape[2] - width + 1), np.int64) for _ in masks]
    for last in range(shape[0]):
        for total, mask in zip(sums, masks, strict=True):
            total += _window_sums(mask[last], height, width)
            if last >= depth:
                total -= _window_sums(mask[last - depth], height, width)
        if last < depth - 1:
            continue
        accepted = np.logical_or.reduce([total > min_content_voxels for total in sums])
        edges = np.diff(np.pad(accepted, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        rows, starts = np.nonzero(edges == 1)
        ends = np.nonzero(edges == -1)[1]
        origins.append(np.stack([np.full(rows.size, last - depth + 1), rows, starts], axis=1).astype(np.int32))
        lengths.append(ends - starts)
    return Windows(np.concatenate(origins), np.cumsum(np.concatenate(lengths), dtype=np.int64))


def _window_sums(plane: npt.NDArray[np.bool_], height: int, width: int) -> npt.NDArray[np.int64]:
    table = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(plane, axis=0, dtype=np.int64), axis=1, out=table[1:, 1:])
    return table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
