"""The grey range of a plane: its minimum and maximum, isolated outliers aside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from deepd3_ij.errors import VoxelSizeError
from deepd3_ij.segmentation import normalisation
from deepd3_ij.segmentation.normalisation import without_outliers
from deepd3_ij.segmentation.resampling import resampled_shape


def image(dtype: type = np.uint16, seed: int = 0) -> np.ndarray:
    """Blurred spots of several brightnesses on noise."""
    rng = np.random.default_rng(seed)
    spots = np.zeros((96, 96))
    spots[rng.integers(5, 91, 12), rng.integers(5, 91, 12)] = rng.uniform(500, 4000, 12)
    return (100 + ndimage.gaussian_filter(spots, 1.3) + rng.poisson(20, spots.shape)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("seed", range(5))
def test_an_image_without_outliers_is_not_touched(dtype, seed):
    plane = image(dtype, seed)
    kept, count = without_outliers(plane)
    assert kept is plane
    assert count == 0


@pytest.mark.parametrize("value", [4095, 65535])
@pytest.mark.parametrize("grain", [(1, 1), (2, 2), (3, 3), (1, 3)])
def test_a_hot_pixel_or_saturated_grain_gets_the_value_of_the_brightest_other_pixel(value, grain):
    plane = image()
    spoilt = plane.copy()
    spoilt[40:40 + grain[0], 50:50 + grain[1]] = value
    kept, count = without_outliers(spoilt)
    assert count == grain[0] * grain[1]
    rest = np.ones(plane.shape, bool)
    rest[40:40 + grain[0], 50:50 + grain[1]] = False
    np.testing.assert_array_equal(kept[rest], plane[rest])
    assert kept.max() == plane[rest].max()


def test_hot_pixels_of_different_heights_are_all_found():
    spoilt = image()
    spoilt[[5, 20, 70], [5, 60, 11]] = 65535, 20000, 3000
    assert without_outliers(spoilt)[1] == 3


def test_a_dead_pixel_far_below_the_background_does_not_count():
    plane = image() + np.uint16(30000)
    spoilt = plane.copy()
    spoilt[3, 4] = 0
    kept, count = without_outliers(spoilt)
    assert count == 1
    assert kept.min() == plane.min()


def test_a_hot_and_a_dead_pixel_are_found_together():
    spoilt = image() + np.uint16(30000)
    spoilt[3, 4], spoilt[50, 60] = 0, 65535
    assert without_outliers(spoilt)[1] == 2


def test_a_bright_spine_is_no_outlier():
    plane = image() // 8
    plane[30:36, 40:46] = 60000
    assert without_outliers(plane)[0] is plane


def test_single_photons_on_black_are_no_outliers():
    plane = np.random.default_rng(0).poisson(0.02, (96, 96)).astype(np.uint16)
    plane[4, 4] = 9
    assert without_outliers(plane)[0] is plane


@given(hnp.arrays(np.int16, (20, 20)), st.integers(0, 19), st.integers(0, 19))
@settings(max_examples=50)
def test_values_are_only_ever_brought_nearer_to_the_others(plane, y, x):
    kept, count = without_outliers(plane)
    changed = kept != plane
    assert changed.sum() <= count <= 128
    assert plane.min() <= kept.min()
    assert kept.max() <= plane.max()


@pytest.mark.parametrize("size", [94, 100, 0.001])
def test_a_pixel_size_at_which_no_spine_is_seen_is_refused_before_planes_are_resampled(size):
    with pytest.raises(VoxelSizeError, match=rf"pixel size is {size:g} µm, the model was trained at 0\.12 µm"):
        resampled_shape((192, 192), (size, size), 0.12)


def test_a_pixel_size_in_nanometres_names_the_one_in_micrometres():
    with pytest.raises(VoxelSizeError, match=r"--xy 0\.094"):
        resampled_shape((192, 192), (94, 94), 0.12)


@pytest.mark.parametrize("part_px", [3, 50, 700])
def test_outliers_are_the_same_however_many_pixels_are_looked_at_once(part_px, monkeypatch):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        plane = rng.integers(100, 140, (30, 40)).astype(np.uint16)
        for y, x in rng.integers(0, 28, (4, 2)):
            plane[y:y + 1 + seed % 4, x:x + 2] = 4000
        plane[5, 5] = seed
        expected, count = without_outliers(plane)
        with monkeypatch.context() as patch:
            patch.setattr(normalisation, "_PART_PX", part_px)
            found, found_count = without_outliers(plane)
        np.testing.assert_array_equal(found, expected)
        assert found_count == count
