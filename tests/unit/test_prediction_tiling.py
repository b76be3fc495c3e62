"""Where tiles lie: every pixel is decided, with enough context, on the pooling grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij.segmentation import tiling as tilings

sides = st.integers(1, 700)


def counts(tiling):
    decided = np.zeros(tiling.padded_px, int)
    for y, x in tiling.tiles:
        decided[y.low:y.high, x.low:x.high] += 1
    return tiling.crop(decided)


def assert_tiles_inside(tiling):
    for tile in tiling.tiles:
        for span, size, padded in zip(tile, tiling.tile_px, tiling.padded_px, strict=True):
            assert 0 <= span.start <= span.low < span.high <= span.start + size <= padded


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.sampled_from([2, 16, 64]), st.integers(1, 5), st.integers(1_000, 300_000))
def test_seamless_tiles_decide_each_pixel_once_with_a_full_margin(height, width, stride, margins, budget):
    margin = margins * stride
    tiling = tilings.seamless((height, width), stride, margin, budget)
    assert (counts(tiling) == 1).all()
    assert tiling.decides_once
    assert_tiles_inside(tiling)
    plane = np.arange(height * width).reshape(height, width)
    padded = tiling.pad(plane[np.newaxis])[0]
    for tile in (tiling.tiles[0], tiling.tiles[-1]):
        np.testing.assert_array_equal(tiling.mirrored(plane, tile), tiling.cut(padded, tile))
    for tile in tiling.tiles:
        for span, size, padded in zip(tile, tiling.tile_px, tiling.padded_px, strict=True):
            assert span.start % stride == size % stride == padded % stride == 0
            assert span.low - span.start >= margin or span.start == 0
            assert span.start + size - span.high >= margin or span.start + size == padded


@settings(deadline=None, max_examples=60)
@given(sides, sides)
def test_seamless_tiles_keep_to_the_budget_when_it_holds_a_useful_tile(height, width):
    tiling = tilings.seamless((height, width), 16, 80, 320 * 320)
    assert tiling.tile_px[0] * tiling.tile_px[1] <= 320 * 320


@pytest.mark.parametrize(("side", "tiles"), [(512, 1), (1024, 1), (2048, 4)])
def test_seamless_tiles_cost_at_most_a_quarter_more_than_the_whole_plane(side, tiles):
    tiling = tilings.seamless((side, side), 16, 80, 1_250_000)
    computed = len(tiling.tiles) * tiling.tile_px[0] * tiling.tile_px[1]
    assert len(tiling.tiles) == tiles
    assert computed <= 1.25 * side * side


@settings(deadline=None, max_examples=60)
@given(sides, sides)
def test_a_whole_plane_is_mirrored_at_the_bottom_and_right_to_a_multiple_of_32(height, width):
    tiling = tilings.whole_plane((height, width), 16)
    plane = np.arange(height * width, dtype=np.float32).reshape(1, height, width)
    padded = tiling.pad(plane)
    assert all(side % 32 == 0 and side - before < 32
               for side, before in zip(padded.shape[1:], (height, width), strict=True))
    np.testing.assert_array_equal(tiling.crop(padded), plane)
    if padded.shape[1] > height > 1:
        np.testing.assert_array_equal(padded[0, height, :width], plane[0, height - 2])


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.sampled_from([(128, 96), (128, 128), (64, 32), (32, 2), (16, 16)]))
def test_inset_tiles_decide_each_pixel_once(height, width, sizes):
    height, width = height // 3 + 1, width // 3 + 1
    tiling = tilings.inset((height, width), *sizes)
    assert (counts(tiling) == 1).all()
    assert_tiles_inside(tiling)


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.sampled_from([(128, 96), (128, 128), (64, 32), (48, 16)]))
def test_fourfold_tiles_decide_each_pixel_four_times_up_to_the_bottom_and_right(height, width, sizes):
    tiling = tilings.fourfold((height, width), *sizes)
    assert (counts(tiling) == 4).all()
    assert_tiles_inside(tiling)


@settings(deadline=None, max_examples=60)
@given(sides, sides, st.sampled_from([(128, 128), (64, 96), (16, 16)]))
def test_tiles_of_a_fixed_size_decide_each_pixel_once(height, width, size):
    tiling = tilings.fixed_tiles((height, width), size, 16)
    assert tiling.tile_px == size
    assert (counts(tiling) == 1).all()
    assert_tiles_inside(tiling)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from(["inset", "fourfold"]))
def test_cutting_and_joining_gives_the_plane_back(height, width, name):
    tiling = getattr(tilings, name)((height, width), 64, 32)
    plane = np.random.default_rng(0).normal(size=(1, height, width)).astype(np.float32)
    padded = tiling.pad(plane, [0.5])
    sums = np.zeros_like(padded)
    for tile in tiling.tiles:
        tiling.add(sums, tile, tiling.cut(padded, tile))
    np.testing.assert_allclose(tiling.finish(sums), plane, atol=1e-6)
    outside = padded.copy()
    tiling.crop(outside)[...] = 0.5
    assert (outside == 0.5).all()
