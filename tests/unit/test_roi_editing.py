"""Merging, splitting and growing spines, and corrections that a new detection keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepd3_ij import label_stack
from deepd3_ij.errors import ParameterError
from deepd3_ij.rois import RoiSet, grow_outline, keep_corrections, merge_rois, split_roi

STACK = label_stack(np.zeros((6, 24, 24), np.uint8), xy_um=0.1, z_um=0.5)


def rois_of(labels: np.ndarray) -> RoiSet:
    return RoiSet.from_labels(labels, STACK)


def empty() -> np.ndarray:
    return np.zeros(STACK.shape, np.int32)


def two_balls() -> np.ndarray:
    labels = empty()
    z, y, x = np.mgrid[:6, :24, :24]
    for centre in ((3, 8, 6), (3, 8, 14)):
        inside = ((z - centre[0]) * 5) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= 25
        labels[inside] = 1
    return labels


def test_merged_spines_have_the_smallest_id_and_all_voxels() -> None:
    labels = empty()
    labels[2, 3:6, 3:6], labels[3, 3:6, 3:6], labels[4, 20, 20] = 7, 4, 9
    merged = merge_rois(rois_of(labels), (7, 4))
    assert merged.ids.tolist() == [4, 9]
    assert np.array_equal(merged.labels.values == 4, (labels == 7) | (labels == 4))


def test_single_plane_rois_that_are_merged_across_planes_become_three_dimensional() -> None:
    labels = empty()
    labels[2, 3:6, 3:6], labels[3, 3:6, 3:6] = 1, 2
    flat = RoiSet.from_labels(labels, STACK, dimensions=2)
    assert merge_rois(flat, (1, 2)).dimensions == 3


@pytest.mark.parametrize(("ids", "said"), [((4,), "at least two"), ((4, 5), "There is no spine 5")])
def test_what_cannot_be_merged_is_refused(ids: tuple[int, ...], said: str) -> None:
    labels = empty()
    labels[2, 3, 3] = 4
    with pytest.raises(ParameterError, match=said):
        merge_rois(rois_of(labels), ids)


def test_two_balls_are_split_at_their_waist() -> None:
    labels = two_balls()
    parts = split_roi(rois_of(labels), 1)
    assert parts.ids.tolist() == [1, 2]
    x = np.mgrid[:6, :24, :24][2]
    left, right = parts.labels.values[3, 8, 6], parts.labels.values[3, 8, 14]
    assert left != right
    assert np.array_equal(parts.labels.values > 0, labels > 0)
    assert (x[parts.labels.values == left].max() - 10) <= 1
    assert (10 - x[parts.labels.values == right].min()) <= 1


def test_a_line_cuts_a_spine_in_all_planes() -> None:
    labels = two_balls()
    parts = split_roi(rois_of(labels), 1, ((0, 6.0), (24, 6.0)))
    x = np.mgrid[:6, :24, :24][2]
    values = parts.labels.values
    assert x[values == 2].max() == 5
    assert x[values == 1].min() == 6
    with pytest.raises(ParameterError, match="does not cross"):
        split_roi(rois_of(labels), 1, ((0, 23.0), (24, 23.0)))


@given(st.integers(0, 2**32 - 1))
def test_a_split_loses_no_voxel_and_gives_two_spines(seed: int) -> None:
    labels = np.zeros(STACK.shape, np.int32)
    random = np.random.default_rng(seed)
    low = random.integers(0, (4, 20, 20))
    size = random.integers(1, (3, 5, 5))
    labels[tuple(slice(a, a + b) for a, b in zip(low, size, strict=True))] = 5
    if (labels == 5).sum() < 2:
        labels[0, 0, :2] = 5
    parts = split_roi(rois_of(labels), 5)
    assert parts.ids.tolist() == [5, 6]
    assert np.array_equal(parts.labels.values > 0, labels > 0)
    assert parts.statistics.voxels[0] >= parts.statistics.voxels[1]


def test_an_outline_grows_through_the_planes_until_the_probability_ends() -> None:
    spine = np.zeros((6, 24, 24), np.float32)
    spine[1:5, 8:12, 8:12] = 0.8
    spine[2, 8:12, 12:24] = 0.8  # a neighbour that touches
    outline = np.zeros((24, 24), bool)
    outline[7:12, 7:12] = True
    grown = grow_outline(outline, 3, spine, np.ones(spine.shape, bool), 0.25)
    assert np.array_equal(grown[3], outline)
    assert grown[[1, 4], 8:12, 8:12].all()
    assert not grown[[0, 5]].any()
    assert not grown[:, :, 15:].any()


def test_an_outline_does_not_take_voxels_of_other_spines() -> None:
    spine = np.full((6, 24, 24), 0.9, np.float32)
    free = np.ones(spine.shape, bool)
    free[:, :, 12:] = False
    outline = np.zeros((24, 24), bool)
    outline[5:9, 8:16] = True
    grown = grow_outline(outline, 2, spine, free, 0.25)
    assert grown[2, 5:9, 8:12].all()
    assert not (grown & ~free).any()
    with pytest.raises(ParameterError, match="no pixel that is free"):
        grow_outline(outline, 2, spine, np.zeros(spine.shape, bool), 0.25)


def test_corrections_outlive_a_new_detection() -> None:
    before = empty()
    before[2, 2:5, 2:5], before[2, 10:13, 10:13], before[2, 18:21, 18:21] = 1, 2, 3
    now = before.copy()
    now[now == 2] = 0  # deleted
    now[2, 2:5, 5] = 1  # changed
    now[4, 2:5, 18:21] = 4  # added
    built = empty()
    built[2, 2:5, 2:5], built[2, 10:13, 10:13], built[2, 18:22, 18:21] = 1, 2, 3
    built[0, 0:2, 0:2] = 4
    merged, detected = keep_corrections(rois_of(built), rois_of(before), rois_of(now))
    values = merged.labels.values
    assert (values[2, 2:5, 2:6] == 1).all()  # as changed
    assert not values[2, 10:13, 10:13].any()  # still deleted
    assert (values[4, 2:5, 18:21] == 4).all()  # still there
    assert len(np.unique(values[2, 18:22, 18:21])) == 1  # as newly detected
    assert values[2, 21, 18] not in (0, 1, 4)
    assert values[0, 0, 0] not in (0, 1, 4)
    assert len(merged) == 4
    assert merged.provenance["corrections_kept"] == {"corrected": 2, "deleted": 1}
    again, _ = keep_corrections(rois_of(built), detected, merged)
    assert np.array_equal(again.labels.values, values)


def test_a_part_that_was_taken_from_a_spine_stays_away() -> None:
    before = empty()
    before[1:4, 2:6, 2:6], before[1:4, 10:13, 10:13] = 1, 2
    now = before.copy()
    now[1, 2:6, 2:6] = 0
    merged, _ = keep_corrections(rois_of(before), rois_of(before), rois_of(now))
    assert np.array_equal(merged.labels.values > 0, now > 0)
    assert merged.provenance["corrections_kept"] == {"corrected": 1, "deleted": 0}


@given(st.integers(0, 2**32 - 1))
def test_without_corrections_the_new_detection_counts_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    before = random.integers(0, 4, STACK.shape).astype(np.int32)
    built = random.integers(0, 3, STACK.shape).astype(np.int32)
    merged, _ = keep_corrections(rois_of(built), rois_of(before), rois_of(before))
    assert np.array_equal(merged.labels.values > 0, built > 0)


@given(st.integers(0, 2**32 - 1))
def test_kept_corrections_are_kept_again(seed: int) -> None:
    random = np.random.default_rng(seed)
    before, built, now = (random.integers(0, 4, (2, 6, 6)).repeat(4, axis=1).repeat(4, axis=2).astype(np.int32)
                          for _ in range(3))
    small = label_stack(np.zeros((2, 24, 24), np.uint8), xy_um=0.1, z_um=0.5)
    before_set, built_set, now_set = (RoiSet.from_labels(labels, small) for labels in (before, built, now))
    merged, detected = keep_corrections(built_set, before_set, now_set)
    again, _ = keep_corrections(built_set, detected, merged)
    assert np.array_equal(again.labels.values > 0, merged.labels.values > 0)
