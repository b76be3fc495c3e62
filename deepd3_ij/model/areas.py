"""Which areas of the images between layers are needed for the wanted cells of the maps."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from deepd3_ij.model.kernels import filled

CELL_PX = 8
"""Side of a cell of the maps that is wanted or not."""
LEAST_ROWS = 8
"""Rows of small images that are computed in the same columns, and the least for a thread; large ones have twice as many
at a time."""
_NEARLY_ALL = 0.9
"""Share of an image from which leaving out the rest costs more than it saves."""

Cells = npt.NDArray[np.bool_]


class Area(NamedTuple):
    """Rows ``top:bottom`` and columns ``left:right`` of an image."""

    top: int
    bottom: int
    left: int
    right: int

    def grown(self, top: int, bottom: int, more: int, rows: int, width: int) -> Area:
        """Some of its rows and its columns with so many around them; from an even column on, in whole registers."""
        left = max(0, self.left - more) // 2 * 2
        right = min(width, left + filled(self.right + more - left))
        return Area(max(0, top - more), min(rows, bottom + more), left, right)


def pixels_of(cells: Cells) -> Cells:
    """Whether each pixel is wanted; shape of `cells` (…, y, x)."""
    return cells.repeat(CELL_PX, axis=-2).repeat(CELL_PX, axis=-1)


class Shares:
    """Areas of the images of a tile that are needed, shared out among threads.

    Parameters
    ----------
    size
        Height and width of the tile.
    cells
        Wanted cells, shape (height / CELL_PX, width / CELL_PX); None for all.
    most
        Largest number of parts.
    """

    def __init__(self, size: tuple[int, int], cells: Cells | None, most: int) -> None:
        self._size, self._most = size, most
        self._cells = None if cells is None or cells.mean() > _NEARLY_ALL else cells
        self._known: dict[tuple[int, int], list[list[Area]]] = {}

    def parts(self, scale: int, margin_px: int) -> list[list[Area]]:
        """Areas of an image, in parts of about the same size.

        Parameters
        ----------
        scale
            Pixels of the input that the side of one of the image's pixels spans.
        margin_px
            How far from a wanted cell the image is needed, in pixels of the input.

        Returns
        -------
        list of list of Area
            One or more parts, from top to bottom. Areas begin and end in even rows and columns, where the image does
            not end.
        """
        key = scale, margin_px if self._cells is not None else 0
        if key not in self._known:
            self._known[key] = self._shared_out(scale, margin_px)
        return self._known[key]

    def _shared_out(self, scale: int, margin_px: int) -> list[list[Area]]:
        rows, width = (side // scale for side in self._size)
        height = 2 * LEAST_ROWS if scale == 1 else LEAST_ROWS
        tops = list(range(0, rows, height))
        runs = [[(0, width)]] * len(tops)
        if self._cells is not None:
            needed = _needed(self._cells, height * scale // CELL_PX, margin_px, len(tops))
            if needed.mean() <= _NEARLY_ALL:
                runs = [_runs(line, scale, width) for line in needed]
        sizes = np.cumsum([0, *(sum(right - left for left, right in line) for line in runs)])
        # Parts end where their share of the area is reached.
        ends = [int(np.searchsorted(sizes, sizes[-1] * part / self._most)) for part in range(1, self._most)]
        bounds = sorted({0, *ends, len(tops)})
        return [_joined(tops[first:end], runs[first:end], height, rows) for first, end in itertools.pairwise(bounds)]


def _needed(cells: Cells, height: int, margin_px: int, strips: int) -> Cells:
    """For each strip of so many rows of cells, which columns of them are needed."""
    grown = ndimage.grey_dilation(cells, 2 * -(-margin_px // CELL_PX) + 1, mode="constant")
    filled_up = np.pad(grown, ((0, strips * height - len(grown)), (0, 0)))
    return np.asarray(filled_up.reshape(strips, height, -1).any(axis=1))


def _runs(line: Cells, scale: int, width: int) -> list[tuple[int, int]]:
    """First column and end of the runs of needed cells, in pixels of the image; those that nearly touch are one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(np.int8))) * CELL_PX
    runs: list[tuple[int, int]] = []
    for begin, end in edges.reshape(-1, 2).tolist():
        left, right = begin // scale // 2 * 2, min(width, -(-end // scale // 2) * 2)
        if runs and left - runs[-1][1] < filled(1):
            left = runs.pop()[0]
        runs.append((left, right))
    return runs


def _joined(tops: list[int], runs: list[list[tuple[int, int]]], height: int, rows: int) -> list[Area]:
    """Areas of strips; those below each other in the same columns are one."""
    areas: list[Area] = []
    for index, (top, line) in enumerate(zip(tops, runs, strict=True)):
        bottom = min(rows, top + height)
        if index and line == runs[index - 1]:
            areas[len(areas) - len(line):] = [area._replace(bottom=bottom) for area in areas[len(areas) - len(line):]]
        else:
            areas += [Area(top, bottom, left, right) for left, right in line]
    return areas
