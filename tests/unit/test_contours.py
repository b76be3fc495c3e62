"""Outlines along pixel edges, and filling them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from deepd3_ij.errors import AnnotationError
from deepd3_ij.rois.contours import Contours, rasterise, trace_contours

label_volumes = hnp.arrays(np.int32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=9), elements=st.integers(0, 3))


def signed_area(points: np.ndarray) -> float:
    y, x = points[:, 0].astype(float), points[:, 1].astype(float)
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def outlines(*polygons: list[tuple[float, float]], roi_id: int = 1, plane: int = 0,
             holes: tuple[int, ...] = ()) -> Contours:
    count = np.array([len(polygon) for polygon in polygons], np.int64)
    n = len(polygons)
    return Contours(np.full(n, plane, np.int32), np.full(n, roi_id, np.int32),
                    np.isin(np.arange(n), holes), np.cumsum(count) - count, count,
                    np.array([point for polygon in polygons for point in polygon], np.float64))


@given(label_volumes)
@settings(max_examples=150, deadline=None)
def test_filling_the_outlines_gives_the_labels_back(labels):
    np.testing.assert_array_equal(rasterise(trace_contours(labels), labels.shape), labels)


@given(label_volumes)
@settings(max_examples=100, deadline=None)
def test_areas_less_holes_equal_pixel_counts_in_every_plane(labels):
    contours = trace_contours(labels)
    area = np.zeros((len(labels), 4))
    for i in range(len(contours)):
        signed = signed_area(contours.points(i))
        assert (signed < 0) == contours.is_hole[i]
        area[contours.plane[i], contours.roi_id[i]] += signed
    for z, plane in enumerate(labels):
        np.testing.assert_array_equal(area[z, 1:], np.bincount(plane.ravel(), minlength=4)[1:4])


@given(label_volumes)
@settings(max_examples=100, deadline=None)
def test_every_connected_part_has_exactly_one_outer_outline(labels):
    contours = trace_contours(labels)
    for z, plane in enumerate(labels):
        for roi_id in range(1, 4):
            parts = ndimage.label(plane == roi_id)[1]
            chosen = (contours.plane == z) & (contours.roi_id == roi_id) & ~contours.is_hole
            assert chosen.sum() == parts


@given(label_volumes)
@settings(max_examples=100, deadline=None)
def test_outlines_have_corners_only_and_no_repeated_vertex_in_a_row(labels):
    contours = trace_contours(labels)
    for i in range(len(contours)):
        steps = np.diff(contours.points(i), axis=0, append=contours.points(i)[:1])
        assert (np.count_nonzero(steps, axis=1) == 1).all()
        moves_along_x = steps[:, 1] != 0
        assert (moves_along_x != np.roll(moves_along_x, 1)).all()


def test_a_single_pixel_is_its_square():
    labels = np.zeros((1, 4, 5), np.int32)
    labels[0, 2, 3] = 7
    contours = trace_contours(labels)
    assert contours.points(0).tolist() == [[2, 3], [2, 4], [3, 4], [3, 3]]
    assert (contours.plane[0], contours.roi_id[0], contours.is_hole[0]) == (0, 7, False)
    assert contours.points_yx.dtype == np.int32


def test_a_plane_full_of_one_label_is_outlined_at_its_border():
    contours = trace_contours(np.ones((2, 3, 4), np.int32))
    assert len(contours) == 2
    assert contours.points(1).tolist() == [[0, 0], [0, 4], [3, 4], [3, 0]]


def test_parts_that_touch_at_a_corner_are_separate_outlines():
    labels = np.zeros((1, 3, 3), np.int32)
    labels[0, 0, 0] = labels[0, 1, 1] = labels[0, 2, 2] = 1
    contours = trace_contours(labels)
    assert len(contours) == 3
    assert not contours.is_hole.any()


def test_an_island_in_a_hole_is_kept():
    labels = np.ones((1, 7, 7), np.int32)
    labels[0, 1:6, 1:6] = 0
    labels[0, 3, 3] = 1
    contours = trace_contours(labels)
    assert sorted(contours.is_hole.tolist()) == [False, False, True]
    np.testing.assert_array_equal(rasterise(contours, labels.shape), labels)


def test_outlines_are_sorted_by_plane_then_id_then_first_pixel():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, (4, 12, 12)).astype(np.int32)
    contours = trace_contours(labels)
    first = np.array([contours.points(i)[0] for i in range(len(contours))])
    keys = list(zip(contours.plane, contours.roi_id, first[:, 0], first[:, 1], strict=True))
    assert keys == sorted(keys)
    np.testing.assert_array_equal(contours.start, np.cumsum(contours.count) - contours.count)


def test_no_roi_gives_no_outline():
    contours = trace_contours(np.zeros((2, 3, 4), np.int32))
    assert len(contours) == 0
    assert rasterise(contours, (2, 3, 4)).sum() == 0


def test_selection_packs_the_vertices_of_the_chosen_outlines():
    labels = np.zeros((2, 5, 5), np.int32)
    labels[0, 0, 0], labels[0, 2:4, 2:4], labels[1, 1, 1] = 1, 2, 3
    contours = trace_contours(labels)
    chosen = contours.select(contours.roi_id != 2)
    assert chosen.roi_id.tolist() == [1, 3]
    assert len(chosen.points_yx) == 8
    np.testing.assert_array_equal(chosen.points(1), contours.points(2))
    assert contours.select(np.array([2, 0])).roi_id.tolist() == [3, 1]


@given(st.lists(st.tuples(st.floats(-3, 15), st.floats(-3, 15)), min_size=3, max_size=9))
@settings(max_examples=200, deadline=None)
def test_a_drawn_polygon_holds_the_pixels_whose_centres_lie_inside(polygon):
    filled = rasterise(outlines(polygon), (1, 12, 12))[0] > 0
    expected = np.zeros((12, 12), bool)
    points = np.array(polygon)
    for y in range(12):
        for x in range(12):
            expected[y, x] = even_odd(points, y + 0.5, x + 0.5)
    on_edge = np.array([[near_edge(points, y + 0.5, x + 0.5) for x in range(12)] for y in range(12)])
    np.testing.assert_array_equal(filled[~on_edge], expected[~on_edge])


def even_odd(points: np.ndarray, y: float, x: float) -> bool:
    inside = False
    for (y0, x0), (y1, x1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (x1 - x0) * (y - y0) / (y1 - y0) <= x:
            inside = not inside
    return inside


def near_edge(points: np.ndarray, y: float, x: float) -> bool:
    for (y0, x0), (y1, x1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        along = np.array([y1 - y0, x1 - x0])
        length = float(along @ along)
        t = 0.0 if length == 0 else float(np.clip(((y - y0) * along[0] + (x - x0) * along[1]) / length, 0, 1))
        if np.hypot(y0 + t * along[0] - y, x0 + t * along[1] - x) < 1e-6:
            return True
    return False


def test_a_hole_is_left_out_whatever_its_direction():
    square = [(0, 0), (0, 6), (6, 6), (6, 0)]
    hole = [(2, 2), (2, 4), (4, 4), (4, 2)]
    for drawn in (hole, hole[::-1]):
        filled = rasterise(outlines(square, drawn, holes=(1,)), (1, 6, 6))
        assert filled.sum() == 32


def test_overlapping_parts_of_a_roi_are_joined():
    first = [(0, 0), (0, 4), (4, 4), (4, 0)]
    second = [(2, 2), (2, 6), (6, 6), (6, 2)]
    assert rasterise(outlines(first, second), (1, 8, 8)).sum() == 16 + 16 - 4


def test_where_rois_overlap_the_larger_id_wins():
    square = [(0, 0), (0, 4), (4, 4), (4, 0)]
    one, two = outlines(square, roi_id=5), outlines([(y + 2, x) for y, x in square], roi_id=2)
    joined = {name: np.concatenate([getattr(one, name), getattr(two, name)])
              for name in ("plane", "roi_id", "is_hole", "points_yx")}
    both = Contours(**joined, start=np.array([0, 4]), count=np.array([4, 4]))
    filled = rasterise(both, (1, 6, 4))[0]
    assert filled[:4].min() == 5
    assert (filled[4:] == 2).all()


def test_what_lies_outside_of_the_image_is_left_out():
    filled = rasterise(outlines([(-5, -5), (-5, 50), (50, 50), (50, -5)], plane=1), (2, 4, 6))
    assert (filled[0] == 0).all()
    assert (filled[1] == 1).all()
    assert rasterise(outlines([(20, 20), (20, 30), (30, 30)]), (1, 4, 6)).sum() == 0


@pytest.mark.parametrize(("change", "words"), [
    ({"plane": np.array([9], np.int32)}, "plane 9"),
    ({"roi_id": np.array([0], np.int32)}, "id 0"),
    ({"points_yx": np.full((3, 2), np.nan)}, "not a finite number"),
])
def test_unusable_outlines_are_refused(change, words):
    contours = dataclasses.replace(outlines([(0, 0), (0, 3), (3, 3)]), **change)
    with pytest.raises(AnnotationError, match=words):
        rasterise(contours, (2, 4, 4))


def test_labels_of_other_dimensions_are_refused():
    with pytest.raises(AnnotationError, match=r"\(4, 4\)"):
        trace_contours(np.zeros((4, 4), np.int32))
