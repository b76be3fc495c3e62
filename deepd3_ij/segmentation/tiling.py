"""How a plane is cut into tiles, and how their predictions are put together again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

_ORIGINAL_GRID_PX = 32


class Span(NamedTuple):
    """Along one axis: where a tile starts, and which part ``[low, high)`` of the plane it decides."""

    start: int
    low: int
    high: int


@dataclass(frozen=True)
class Tiling:
    """Tiles of one size on a padded plane.

    All positions count from the padded plane's first pixel.

    Attributes
    ----------
    plane_px, tile_px
        Height and width of the plane and of every tile.
    pad_px
        Pixels before and after the plane, for y and x.
    reflect
        Whether the padding mirrors the plane; otherwise it is a constant.
    tiles
        Pairs of spans (y, x). A pixel that several tiles decide gets their mean.
    """

    plane_px: tuple[int, int]
    tile_px: tuple[int, int]
    pad_px: tuple[tuple[int, int], tuple[int, int]]
    reflect: bool
    tiles: tuple[tuple[Span, Span], ...]
    _weight: FloatArray | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.decides_once:
            object.__setattr__(self, "_weight", None)
            return
        counts = np.zeros(self.padded_px, dtype=np.float32)
        for y, x in self.tiles:
            counts[y.low:y.high, x.low:x.high] += 1
        inner = self.crop(counts)
        weight = None if (inner == 1).all() else (1 / inner).astype(np.float32)
        object.__setattr__(self, "_weight", weight)

    @property
    def padded_px(self) -> tuple[int, int]:
        """Height and width with padding."""
        (top, bottom), (left, right) = self.pad_px
        return self.plane_px[0] + top + bottom, self.plane_px[1] + left + right

    @property
    def decides_once(self) -> bool:
        """Whether the tiles are rows of tiles, from top to bottom, that decide every pixel once."""
        rows = list(dict.fromkeys(y for y, _ in self.tiles))
        columns = list(dict.fromkeys(x for _, x in self.tiles))
        return self.reflect and self.tiles == _product(rows, columns) and all(
            [0, *(span.high for span in spans)] == [*(span.low for span in spans), side]
            for spans, side in zip((rows, columns), self.padded_px, strict=True))

    def crop(self, padded: FloatArray) -> FloatArray:
        """The plane's part of padded maps of shape (…, y, x)."""
        (top, _), (left, _) = self.pad_px
        return padded[..., top:top + self.plane_px[0], left:left + self.plane_px[1]]

    def pad(self, planes: npt.NDArray[np.generic], constants: Sequence[float] | None = None) -> npt.NDArray[np.generic]:
        """Pad planes of shape (n, y, x), mirrored or with one constant for each."""
        widths = ((0, 0), *self.pad_px)
        if self.reflect:
            return np.pad(planes, widths, mode="reflect")
        padded = np.pad(planes, widths)
        (top, bottom), (left, right) = self.pad_px
        height, width = padded.shape[1:]
        for plane, constant in zip(padded, constants or (), strict=True):
            for border in (np.s_[:top], np.s_[height - bottom:], np.s_[:, :left], np.s_[:, width - right:]):
                plane[border] = constant
        return padded

    def cut(self, padded: npt.NDArray[np.generic], tile: tuple[Span, Span]) -> npt.NDArray[np.generic]:
        """A tile of padded planes of shape (…, y, x)."""
        y, x = tile
        return padded[..., y.start:y.start + self.tile_px[0], x.start:x.start + self.tile_px[1]]

    def mirrored(self, plane: npt.NDArray[np.generic], tile: tuple[Span, Span]) -> npt.NDArray[np.generic]:
        """A tile of a plane that is not padded; it equals that of the plane padded with its mirror image."""
        rows, columns = (_mirrored(span.start, size, before, side) for span, size, (before, _), side
                         in zip(tile, self.tile_px, self.pad_px, self.plane_px, strict=True))
        return plane[rows][:, columns]

    def add(self, sums: FloatArray, tile: tuple[Span, Span], predicted: FloatArray) -> None:
        """Add the part of a predicted tile that is kept to padded sums of shape (…, y, x)."""
        y, x = tile
        sums[..., y.low:y.high, x.low:x.high] += predicted[
            ..., y.low - y.start:y.high - y.start, x.low - x.start:x.high - x.start]

    def finish(self, sums: FloatArray) -> FloatArray:
        """Maps of the plane's size: the mean over the tiles that decided each pixel."""
        inner = self.crop(sums)
        return inner if self._weight is None else inner * self._weight


def _mirrored(start: int, size: int, before: int, side: int) -> slice | npt.NDArray[np.int64]:
    """Places in a side of a plane from `start` on, which counts from its padding."""
    if before <= start and start + size <= before + side:
        return slice(start - before, start - before + size)
    period = max(1, 2 * (side - 1))
    places = np.arange(start - before, start - before + size) % period
    return np.minimum(places, period - places) if side > 1 else np.zeros(size, np.int64)


def whole_plane(plane_px: tuple[int, int], stride_px: int) -> Tiling:
    """One tile for the whole plane, mirrored at the bottom and right to a multiple of 32 (as the original)."""
    pads = _reflected_padding(plane_px, stride_px)
    height, width = plane_px[0] + pads[0][1], plane_px[1] + pads[1][1]
    return Tiling(plane_px, (height, width), pads, True, ((Span(0, 0, height), Span(0, 0, width)),))


def seamless(plane_px: tuple[int, int], stride_px: int, halo_px: int, largest_tile_px: int) -> Tiling:
    """Overlapping tiles whose joined prediction equals that of the whole plane.

    Tiles lie on the pooling grid and every pixel is decided by a tile that reaches ``halo_px``
    beyond it, or to the border of the padded plane, which is padded as in :func:`whole_plane`.
    Of all grids whose tiles have at most ``largest_tile_px`` pixels, the one with the fewest
    computed pixels is taken.

    Parameters
    ----------
    plane_px
        Height and width.
    stride_px
        Side of the pooling grid.
    halo_px
        Reach of the network, a multiple of ``stride_px``.
    largest_tile_px
        Largest number of pixels in a tile.
    """
    pads = _reflected_padding(plane_px, stride_px)
    padded = plane_px[0] + pads[0][1], plane_px[1] + pads[1][1]
    columns = list(_cuts(padded[1], stride_px, halo_px))
    best: tuple[int, int, int] | None = None
    for rows, height in _cuts(padded[0], stride_px, halo_px):
        fitting = [(rows * height * count * width, height, width) for count, width in columns
                   if height * width <= largest_tile_px]
        best = min([*fitting, *([best] if best else [])], default=None)
    # A budget below the smallest useful tile cannot be kept.
    _, height, width = best or (0, *(min(side, 4 * halo_px) for side in padded))
    spans = [_spans(side, tile, halo_px) for side, tile in zip(padded, (height, width), strict=True)]
    return Tiling(plane_px, (height, width), pads, True, _product(*spans))


def fixed_tiles(plane_px: tuple[int, int], tile_px: tuple[int, int], stride_px: int) -> Tiling:
    """Overlapping tiles of a size that the network prescribes; their middle three quarters are kept.

    The context of a tile is smaller than the network's reach, so faint seams are possible.
    """
    pads = _reflected_padding(plane_px, stride_px, tile_px)
    padded = plane_px[0] + pads[0][1], plane_px[1] + pads[1][1]
    spans = [_spans(side, tile, max(tile // 8 // stride_px, 0) * stride_px)
             for side, tile in zip(padded, tile_px, strict=True)]
    return Tiling(plane_px, tile_px, pads, True, _product(*spans))


def inset(plane_px: tuple[int, int], tile_px: int, inset_px: int) -> Tiling:
    """Tiles whose centres lie side by side; a constant around the plane (the original's single tiling)."""
    border = (tile_px - inset_px) // 2
    spans = [[Span(start, start + border, start + border + inset_px) for start in range(0, side, inset_px)]
             for side in plane_px]
    (height, width) = plane_px
    pads = ((border, border - height % -inset_px), (border, border - width % -inset_px))
    return Tiling(plane_px, (tile_px, tile_px), pads, False, _product(*spans))


def fourfold(plane_px: tuple[int, int], tile_px: int, inset_px: int) -> Tiling:
    """Four inset tilings shifted by half a tile; every pixel gets the mean of four predictions.

    The original stops its rows and columns of tiles before the bottom and right of the plane;
    here all four passes cover the plane.
    """
    border = (tile_px - inset_px) // 2
    half = tile_px // 2
    spans = {(axis, shift): [
        Span(start, start + border, start + border + inset_px)
        for start in range(shift, side + tile_px - border, inset_px) if start + border + inset_px > tile_px]
        for axis, side in enumerate(plane_px) for shift in (0, half)}
    tiles = [tile for shift_x in (0, half) for shift_y in (0, half)
             for tile in _product(spans[0, shift_y], spans[1, shift_x])]
    ends = [max(span.start for key, row in spans.items() if key[0] == axis for span in row) + tile_px
            for axis in (0, 1)]
    pads = tuple((tile_px, max(0, end - tile_px - side)) for end, side in zip(ends, plane_px, strict=True))
    return Tiling(plane_px, (tile_px, tile_px), (pads[0], pads[1]), False, tuple(tiles))


def _reflected_padding(
    plane_px: tuple[int, int], stride_px: int, least_px: tuple[int, int] = (0, 0)
) -> tuple[tuple[int, int], tuple[int, int]]:
    grid = math.lcm(stride_px, _ORIGINAL_GRID_PX)
    height, width = (max(least, -(-side // grid) * grid) - side
                     for side, least in zip(plane_px, least_px, strict=True))
    return (0, height), (0, width)


def _product(rows: Sequence[Span], columns: Sequence[Span]) -> tuple[tuple[Span, Span], ...]:
    return tuple((y, x) for y in rows for x in columns)


def _cuts(side: int, stride_px: int, halo_px: int) -> Iterator[tuple[int, int]]:
    """Numbers of tiles along an axis, each with the smallest tile that covers it with overlaps of two margins."""
    yield 1, side
    for count in range(2, side // stride_px + 1):
        tile = -(-(side + 2 * halo_px * (count - 1)) // count)
        tile = -(-tile // stride_px) * stride_px
        if tile < 2 * halo_px + stride_px or tile >= side:
            break
        yield count, tile


def _spans(side: int, tile_px: int, halo_px: int) -> list[Span]:
    """Evenly spread tiles on the grid; each boundary lies a margin inside of both tiles."""
    if tile_px >= side:
        return [Span(0, 0, side)]
    step = tile_px - 2 * halo_px
    count = -(-(side - tile_px) // step) + 1
    starts = [min(i * step, side - tile_px) for i in range(count)]
    bounds = [0, *(start + halo_px for start in starts[1:]), side]
    return [Span(start, low, high) for start, low, high in zip(starts, bounds, bounds[1:], strict=False)]
