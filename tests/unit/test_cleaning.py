"""Cleaning of probability maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from deepd3_ij import cleaning
from deepd3_ij.cleaning import clean, clean_dendrite, clean_spines, clean_spines_by_iterations, close_dendrite
from deepd3_ij.errors import Cancelled, ParameterError, StackError
from deepd3_ij.parameters import CleaningParameters
from deepd3_ij.stack import label_prediction, label_stack, provenance_of

volumes = hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9),
                     elements=st.floats(0, 1, width=32))


def prediction_of(dendrite, spine):
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=0.1, z_um=0.5), {"model": "m"})


@given(volumes, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_closing_is_n_dilations_then_n_erosions(dendrite, iterations):
    expected = dendrite
    for _ in range(iterations):
        expected = ndimage.grey_dilation(expected, size=(3, 3, 3))
    for _ in range(iterations):
        expected = ndimage.grey_erosion(expected, size=(3, 3, 3))
    closed = close_dendrite(dendrite, iterations)
    np.testing.assert_array_equal(closed, expected)
    assert (closed >= dendrite).all()


def test_threads_do_not_keep_more_distances_than_the_map_has_planes(monkeypatch):
    monkeypatch.setenv("DEEPD3_THREADS", "8")
    blocks = []
    monkeypatch.setattr(cleaning, "_keep_near", lambda *given: blocks.append(given[7] - given[6]))
    spine = np.zeros((35, 4, 4), np.float32)
    clean_spines(spine, spine, (0.5, 0.1, 0.1), distance_um=2.0)
    kept_for_each = 2 * 4 + 2  # within 2 µm of a plane, and one to work on
    assert sum(blocks) == 35
    assert 1 < len(blocks) <= 35 / kept_for_each


def test_more_iterations_close_wider_gaps():
    dendrite = np.zeros((3, 9, 40), np.float32)
    dendrite[1, 4, :15] = dendrite[1, 4, 19:] = 0.9
    assert close_dendrite(dendrite, 1)[1, 4, 16] == 0
    assert close_dendrite(dendrite, 2)[1, 4, 15:19].min() == np.float32(0.9)


def test_closing_refuses_zero_iterations():
    with pytest.raises(ParameterError, match="iterations is 0"):
        close_dendrite(np.zeros((1, 3, 3), np.float32), 0)


def test_a_dendrite_of_more_than_65536_voxels_is_kept():
    dendrite = np.full((2, 181, 182), 0.9, np.float32)  # 65,884 voxels, 348 more than 16 bits count
    np.testing.assert_array_equal(clean_dendrite(dendrite, 0.7, 1000), dendrite)


def test_the_last_component_is_removed_if_it_is_small():
    dendrite = np.zeros((2, 20, 20), np.float32)
    dendrite[0, :10, :10], dendrite[1, 18:, 18:] = 0.9, 0.9
    cleaned = clean_dendrite(dendrite, 0.7, 100)
    assert (cleaned > 0).sum() == 100
    assert cleaned[1].max() == 0


def test_pieces_of_exactly_the_size_stay_in_3d_and_go_in_2d():
    dendrite = np.zeros((1, 20, 20), np.float32)
    dendrite[0, :10, :10] = 0.9
    assert clean_dendrite(dendrite, 0.7, 100).max() > 0
    assert clean_dendrite(dendrite, 0.7, 100, dimensions=2).max() == 0
    assert clean_dendrite(dendrite, 0.7, 99, dimensions=2).max() > 0


def test_plane_by_plane_a_piece_counts_only_in_its_plane():
    dendrite = np.zeros((3, 10, 10), np.float32)
    dendrite[:, 2:4, 2:7] = 0.9  # 10 pixels per plane, 30 voxels
    assert clean_dendrite(dendrite, 0.7, 20).max() > 0
    assert clean_dendrite(dendrite, 0.7, 20, dimensions=2).max() == 0


def test_kept_dendrite_keeps_its_probabilities_and_voxels_at_the_threshold_go():
    dendrite = np.zeros((1, 4, 40), np.float32)
    dendrite[0, 1] = np.linspace(0.5, 1, 40, dtype=np.float32)
    dendrite[0, 2, 20] = np.float32(0.7)
    cleaned = clean_dendrite(dendrite, 0.7, 5)
    np.testing.assert_array_equal(cleaned[0, 1], np.where(dendrite[0, 1] > np.float32(0.7), dendrite[0, 1], 0))
    assert cleaned[0, 2, 20] == 0


@given(volumes, st.sampled_from([(0.5, 0.1, 0.1), (0.1, 0.1, 0.1), (0.3, 0.7, 0.7)]),
       st.sampled_from([0.0, 0.15, 0.31, 0.75, 5.0]))
@settings(max_examples=100, deadline=None)
def test_spines_are_kept_up_to_the_distance_in_micrometres(dendrite, size, distance):
    spine = np.full_like(dendrite, 0.6)
    mask = dendrite > np.float32(0.7)
    expected = np.zeros_like(spine)
    if mask.any():
        expected[ndimage.distance_transform_edt(~mask, sampling=size) <= distance + 1e-6] = 0.6
    np.testing.assert_array_equal(clean_spines(spine, dendrite, size, distance_um=distance), expected)


def test_the_distance_reaches_as_far_along_z_as_in_the_plane():
    dendrite = np.zeros((21, 61, 61), np.float32)
    dendrite[10, 30, 30] = 1
    kept = clean_spines(np.ones_like(dendrite), dendrite, (0.5, 0.1, 0.1), distance_um=2.0)
    assert np.flatnonzero(kept[:, 30, 30]).tolist() == list(range(6, 15))
    assert np.flatnonzero(kept[10, 30]).tolist() == list(range(10, 51))


def test_distance_zero_keeps_what_lies_in_the_dendrite():
    dendrite = np.zeros((3, 5, 5), np.float32)
    dendrite[1, 2, 2] = 0.9
    kept = clean_spines(np.ones_like(dendrite), dendrite, (0.5, 0.1, 0.1), distance_um=0)
    assert np.argwhere(kept).tolist() == [[1, 2, 2]]


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_iterations_dilate_with_the_six_neighbour_cross(iterations):
    dendrite = np.zeros((9, 9, 9), np.float32)
    dendrite[4, 4, 4] = 0.9
    kept = clean_spines_by_iterations(np.ones_like(dendrite), dendrite, iterations=iterations)
    city_block = np.abs(np.indices(dendrite.shape) - 4).sum(axis=0)
    np.testing.assert_array_equal(kept > 0, city_block <= iterations)


def test_without_dendrite_no_spine_is_kept():
    spine, dendrite = np.ones((3, 6, 6), np.float32), np.zeros((3, 6, 6), np.float32)
    assert clean_spines(spine, dendrite, (0.5, 0.1, 0.1), distance_um=1000).max() == 0
    assert clean_spines_by_iterations(spine, dendrite, iterations=5).max() == 0


def test_maps_of_different_shape_are_refused():
    with pytest.raises(StackError, match="differ in shape"):
        clean_spines(np.zeros((1, 4, 4), np.float32), np.zeros((2, 4, 4), np.float32), (0.5, 0.1, 0.1))


@pytest.fixture
def gap_and_specks():
    dendrite, spine = np.zeros((5, 40, 80), np.float32), np.zeros((5, 40, 80), np.float32)
    dendrite[1:4, 18:22, :38] = dendrite[1:4, 18:22, 41:] = 0.9
    dendrite[2, 2:4, 2:4] = 0.9
    spine[2, 25:29, 30:34] = spine[2, 2:4, 70:74] = 0.95
    spine[2, 4:7, 2:5] = 0.9
    return prediction_of(dendrite, spine)


def test_cleaning_closes_then_drops_small_dendrite_then_far_spines(gap_and_specks):
    before = gap_and_specks.copy(deep=True)
    cleaned = clean(gap_and_specks, CleaningParameters(spine_distance_um=1.0))
    assert cleaned.dendrite.values[2, 19, 38:41].min() > 0.7
    assert cleaned.dendrite.values[2, 2, 2] == 0
    assert cleaned.spine.values[2, 26, 31] == np.float32(0.95)
    assert cleaned.spine.values[2, 2, 71] == 0
    assert cleaned.spine.values[2, 5, 3] == 0  # beside a speck that is no dendrite
    assert gap_and_specks.identical(before)
    assert provenance_of(cleaned)["model"] == "m"
    assert provenance_of(cleaned)["CleaningParameters"]["spine_distance_um"] == 1.0
    assert cleaned.attrs["voxel_size_um"] == (0.5, 0.1, 0.1)


def test_every_step_can_be_left_out(gap_and_specks):
    same = clean(gap_and_specks, CleaningParameters(closing=False, clean_dendrite=False, clean_spines=False))
    for name in ("dendrite", "spine"):
        np.testing.assert_array_equal(same[name], gap_and_specks[name])


def test_a_distance_in_voxels_takes_the_place_of_micrometres(gap_and_specks):
    dendrite, spine = gap_and_specks.dendrite.values, gap_and_specks.spine.values
    parameters = CleaningParameters(closing=False, clean_dendrite=False, spine_iterations=4)
    np.testing.assert_array_equal(clean(gap_and_specks, parameters).spine.values,
                                  clean_spines_by_iterations(spine, dendrite, iterations=4))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_constant_maps_stay_constant(value):
    volume = np.full((3, 20, 20), value, np.float32)
    cleaned = clean(prediction_of(volume, volume.copy()))
    for name in ("dendrite", "spine"):
        np.testing.assert_array_equal(cleaned[name].values, volume)


def test_maps_with_nan_are_refused():
    volume = np.zeros((1, 4, 4), np.float32)
    broken = volume.copy()
    broken[0, 1, 1] = np.nan
    with pytest.raises(StackError, match="dendrite map contains NaN"):
        clean(prediction_of(broken, volume))


def test_cleaning_can_be_cancelled(gap_and_specks):
    def stop(done, total, message):
        if message == "Clean spines":
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        clean(gap_and_specks, progress=stop)
