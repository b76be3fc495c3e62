"""Which part of a plane has to be computed for the maps of a region of it."""

from __future__ import annotations

import math
from typing import TypeAlias

from deepd3_ij.errors import ParameterError

Region: TypeAlias = tuple[int, int, int, int]
"""First column and row, width and height, in pixels of the stack."""

Window: TypeAlias = tuple[slice, slice]
"""Rows and columns."""

_PADDED_TO_PX = 32
_RESAMPLING_PX = 4


def rows_and_columns(region: Region, plane_px: tuple[int, int]) -> Window:
    """The region as rows and columns of a plane of a height and width.

    Raises
    ------
    ParameterError
        The region is empty or reaches beyond the plane.
    """
    x, y, width, height = region
    if min(x, y) < 0 or min(width, height) < 1 or x + width > plane_px[1] or y + height > plane_px[0]:
        raise ParameterError(f"The region is {width} × {height} pixels from x {x}, y {y}; accepted: a box within the "
                             f"{plane_px[1]} × {plane_px[0]} pixels of the stack.")
    return slice(y, y + height), slice(x, x + width)


def computed_window(region: Window, plane_px: tuple[int, int], computed_px: tuple[int, int], margin_px: int,
                    stride_px: int) -> Window:
    """Rows and columns that decide what the network gives within a region, on the grid of its pooling.

    Parameters
    ----------
    region
        Rows and columns of the plane.
    plane_px
        Height and width of the plane.
    computed_px
        Height and width to which planes are resampled for the network.
    margin_px
        How far the network looks, in pixels of these.
    stride_px
        Side of the pooling grid.
    """
    grid = math.lcm(stride_px, _PADDED_TO_PX)
    margin = margin_px + (_RESAMPLING_PX if plane_px != computed_px else 0)

    def span(part: slice, before: int, after: int) -> slice:
        begin = math.floor(part.start * after / before) - margin
        end = math.ceil(part.stop * after / before) + margin
        return slice(max(0, begin // grid * grid), min(after, -(-end // grid) * grid))

    rows, columns = (span(*each) for each in zip(region, plane_px, computed_px, strict=True))
    return rows, columns
