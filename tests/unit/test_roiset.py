"""The set of ROIs and the statistics of labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.rois.labels import label_maxima, label_statistics, renumber
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack

label_volumes = hnp.arrays(np.int32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=8),
                           elements=st.sampled_from([0, 0, 1, 2, 5, 9]))


def stack_like(shape):
    return label_stack(np.zeros(shape, np.uint8), xy_um=0.1, z_um=0.5)


@given(label_volumes)
@settings(max_examples=100, deadline=None)
def test_statistics_are_those_of_scipy(labels):
    rows = label_statistics(labels)
    expected = np.unique(labels[labels > 0])
    np.testing.assert_array_equal(rows.ids, expected)
    assert rows.centroids_zyx.dtype == np.float64
    boxes = ndimage.find_objects(labels)
    for row, roi_id in enumerate(expected):
        mask = labels == roi_id
        assert rows.voxels[row] == mask.sum()
        assert rows.planes[row] == mask.any(axis=(1, 2)).sum()
        np.testing.assert_allclose(rows.centroids_zyx[row], np.argwhere(mask).mean(axis=0), rtol=1e-12)
        assert rows.box(row) == boxes[roi_id - 1]


def test_huge_ids_are_counted_like_small_ones():
    labels = np.zeros((2, 3, 4), np.int32)
    labels[0, 0, :2], labels[1, 2, 3] = 2_147_483_647, 2_000_000_000
    rows = label_statistics(labels)
    assert rows.ids.tolist() == [2_000_000_000, 2_147_483_647]
    assert rows.voxels.tolist() == [1, 2]


def test_regions_of_more_than_65535_voxels_are_counted_right():
    assert label_statistics(np.ones((2, 300, 300), np.int32)).voxels.tolist() == [180_000]


def test_maxima_are_those_of_each_region():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, (4, 9, 9)).astype(np.int32)
    values = rng.random((4, 9, 9), dtype=np.float32)
    ids = np.array([1, 2, 4, 5, 77])
    expected = [values[labels == i].max() for i in ids[:-1]]
    maxima = label_maxima(labels, values, ids)
    np.testing.assert_array_equal(maxima[:-1], expected)
    assert maxima[-1] == -np.inf


def test_renumbering_drops_what_is_not_listed():
    labels = np.array([[[0, 1, 3, 3, 7, 9]]], np.int32)
    assert renumber(labels, np.array([1, 7, 9]), np.array([4, 0, 2])).tolist() == [[[0, 4, 0, 0, 0, 2]]]
    assert labels.tolist() == [[[0, 1, 3, 3, 7, 9]]]


def test_the_table_has_places_in_pixels_and_micrometres_on_the_stacks_coordinates():
    labels = np.zeros((4, 6, 8), np.int32)
    labels[1:3, 2, 3:5] = 5
    like = stack_like(labels.shape).isel(z=slice(None))
    like = like.assign_coords(z=like.z + 10)
    row = RoiSet.from_labels(labels, like).table.iloc[0]
    assert (row.id, row.planes, row.first_plane, row.last_plane, row.voxels) == (5, 2, 1, 2, 4)
    assert (row.z_px, row.y_px, row.x_px) == (1.5, 2.0, 3.5)
    assert (row.z_um, row.y_um, row.x_um) == pytest.approx((10.75, 0.2, 0.35))
    assert row.volume_um3 == pytest.approx(4 * 0.005)


def test_removed_rois_leave_labels_table_and_contours():
    labels = np.zeros((2, 6, 8), np.int32)
    labels[0, 1, 1], labels[0, 3, 3], labels[1, 4, 4] = 1, 2, 3
    rois = RoiSet.from_labels(labels, stack_like(labels.shape), provenance={"a": 1})
    fewer = rois.without([2])
    assert fewer.ids.tolist() == [1, 3]
    assert fewer.table["id"].tolist() == [1, 3]
    assert sorted(fewer.contours.roi_id.tolist()) == [1, 3]
    assert fewer.provenance == {"a": 1}
    assert len(rois) == 3
    assert rois.labels.values.max() == 3


def test_an_unknown_id_is_refused():
    labels = np.ones((1, 2, 2), np.int32)
    with pytest.raises(ParameterError, match="no ROI 9"):
        RoiSet.from_labels(labels, stack_like(labels.shape)).without([9])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, bool])
def test_labels_of_any_whole_number_type_are_accepted(dtype):
    labels = np.zeros((1, 3, 3), dtype)
    labels[0, 1, 1] = 1
    rois = RoiSet.from_labels(labels, stack_like(labels.shape))
    assert rois.labels.dtype == np.int32
    assert rois.ids.tolist() == [1]


@pytest.mark.parametrize("labels", [
    np.zeros((1, 3, 3), np.float32), np.zeros((3, 3), np.int32),
    np.full((1, 3, 3), -1), np.full((1, 3, 3), 2**40)])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(StackError):
        RoiSet.from_labels(labels, stack_like((1, 3, 3)))


def test_labels_of_another_shape_are_refused():
    with pytest.raises(StackError, match="Shapes differ"):
        RoiSet.from_labels(np.zeros((2, 3, 3), np.int32), stack_like((1, 3, 3)))
