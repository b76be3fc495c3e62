"""2-D ROIs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.parameters import Roi2DParameters
from deepd3_ij.rois.building_2d import build_rois_2d, clean_rois_2d, label_spines_2d
from deepd3_ij.rois.chamfer import chamfer_distance
from deepd3_ij.stack import label_prediction, label_stack

maps = hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=10),
                  elements=st.sampled_from([np.float32(v) for v in (0, 0.2, 0.3, 0.9)]))


def prediction_of(spine, dendrite):
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=0.1, z_um=0.5), {})


@given(maps)
@settings(max_examples=60, deadline=None)
def test_ids_are_unique_through_the_planes_and_follow_raster_order(spine):
    labels = label_spines_2d(spine, Roi2DParameters())
    order = labels[labels > 0]
    first = np.unique(order, return_index=True)
    np.testing.assert_array_equal(first[0], np.arange(1, len(first[0]) + 1))
    assert (np.diff(first[1]) > 0).all()
    for plane, probabilities in zip(labels, spine, strict=True):
        parts, count = ndimage.label(probabilities > 0.25, np.ones((3, 3)))
        np.testing.assert_array_equal(plane > 0, parts > 0)
        assert len(np.unique(plane[plane > 0])) == count
    assert all(len(np.unique(np.flatnonzero((labels == i).any(axis=(1, 2))))) == 1 for i in first[0])


@given(maps, st.sampled_from([0, 3, 5]), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_splitting_keeps_every_pixel_of_every_component(spine, mask_size, spacing):
    parameters = Roi2DParameters(watershed=True, mask_size_px=mask_size, min_distance_px=spacing)
    split = label_spines_2d(spine, parameters)
    whole = label_spines_2d(spine, Roi2DParameters())
    np.testing.assert_array_equal(split > 0, whole > 0)
    for piece in np.unique(split[split > 0]):
        assert len(np.unique(whole[split == piece])) == 1
    assert len(np.unique(split[split > 0])) == split.max(initial=0)


def test_splitting_separates_touching_disks_and_keeps_those_at_the_border():
    y, x = np.indices((40, 60))
    disk = lambda cy, cx: (y - cy) ** 2 + (x - cx) ** 2 <= 64  # noqa: E731
    spine = np.zeros((1, 40, 60), np.float32)
    spine[0][disk(20, 20) | disk(20, 34) | disk(1, 57)] = 0.9
    labels = label_spines_2d(spine, Roi2DParameters(watershed=True))
    assert labels.max() == 3
    assert len({labels[0, 20, 20], labels[0, 20, 34], labels[0, 1, 57]}) == 3


def test_a_plane_of_ones_is_one_roi_with_an_outline():
    rois = build_rois_2d(prediction_of(np.ones((2, 8, 9), np.float32), np.ones((2, 8, 9), np.float32)),
                         Roi2DParameters(watershed=True))
    assert rois.ids.tolist() == [1, 2]
    assert len(rois.contours) == 2
    assert rois.dimensions == 2


def test_cleaning_keeps_ids_and_can_be_repeated():
    spine, dendrite = np.zeros((2, 60, 100), np.float32), np.zeros((2, 60, 100), np.float32)
    spine[0, 5:10, 5:10] = spine[0, 5:10, 80:85] = spine[0, 30:32, 8:10] = spine[1, 5:10, 5:10] = 0.9
    dendrite[0, 12, 5] = dendrite[1, 20, 20] = 0.8
    labels = label_spines_2d(spine, Roi2DParameters())
    assert labels.max() == 4
    once = clean_rois_2d(labels, dendrite, Roi2DParameters())
    assert np.unique(once).tolist() == [0, 1, 4]  # 2 lies too far from dendrite, 3 is too small
    np.testing.assert_array_equal(once[once > 0], labels[once > 0])
    np.testing.assert_array_equal(clean_rois_2d(once, dendrite, Roi2DParameters()), once)
    assert labels.max() == 4


@pytest.mark.parametrize(("distance", "kept"), [(5, False), (6, True)])
def test_dendrite_must_be_nearer_than_the_limit(distance, kept):
    labels, dendrite = np.zeros((1, 20, 20), np.int32), np.zeros((1, 20, 20), np.float32)
    labels[0, 10, 5] = 1
    dendrite[0, 10, 10] = 0.8
    parameters = Roi2DParameters(min_area_px=1, max_dendrite_distance_px=distance)
    assert (clean_rois_2d(labels, dendrite, parameters).max() == 1) == kept


def test_dendrite_in_other_planes_does_not_count():
    labels, dendrite = np.zeros((2, 20, 20), np.int32), np.zeros((2, 20, 20), np.float32)
    labels[0, 10, 5] = 1
    dendrite[1, 10, 5] = 0.8
    assert clean_rois_2d(labels, dendrite, Roi2DParameters(min_area_px=1)).max() == 0


def test_map_and_table_agree():
    rng = np.random.default_rng(0)
    spine = (rng.random((3, 30, 30)) > 0.8).astype(np.float32)
    rois = build_rois_2d(prediction_of(spine, np.ones_like(spine)), Roi2DParameters(min_area_px=3))
    table = rois.table
    assert (table["planes"] == 1).all()
    for row in table.itertuples():
        assert (rois.labels.values[row.first_plane] == row.id).sum() == row.voxels >= 3


@given(hnp.arrays(bool, (9, 11)))
@settings(max_examples=60, deadline=None)
def test_chamfer_distances_stay_close_to_the_exact_ones(mask):
    if mask.all():
        return
    exact = ndimage.distance_transform_edt(mask)
    for mask_size, error in ((3, 0.1), (5, 0.03)):
        approximate = chamfer_distance(mask, mask_size)
        assert (np.abs(approximate - exact) <= error * exact + 1e-6).all()


def test_maps_of_different_shape_are_refused():
    with pytest.raises(StackError, match="differ in shape"):
        clean_rois_2d(np.zeros((1, 4, 4), np.int32), np.zeros((1, 4, 5), np.float32), Roi2DParameters())


def test_an_unknown_mask_size_is_refused():
    with pytest.raises(ParameterError, match="accepted: 0, 3, 5"):
        Roi2DParameters(mask_size_px=4)
