"""The guide's label functions where the original is wrong or the guide leaves cases open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepd3_ij.compat.core import analysis
from deepd3_ij.errors import DeepD3Error, ParameterError, VoxelSizeError

LABELS = arrays(np.int32, (3, 5, 6), elements=st.integers(0, 6))


@settings(deadline=None, max_examples=50)
@given(LABELS)
def test_every_label_is_counted_the_last_one_too(labels):
    np.testing.assert_array_equal(analysis.getROIsizes(labels), np.bincount(labels.ravel()))
    sums, counts, planes = analysis.centroids3D_from_labels(labels)
    assert len(sums) == len(counts) == len(planes) == labels.max() + 1
    for label in np.unique(labels):
        where = np.argwhere(labels == label)
        np.testing.assert_allclose(sums[label] / counts[label], where.mean(axis=0))
        np.testing.assert_array_equal(np.flatnonzero(planes[label]), np.unique(where[:, 0]))


def test_sizes_beyond_16_bits_are_right():
    assert analysis.getROIsizes(np.ones((2, 200, 200), np.int32)).tolist() == [0, 80_000]


@settings(deadline=None, max_examples=50)
@given(LABELS)
def test_probabilities_span_every_label(labels):
    values = np.random.default_rng(0).random(labels.shape).astype(np.float32)
    limits = analysis.minMaxProbability(labels, values)
    assert limits.shape == (labels.max() + 1, 2)
    assert limits[0].tolist() == [1, 0]
    for label in range(1, labels.max() + 1):
        here = values[labels == label]
        assert limits[label].tolist() == ([here.min(), here.max()] if len(here) else [1, 0])


@settings(deadline=None, max_examples=50)
@given(LABELS)
def test_new_ids_are_consecutive_and_keep_their_order_and_the_background(labels):
    new = analysis.reid(labels)
    assert new.dtype == np.int32
    np.testing.assert_array_equal(new == 0, labels == 0)
    old_ids = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(np.unique(new[new > 0]), np.arange(1, len(old_ids) + 1))
    np.testing.assert_array_equal(old_ids[new[new > 0] - 1], labels[labels > 0])


def test_a_volume_without_background_keeps_all_its_labels():
    assert analysis.reid(np.full((1, 2, 2), 7, np.int32)).tolist() == [[[1, 1], [1, 1]]]


def test_deleted_labels_become_background_and_unknown_ids_are_ignored():
    labels = np.array([[[0, 1, 2, 3]]], np.int32)
    assert analysis.cleanLabels(labels, [2, 9]).tolist() == [[[0, 1, 0, 3]]]
    assert labels.tolist() == [[[0, 1, 2, 3]]]


def test_the_centroid_of_nothing_is_the_origin():
    assert analysis.centroid3D(np.zeros((2, 3, 4), bool)) == (0, 0, 0)
    assert analysis.centroid3D(np.pad(np.ones((1, 1, 3)), ((1, 0), (2, 0), (0, 0)))) == (1, 2, 1)


def test_a_voxel_has_26_neighbours():
    found = analysis._neighbours(5, 6, 7)
    assert len(set(found)) == 26
    assert (5, 6, 7) not in found
    assert np.abs(np.array(found) - (5, 6, 7)).max() == 1


def test_the_third_coordinate_takes_the_pitch_of_z():
    assert analysis._distance_to_seed((0, 0, 0), (3, 4, 0), delta_xy=0.5, delta_z=9) == pytest.approx(2.5)
    assert analysis._distance_to_seed((0, 0, 0), (0, 0, 2), delta_xy=0.5, delta_z=0.75) == pytest.approx(1.5)


def test_equal_seeds_come_in_raster_order():
    seeds = analysis._get_sorted_seeds(np.full((2, 2, 2), 0.9, np.float32))
    assert seeds.tolist() == sorted(seeds.tolist())


@pytest.mark.parametrize("dimensions", [(0.1, 0.5), {"xy": 0.1, "z": 0.5}])
def test_a_region_reaches_equally_far_in_um_along_all_axes(dimensions):
    labels, count = analysis.connected_components_3d(
        np.full((21, 61, 61), 0.9, np.float32), np.array([[10, 30, 30]]), 0.1, 0.2, 2.0, dimensions)
    reach = (np.array([np.ptp(axis) for axis in np.nonzero(labels)]) // 2).tolist()
    assert (reach, count) == ([3, 19, 19], 1)


def test_a_seed_that_fails_its_own_conditions_uses_up_no_number():
    spine = np.array([[[0.5, 0.0, 0.9]]], np.float32)
    labels, count = analysis.connected_components_3d(spine, np.array([[0, 0, 0], [0, 0, 2]]), 0.1, 0.6, 2, (1, 1))
    assert (labels.tolist(), count) == ([[[0, 0, 1]]], 1)


def test_seeds_outside_and_other_dimensions_are_refused():
    spine = np.ones((1, 2, 2), np.float32)
    with pytest.raises(ParameterError, match="outside of the prediction"):
        analysis.connected_components_3d(spine, np.array([[0, 0, 2]]), 0.1, 0.6, 2, (1, 1))
    for wrong in ({"xy": 1}, (1,), (0, 1), "ab"):
        with pytest.raises(VoxelSizeError, match="dimensions is"):
            analysis.connected_components_3d(spine, np.array([[0, 0, 0]]), 0.1, 0.6, 2, wrong)
    with pytest.raises(DeepD3Error):
        analysis.getROIsizes(np.ones((2, 2)))
