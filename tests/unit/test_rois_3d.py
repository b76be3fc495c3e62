"""3-D ROIs: growing, components, splitting, filters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from deepd3_ij.errors import Cancelled, ParameterError, StackError
from deepd3_ij.parameters import Roi3DParameters
from deepd3_ij.rois.building_3d import build_rois_3d, label_spines_3d
from deepd3_ij.rois.growing import find_seeds, grow_regions
from deepd3_ij.rois.prominence import pieces_of_peaks
from deepd3_ij.rois.splitting import split_by_shape as split_runs_by_shape
from deepd3_ij.rois.voxels import Voxels
from deepd3_ij.runs import Runs
from deepd3_ij.stack import label_prediction, label_stack, provenance_of

ISO = (0.1, 0.1, 0.1)
probabilities = hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7),
                           elements=st.sampled_from([np.float32(v) for v in (0, 0.2, 0.3, 0.5, 0.7, 0.85, 0.9, 1)]))


def prediction_of(spine, dendrite=None, xy_um=0.1, z_um=0.5):
    spine = np.asarray(spine)
    dendrite = np.zeros_like(spine) if dendrite is None else dendrite
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=xy_um, z_um=z_um), {"model": "m"})


def all_sizes(**values):
    return Roi3DParameters(**{"min_voxels": 1, "max_voxels": 10**9, **values})


def connected_regions(spine, area_threshold, dilation=0):
    return label_spines_3d(spine, ISO, all_sizes(mode="connected", area_threshold=area_threshold, dilation=dilation))


def split_by_shape(labels, size):
    """Split labels of any numbers."""
    named = Voxels.above(labels.astype(np.float32), np.float32(0))
    runs, of_run = named.labelled(named.values.astype(np.int32))
    of_run = np.unique(of_run, return_inverse=True)[1].astype(np.int32) + 1
    pieces, of_piece, _ = split_runs_by_shape(runs, of_run, len(labels), size)
    return Runs.of_rows(labels.shape, pieces.rows, pieces.begins, pieces.ends).labelled(of_piece).volume()


def test_distance_limit_holds_along_each_axis_in_micrometres():
    labels, count = grow_regions(np.full((41, 61, 61), 0.9, np.float32), np.array([20 * 61 * 61 + 30 * 61 + 30]),
                                 (0.5, 0.1, 0.2), area_threshold=0.25, seed_delta=0.2, distance_um=2.0)
    assert count == 1
    extents = [np.flatnonzero(labels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    assert [(e[0], e[-1]) for e in extents] == [(17, 23), (11, 49), (21, 39)]


@given(probabilities)
@settings(max_examples=60, deadline=None)
def test_regions_are_the_components_of_eligible_free_voxels_that_hold_their_seed(spine):
    size, area, delta, distance = (0.3, 0.1, 0.1), 0.25, 0.32, 0.35
    seeds = find_seeds(spine, 0.8)
    labels, count = grow_regions(spine, seeds, size, area_threshold=area, seed_delta=delta, distance_um=distance)
    expected = np.zeros(spine.shape, int)
    number = 0
    grid = np.indices(spine.shape)
    for seed in seeds:
        at = np.unravel_index(seed, spine.shape)
        if expected[at]:
            continue
        peak = spine[at]
        away = np.sqrt(sum(((g - c) * s) ** 2 for g, c, s in zip(grid, at, size, strict=True)))
        eligible = ((expected == 0) & (spine > area) & (np.abs(spine - peak) <= delta * float(peak))
                    & (away < distance))
        parts, _ = ndimage.label(eligible, np.ones((3, 3, 3)))
        number += 1
        expected[parts == parts[at]] = number
    assert count == number
    np.testing.assert_array_equal(labels, expected)


def test_equal_seeds_grow_in_raster_order():
    spine = np.zeros((2, 3, 9), np.float32)
    spine[1, 0, 0] = spine[0, 2, 8] = spine[0, 0, 4] = 0.9
    spine[1, 2, 4] = 0.95
    labels = label_spines_3d(spine, ISO, all_sizes())
    assert (labels[1, 2, 4], labels[0, 0, 4], labels[0, 2, 8], labels[1, 0, 0]) == (1, 2, 3, 4)


def test_a_seed_below_the_area_threshold_makes_no_roi_and_uses_no_number():
    spine = np.zeros((1, 1, 9), np.float32)
    spine[0, 0, 0], spine[0, 0, 4] = 0.5, 0.9
    labels, count = grow_regions(spine, find_seeds(spine, 0.4), ISO, area_threshold=0.6, seed_delta=0.2,
                                 distance_um=1)
    assert count == labels.max() == 1
    assert labels[0, 0, 4] == 1


def test_more_than_65535_regions_keep_their_own_numbers():
    spine = np.zeros((1, 600, 600), np.float32)
    spine[0, ::2, ::2] = 0.9
    labels = label_spines_3d(spine, ISO, all_sizes())
    assert labels.max() == 90_000
    assert len(np.unique(labels)) == 90_001


@given(probabilities)
@settings(max_examples=60, deadline=None)
def test_components_are_26_connected_and_numbered_in_raster_order(spine):
    labels = connected_regions(spine, 0.4)
    expected, _ = ndimage.label(spine > 0.4, np.ones((3, 3, 3)))
    np.testing.assert_array_equal(labels > 0, expected > 0)
    order = labels[labels > 0]
    first = np.unique(order, return_index=True)[1]
    assert (np.diff(first) > 0).all()
    assert len({(a, b) for a, b in zip(order, expected[expected > 0], strict=True)}) == labels.max(initial=0)
    assert expected.max(initial=0) == labels.max(initial=0)


def test_dilation_joins_components_and_widens_them():
    spine = np.zeros((5, 9, 12), np.float32)
    spine[2, 4, 3] = spine[2, 4, 6] = 0.9
    assert connected_regions(spine, 0.5).max() == 2
    joined = connected_regions(spine, 0.5, dilation=1)
    assert joined.max() == 1
    assert (joined > 0).sum() == 3 * 3 * 6
    twice = ndimage.binary_dilation(spine > 0.5, np.ones((3, 3, 3)), iterations=2)
    np.testing.assert_array_equal(connected_regions(spine, 0.5, dilation=2) > 0, twice)


def test_size_bounds_are_inclusive_and_the_old_order_is_kept():
    spine = np.zeros((3, 10, 40), np.float32)
    for i, length in enumerate((3, 7, 5, 6, 4)):
        spine[0, 2 * i, :length] = 0.9
    labels = label_spines_3d(spine, ISO, Roi3DParameters(mode="connected", min_voxels=4, max_voxels=6))
    assert [int(labels[0, 2 * i, 0]) for i in range(5)] == [0, 0, 1, 2, 3]


def test_rois_of_too_few_planes_are_dropped():
    spine = np.zeros((4, 4, 12), np.float32)
    spine[0, 0, :8] = 0.9
    spine[1:3, 2, :3] = 0.9
    labels = label_spines_3d(spine, ISO, all_sizes(mode="connected", min_planes=2))
    assert labels.max() == 1
    assert labels[1, 2, 0] == 1


def test_rois_that_stay_below_the_peak_are_dropped():
    spine = np.zeros((1, 4, 12), np.float32)
    spine[0, 0, :4], spine[0, 2, :4], spine[0, 2, 2] = 0.5, 0.5, 0.75
    labels = label_spines_3d(spine, ISO, all_sizes(mode="connected", min_peak=0.75))
    assert labels.max() == 1
    assert labels[0, 2, 0] == 1


def test_smoothing_removes_single_bright_voxels_and_leaves_the_map_alone():
    spine = np.zeros((3, 20, 20), np.float32)
    spine[1, 5, 5] = 1
    spine[1, 10:17, 10:17] = 1
    before = spine.copy()
    labels = label_spines_3d(spine, ISO, all_sizes(mode="connected", sigma_px=1.0))
    assert labels.max() == 1
    assert labels[1, 5, 5] == 0
    np.testing.assert_array_equal(spine, before)


def two_balls(shape, centres, radius, size):
    grid = np.indices(shape)
    return np.logical_or.reduce([
        sum(((g - c) * s) ** 2 for g, c, s in zip(grid, centre, size, strict=True)) <= radius ** 2
        for centre in centres])


def test_splitting_separates_two_touching_balls():
    mask = two_balls((21, 30, 40), [(10, 15, 12), (10, 15, 26)], 8, (1, 1, 1))
    labels = split_by_shape(mask.astype(np.int32), (1, 1, 1))
    assert labels.max() == 2
    assert labels[10, 15, 12] == 1
    assert labels[10, 15, 26] == 2
    np.testing.assert_array_equal(labels > 0, mask)


def test_splitting_measures_with_the_voxels_shape():
    """A flat pancake in planes of 1 µm is two balls only if planes count in µm."""
    size = (1.0, 0.1, 0.1)
    mask = two_balls((9, 60, 110), [(4, 30, 30), (4, 30, 76)], 2.5, size)
    labels = split_by_shape(mask.astype(np.int32), size)
    assert labels[4, 30, 30] != labels[4, 30, 76]
    assert (labels == labels[4, 30, 30]).sum() == pytest.approx(mask.sum() / 2, rel=0.02)


def test_splitting_keeps_rois_in_the_first_and_last_plane_and_at_borders():
    labels = np.zeros((4, 20, 20), np.int32)
    labels[:2, 0:5, 0:5], labels[2:, 14:, 14:], labels[0, 10, 10] = 1, 2, 3
    np.testing.assert_array_equal(split_by_shape(labels, (0.5, 0.1, 0.1)) > 0, labels > 0)


def test_splitting_does_not_join_rois_that_touch():
    labels = np.zeros((3, 12, 24), np.int32)
    labels[:, 2:10, 2:12], labels[:, 2:10, 12:22] = 4, 9
    split = split_by_shape(labels, ISO)
    for piece in range(1, split.max() + 1):
        assert len(np.unique(labels[split == piece])) == 1


@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=8), elements=st.integers(0, 2)))
@settings(max_examples=60, deadline=None)
def test_splitting_loses_no_voxel_and_mixes_no_regions(labels):
    split = split_by_shape(labels, (0.5, 0.1, 0.1))
    np.testing.assert_array_equal(split > 0, labels > 0)
    owner = {}
    for piece, label in zip(split[split > 0], labels[labels > 0], strict=True):
        assert owner.setdefault(int(piece), int(label)) == label
    assert sorted(owner) == list(range(1, len(owner) + 1))
    assert [owner[piece] for piece in sorted(owner)] == sorted(owner.values())


def ridge(*log_odds):
    """A row of voxels with these log-odds."""
    return (1 / (1 + np.exp(-np.array(log_odds, np.float64)))).astype(np.float32).reshape(1, 1, -1)


def test_peaks_stay_apart_if_both_exceed_their_saddle_by_the_prominence():
    spine = ridge(0, 5, 0, 3, 1, 4, 0)  # 5 and 4 over a saddle of 0; 3 over one of 1
    found = {limit: pieces_of_peaks(spine, spine > 0, (0, 0, 0), limit)[0].ravel().tolist()
             for limit in (1.9, 2.1, 4.1)}
    assert found[1.9] == [1, 1, 1, 2, 3, 3, 3]
    assert found[2.1] == [1, 1, 1, 2, 2, 2, 2]
    assert found[4.1] == [1] * 7
    together = label_spines_3d(spine, ISO, all_sizes(mode="connected", split_prominence=2.1, split_sigma_um=0.0))
    np.testing.assert_array_equal(together, pieces_of_peaks(spine, spine > 0, (0, 0, 0), 2.1)[0])


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
                  elements=st.sampled_from([np.float32(v) for v in (0, 0.3, 0.6, 0.8, 0.95, 0.99, 1)])))
@settings(max_examples=40, deadline=None)
def test_as_many_pieces_as_peaks_of_that_persistence_and_no_voxel_is_lost(spine):
    from skimage.morphology import reconstruction

    limit = 2.0
    whole = connected_regions(spine, 0.25)
    for region in range(1, whole.max() + 1):
        mask = whole == region
        pieces, count = pieces_of_peaks(spine, mask, (0, 0, 0), limit)
        np.testing.assert_array_equal(pieces > 0, mask)
        inside = np.clip(spine.astype(np.float64), 1e-6, 1 - 1e-6)
        log_odds = np.where(mask, np.log(inside / (1 - inside)), -50)
        # Domes that stand out by the limit: the map filled from below it, as in h-maxima.
        filled = reconstruction(log_odds - limit, log_odds, footprint=np.ones((3, 3, 3)))
        domes = ndimage.label((log_odds - filled >= limit - 1e-9) & mask, np.ones((3, 3, 3)))[1]
        whole_range = np.ptp(log_odds[mask])
        assert count == (domes if whole_range >= limit else 1)


def test_noise_on_a_peak_is_smoothed_away_in_micrometres():
    spine = ridge(0, 5, 2, 5, 0)
    apart = pieces_of_peaks(spine, spine > 0, (0, 0, 0), 2.5)[1]
    smooth = all_sizes(mode="connected", split_prominence=2.5, split_sigma_um=0.2)
    assert apart == 2
    assert label_spines_3d(spine, ISO, smooth).max() == 1
    assert label_spines_3d(spine, (0.1, 0.1, 5.0), smooth).max() == 2  # voxels of 5 µm: nothing to smooth


@pytest.mark.parametrize("mode", ["floodfill", "connected"])
@pytest.mark.parametrize("watershed", [False, True])
def test_a_volume_of_ones_is_one_roi(mode, watershed):
    rois = build_rois_3d(prediction_of(np.ones((3, 12, 12), np.float32)),
                         all_sizes(mode=mode, watershed=watershed, distance_um=100.0))
    assert len(rois) == 1
    assert (rois.labels.values == 1).all()


@pytest.mark.parametrize("mode", ["floodfill", "connected"])
@pytest.mark.parametrize("watershed", [False, True])
def test_a_map_without_spines_gives_an_empty_set(mode, watershed):
    rois = build_rois_3d(prediction_of(np.zeros((2, 8, 8), np.float32)), Roi3DParameters(mode=mode,
                                                                                         watershed=watershed))
    assert len(rois) == 0
    assert len(rois.contours) == 0
    assert len(rois.table) == 0


def test_a_single_plane_works_in_every_mode():
    spine = np.zeros((1, 30, 30), np.float32)
    spine[0, 5:15, 5:15] = 0.95
    for mode in ("floodfill", "connected"):
        for watershed in (False, True):
            rois = build_rois_3d(prediction_of(spine), Roi3DParameters(mode=mode, watershed=watershed))
            assert (rois.labels.values[0] > 0).sum() == 100


def test_rois_in_the_middle_of_a_crop_equal_those_of_the_whole():
    rng = np.random.default_rng(3)
    spine = ndimage.gaussian_filter(rng.random((12, 90, 90)), (1, 2, 2)).astype(np.float32)
    spine = (spine - spine.min()) / (spine.max() - spine.min())
    for mode in ("floodfill", "connected"):
        parameters = Roi3DParameters(mode=mode, area_threshold=0.65, peak_threshold=0.7, distance_um=0.8,
                                     min_voxels=3, max_voxels=100_000)
        whole = label_spines_3d(spine, (0.3, 0.1, 0.1), parameters)
        crop = label_spines_3d(spine[:, 20:70, 20:70].copy(), (0.3, 0.1, 0.1), parameters)
        inner = whole[:, 20:70, 20:70]
        at_faces = np.unique(np.concatenate([whole[:, edge - 1:edge + 1].ravel() for edge in (20, 70)]
                                            + [whole[:, :, edge - 1:edge + 1].ravel() for edge in (20, 70)]))
        compared = 0
        for roi in np.setdiff1d(np.unique(inner), at_faces):
            mask = inner == roi
            zone = ndimage.binary_dilation(mask, iterations=2)
            if roi == 0 or np.intersect1d(inner[zone], at_faces[at_faces > 0]).size:
                continue
            there = np.unique(crop[mask])
            assert len(there) == 1
            np.testing.assert_array_equal(crop == there[0], mask)
            compared += 1
        assert compared >= 3


def test_the_prediction_is_not_changed_and_its_provenance_carried_on():
    spine = np.zeros((3, 20, 20), np.float32)
    spine[1, 5:12, 5:12] = 0.9
    prediction = prediction_of(spine)
    before = prediction.copy(deep=True)
    rois = build_rois_3d(prediction, Roi3DParameters(min_voxels=5))
    assert prediction.identical(before)
    assert rois.provenance["model"] == "m"
    assert rois.provenance["Roi3DParameters"]["min_voxels"] == 5
    assert provenance_of(prediction) == {"model": "m"}
    assert rois.labels.attrs["voxel_size_um"] == (0.5, 0.1, 0.1)


@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (255, "divide an 8-bit map by 255"), (-0.5, "-0.5")])
def test_values_that_are_no_probabilities_are_refused(value, words):
    spine = np.zeros((2, 6, 6), np.float32)
    spine[1, 2, 2] = value
    with pytest.raises(StackError, match=words):
        build_rois_3d(prediction_of(spine))


def test_a_prediction_without_spine_map_is_refused():
    with pytest.raises(StackError, match="no spine map; it has: dendrite"):
        build_rois_3d(prediction_of(np.zeros((2, 6, 6), np.float32)).drop_vars("spine"))


def test_an_unknown_mode_is_refused():
    with pytest.raises(ParameterError, match="floodfil'; accepted: floodfill, connected"):
        Roi3DParameters(mode="floodfil")


def test_building_can_be_cancelled():
    def stop(done, total, message):
        if done:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        build_rois_3d(prediction_of(np.zeros((2, 6, 6), np.float32)), progress=stop)


@pytest.mark.parametrize("parameters", [Roi3DParameters(), Roi3DParameters(watershed=True)])
def test_progress_rises_to_its_total(parameters):
    calls = []
    build_rois_3d(prediction_of(np.zeros((2, 6, 6), np.float32)), parameters,
                  lambda done, total, message: calls.append((done, total)))
    assert calls[0][0] == 0
    assert calls[-1][0] == calls[-1][1]
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize(("size", "distance"), [(0.15, 0.9), (0.1, 0.3), (0.1, 0.7), (0.094, 0.94), (0.3, 2.1)])
def test_a_voxel_at_just_the_distance_does_not_join_whatever_rounding_makes_of_it(size: float, distance: float) -> None:
    reach = round(distance / size)
    spine = np.full((2 * reach + 3,) * 3, 0.9, np.float32)
    centre = (reach + 1,) * 3
    spine[centre] = 1
    seed = np.array([np.ravel_multi_index(centre, spine.shape)])
    labels, _ = grow_regions(spine, seed, (size,) * 3, area_threshold=0.5, seed_delta=0.5, distance_um=distance)
    away = sum((grid - reach - 1) ** 2 for grid in np.indices(spine.shape))
    np.testing.assert_array_equal(labels > 0, away < reach ** 2)
