"""ROIs agree with those of the original wherever the original is right."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.parameters import Roi2DParameters, Roi3DParameters
from deepd3_ij.rois.building_2d import clean_rois_2d, label_spines_2d
from deepd3_ij.rois.building_3d import label_spines_3d
from deepd3_ij.rois.contours import trace_contours
from deepd3_ij.rois.growing import find_seeds, grow_regions
from deepd3_ij.rois.labels import label_statistics, renumber

ANY_SIZE = (0.5, 0.094, 0.094)


@pytest.fixture(scope="module")
def reference(shared):
    def load(name):
        with np.load(shared / "reference" / "roi" / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)
    return load


@pytest.fixture(scope="module")
def maps(reference):
    return reference("maps")


@pytest.mark.parametrize(("name", "area", "dilation", "min_voxels", "max_voxels", "min_planes"), [
    ("cc_a", 0.25, 0, 20, 1000, 1),
    ("cc_b_dilated", 0.5, 1, 10, 5000, 1),
    ("cc_c", 0.4, 0, 5, 800, 3),
])
def test_connected_components_are_the_originals_with_ids(
        reference, maps, name, area, dilation, min_voxels, max_voxels, min_planes):
    expected = reference(f"roi3d_{name}")
    labels = label_spines_3d(maps["spine"], ANY_SIZE, Roi3DParameters(
        mode="connected", area_threshold=area, dilation=dilation,
        min_voxels=min_voxels, max_voxels=max_voxels, min_planes=min_planes))
    np.testing.assert_array_equal(labels, expected["roi_map"])
    np.testing.assert_allclose(label_statistics(labels).centroids_zyx, expected["roi_centroids_zyx"][1:], atol=1e-4)


FLOODFILL = [
    ("iso_a", 0.25, 0.8, 0.2, 2.0, (20, 1000), (0.2, 0.2, 0.2)),
    ("iso_b", 0.15, 0.5, 0.5, 1.2, (5, 3000), (0.1, 0.1, 0.1)),
    ("aniso_a_right_axes", 0.25, 0.8, 0.2, 2.0, (20, 1000), (0.5, 0.094, 0.094)),
]


@pytest.mark.parametrize(("name", "area", "peak", "delta", "distance", "sizes", "voxel"), FLOODFILL)
def test_floodfill_regions_are_the_originals_before_and_after_filtering(
        reference, maps, name, area, peak, delta, distance, sizes, voxel):
    expected = reference(f"roi3d_ff_{name}")
    raw, count = grow_regions(maps["spine"], find_seeds(maps["spine"], peak), voxel,
                              area_threshold=area, seed_delta=delta, distance_um=distance)
    np.testing.assert_array_equal(raw, expected["raw_labels"])
    assert count == expected["raw_N"]
    labels = label_spines_3d(maps["spine"], voxel, Roi3DParameters(
        area_threshold=area, peak_threshold=peak, seed_delta=delta, distance_um=distance,
        min_voxels=sizes[0], max_voxels=sizes[1]))
    np.testing.assert_array_equal(labels, expected["roi_map"])


def test_seeds_come_in_the_originals_order_where_none_are_equal(reference, maps):
    seeds = np.unravel_index(find_seeds(maps["spine"], 0.8), maps["spine"].shape)
    np.testing.assert_array_equal(np.stack(seeds, 1), reference("roi3d_ff_iso_a")["seeds_zyx"])


def test_with_flat_voxels_a_region_reaches_as_far_in_micrometres_along_every_axis(reference, maps):
    original = reference("roi3d_ff_aniso_a")["roi_map"]
    labels = label_spines_3d(maps["spine"], (0.5, 0.094, 0.094), Roi3DParameters())
    assert labels.max() == 33 < original.max() == 36  # the original cuts wide spines


def test_splitting_keeps_the_components_that_the_original_loses_at_the_border(reference, maps):
    original = reference("roi3d_cc_watershed")["roi_map"]
    parameters = Roi3DParameters(mode="connected", min_voxels=10, max_voxels=2000)
    whole = label_spines_3d(maps["spine"], (1, 1, 1), parameters)
    split = label_spines_3d(maps["spine"], (1, 1, 1), Roi3DParameters(
        mode="connected", min_voxels=1, max_voxels=2000, watershed=True))
    assert ((split > 0) >= (whole > 0)).all()
    assert ((split > 0) & (original == 0) & (whole > 0)).any()


def test_contours_hold_the_originals_shifted_by_half_a_pixel(reference):
    """Each outline of the original lies within the pixel outline, at most half a pixel from it."""
    expected = reference("roi3d_cc_a")
    contours = trace_contours(expected["roi_map"])
    assert set(zip(contours.plane.tolist(), contours.roi_id.tolist(), strict=True)) == {
        (int(plane), int(roi)) for plane, roi, _, _ in expected["contour_index"]}
    low_high = {}
    for i in range(len(contours)):
        key = (int(contours.plane[i]), int(contours.roi_id[i]))
        points = contours.points(i)
        low, high = low_high.get(key, (points.min(0), points.max(0)))
        low_high[key] = (np.minimum(low, points.min(0)), np.maximum(high, points.max(0)))
    for plane, roi, start, count in expected["contour_index"]:
        points = expected["contour_points_yx"][start:start + count] + 0.5
        low, high = low_high[int(plane), int(roi)]
        assert (points >= low).all()
        assert (points <= high).all()


def same_partition(first, second):
    """Whether two label images agree up to the labels' numbers."""
    if ((first > 0) != (second > 0)).any():
        return False
    pairs = np.unique(np.stack([first[first > 0], second[second > 0]]), axis=1)
    return len(np.unique(pairs[0])) == pairs.shape[1] == len(np.unique(pairs[1]))


def test_plane_rois_are_the_originals_up_to_numbers(reference, maps):
    expected = reference("roi2d_plain")
    labels = label_spines_2d(maps["spine"], Roi2DParameters())
    assert all(same_partition(ours, theirs) for ours, theirs in zip(labels, expected["roi_map"], strict=True))
    assert labels.max() == 188
    centroids = label_statistics(labels).centroids_zyx
    ours = np.stack([centroids[:, 0], centroids[:, 2], centroids[:, 1]], 1)
    theirs = np.column_stack([expected["contour_index"][:, 0], expected["contour_centroids_xy"]])
    ours, theirs = (rows[np.lexsort(np.round(rows, 3).T[::-1])] for rows in (ours, theirs))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_cleaned_plane_rois_are_the_originals_and_keep_their_ids(reference, maps):
    labels = label_spines_2d(maps["spine"], Roi2DParameters())
    cleaned = clean_rois_2d(labels, maps["dendrite"], Roi2DParameters())
    np.testing.assert_array_equal(cleaned > 0, reference("roi2d_plain")["clean_roi_map"] > 0)
    assert len(label_statistics(cleaned)) == 107
    np.testing.assert_array_equal(cleaned[cleaned > 0], labels[cleaned > 0])


def test_split_plane_rois_are_the_originals_away_from_the_border(reference, maps):
    original = reference("roi2d_watershed")["roi_map"]
    labels = label_spines_2d(maps["spine"], Roi2DParameters(watershed=True))
    equal = total = 0
    for ours, theirs in zip(labels, original, strict=True):
        for roi in range(1, int(theirs.max()) + 1):
            mask = theirs == roi
            inside = np.unique(ours[mask])
            equal += len(inside) == 1 and np.array_equal(ours == inside[0], mask)
            total += 1
    assert total == 193
    assert equal >= 190
    assert ((labels > 0) >= (original > 0)).all()


def test_label_counts_sums_and_planes_are_the_originals(reference):
    expected = reference("labels")
    rows = label_statistics(expected["labels"])
    np.testing.assert_array_equal(rows.voxels, expected["counts"][1:])
    np.testing.assert_array_equal(rows.planes, expected["planes"][1:].sum(1))
    np.testing.assert_allclose(rows.centroids_zyx * rows.voxels[:, None], expected["sums_zyx"][1:], rtol=1e-6)
    np.testing.assert_allclose(rows.centroids_zyx[0], expected["centroid_of_label1_zyx"], rtol=1e-12)


def test_renumbering_and_removing_labels_are_the_originals(reference):
    expected = reference("labels")
    ids = label_statistics(expected["reid_in"]).ids
    np.testing.assert_array_equal(renumber(expected["reid_in"], ids, np.arange(1, len(ids) + 1)),
                                  expected["reid_out"])
    ids = label_statistics(expected["labels"]).ids
    kept = ids[~np.isin(ids, expected["clean_ids"])]
    np.testing.assert_array_equal(renumber(expected["labels"], kept, kept), expected["clean_out"])
