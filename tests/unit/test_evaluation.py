"""Matching of detected with annotated spines, and the tables that they come from."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij.errors import AnnotationError, ParameterError, VoxelSizeError
from deepd3_ij.files.point_tables import read_evaluation_points
from deepd3_ij.files.swc import parse_swc
from deepd3_ij.measurement.evaluation import Scores, distance_to_tracing_um, evaluate, match_points, pool
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.parameters import EvaluationParameters


def points(*zyx_um: tuple[float, float, float], z_um: float = 1.0, xy_um: float = 0.1) -> SpinePoints:
    """Spines at the given planes and µm, with ids 1, 2, …"""
    zyx = np.array(zyx_um, dtype=float).reshape(-1, 3) / [1.0, xy_um, xy_um]
    return SpinePoints(np.arange(1, len(zyx) + 1), zyx, z_um=z_um, xy_um=xy_um)


def test_all_are_matched_where_the_nearest_first_would_lose_one() -> None:
    result = evaluate(points((0, 0, 1.0), (0, 0, 2.0)), points((0, 0, 1.9), (0, 0, 3.0)))
    assert [(match.detected_id, match.truth_id) for match in result.matches] == [(1, 1), (2, 2)]
    assert (result.scores.recall, result.scores.precision, result.scores.f1) == (1, 1, 1)


def test_limits_belong_to_the_accepted_range() -> None:
    parameters = EvaluationParameters(match_xy_um=1.0, match_z_planes=2)
    assert evaluate(points((2, 0, 1.0)), points((0, 0, 0)), parameters=parameters).scores.matched == 1
    assert evaluate(points((2, 0, 1.01)), points((0, 0, 0)), parameters=parameters).scores.matched == 0
    assert evaluate(points((2.1, 0, 1.0)), points((0, 0, 0)), parameters=parameters).scores.matched == 0


def test_scores_count_misses_and_false_positives() -> None:
    result = evaluate(points((0, 0, 0), (0, 9, 9)), points((0, 0, 0.5), (0, 5, 5), (0, 5, 8)))
    assert result.scores == Scores(truth=3, detected=2, matched=1, false_positives=1, ignored=0)
    assert result.scores.recall == pytest.approx(1 / 3)
    assert result.scores.precision == pytest.approx(1 / 2)
    assert result.scores.f1 == pytest.approx(0.4)
    assert (result.missed_ids, result.false_positive_ids) == ((2, 3), (2,))


def test_unmatched_detections_far_from_the_trace_do_not_count_and_matched_ones_always_do() -> None:
    trace = parse_swc("1 3 0 0 5 1 -1\n2 3 20 0 5 1 1\n", "a.swc")
    found = points((5, 2.4, 10), (5, 2.6, 10), (8, 0, 10), (9, 0, 10), (5, 4, 3))
    result = evaluate(found, points((5, 4, 3)), trace)
    assert result.false_positive_ids == (1, 3)
    assert result.ignored_ids == (2, 4)
    assert result.matches[0].detected_id == 5
    assert result.scores.precision == pytest.approx(1 / 3)


def test_planes_are_those_of_the_annotation_when_voxel_sizes_differ() -> None:
    found = points((8, 0, 0), z_um=0.25, xy_um=0.05)
    real = points((0, 0, 0), z_um=1.0, xy_um=0.12)
    assert evaluate(found, real).matches[0].z_planes == pytest.approx(2)


def test_nothing_detected_or_annotated_gives_undefined_scores_that_are_valid_json() -> None:
    nothing = points()
    result = evaluate(nothing, nothing)
    assert math.isnan(result.scores.f1)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["recall"] is None
    assert evaluate(nothing, points((0, 0, 0))).scores.f1 == 0
    assert evaluate(points((0, 0, 0)), nothing).scores.false_positives == 1


def test_pooled_scores_add_counts() -> None:
    total = pool([Scores(10, 8, 6, 2, 0), Scores(2, 4, 2, 1, 1)])
    assert total == Scores(12, 12, 8, 3, 1)
    assert total.recall == pytest.approx(8 / 12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.data())
def test_no_other_pairing_has_more_pairs_or_the_same_number_with_less_distance(
    rows: int, columns: int, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.integers(0, 20), min_size=rows * columns, max_size=rows * columns))
    distance = np.array(values, dtype=float).reshape(rows, columns) / 10
    parameters = EvaluationParameters()
    found = match_points(distance, np.zeros_like(distance), parameters)
    best = (0, 0.0)
    for size in range(min(rows, columns), 0, -1):
        pairings = [distance[list(chosen), list(order)] for chosen in itertools.combinations(range(rows), size)
                    for order in itertools.permutations(range(columns), size)]
        totals = [pairing.sum() for pairing in pairings if (pairing <= parameters.match_xy_um).all()]
        if totals:
            best = (size, float(min(totals)))
            break
    assert len(found[0]) == best[0]
    assert distance[found].sum() == pytest.approx(best[1])


def test_the_distance_to_a_trace_is_to_its_segments_not_to_its_nodes() -> None:
    trace = parse_swc("1 3 0 0 0 1 -1\n2 3 100 0 0 1 1\n", "a.swc")
    assert distance_to_tracing_um(np.array([[0.0, 1.5, 50.0]]), trace, z_um=1.0) == pytest.approx(1.5)


def test_only_the_part_of_a_trace_near_in_z_counts() -> None:
    trace = parse_swc("1 3 0 0 0 1 -1\n2 3 20 0 20 1 1\n", "a.swc")  # rises one plane per µm
    point = np.array([[0.0, 0.0, 10.0]])
    assert distance_to_tracing_um(point, trace, z_um=1.0) == pytest.approx(0)
    assert distance_to_tracing_um(point, trace, z_um=1.0, z_planes=3) == pytest.approx(7)
    assert np.isinf(distance_to_tracing_um(np.array([[40.0, 0, 0]]), trace, z_um=1.0, z_planes=3))[0]


def test_a_trace_of_single_nodes_counts_too() -> None:
    trace = parse_swc("1 3 2 0 0 1 -1\n2 3 9 0 0 1 -1\n", "a.swc")
    assert distance_to_tracing_um(np.array([[0.0, 0.0, 3.0]]), trace, z_um=1.0) == pytest.approx(1)


def test_positions_must_be_numbers_and_voxel_sizes_positive() -> None:
    with pytest.raises(ParameterError, match="finite"):
        SpinePoints(np.array([1]), np.array([[0, np.nan, 0]]), z_um=1, xy_um=1)
    with pytest.raises(VoxelSizeError, match="xy_um is 0"):
        SpinePoints(np.array([1]), np.zeros((1, 3)), z_um=1, xy_um=0)


OWN = "id,z_um,y_um,x_um,z_px,y_px,x_px,planes\n3,2.0,1.2,2.4,4.0,12.0,24.0,2\n8,5.0,2.0,0.5,10.0,20.0,5.0,1\n"
MARKERS = "idx,x_px,y_px,z_slice0,isBad,head_x_px,head_y_px\n7,1,2,3.0,,24,12\n9,5,5,5,1,6,6\n11,8,9,10.0,0,5,20\n"


def read_one(path: Path, **size: float) -> SpinePoints:
    return read_evaluation_points(path, path, **size)[0]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_voxel_size_follows_from_this_packages_table(tmp_path: Path) -> None:
    found = read_one(write(tmp_path / "a.csv", OWN))
    assert (found.z_um, found.xy_um) == (pytest.approx(0.5), pytest.approx(0.1))
    assert found.ids.tolist() == [3, 8]
    np.testing.assert_allclose(found.zyx_px[0], [4, 12, 24])


def test_markers_are_read_at_their_heads_without_bad_ones(tmp_path: Path) -> None:
    real = read_one(write(tmp_path / "b.csv", "\ufeff" + MARKERS), xy_um=0.12, z_um=1)
    assert real.ids.tolist() == [7, 11]
    np.testing.assert_allclose(real.zyx_px, [[3, 12, 24], [10, 20, 5]])


def test_markers_without_a_voxel_size_take_that_of_the_other_table(tmp_path: Path) -> None:
    found, real = read_evaluation_points(write(tmp_path / "a.csv", OWN), write(tmp_path / "b.csv", MARKERS))
    assert (real.z_um, real.xy_um) == (found.z_um, found.xy_um)
    assert evaluate(found, real).scores.matched == 2


def test_a_given_voxel_size_wins_over_the_tables(tmp_path: Path) -> None:
    found, real = read_evaluation_points(write(tmp_path / "a.csv", OWN), write(tmp_path / "b.csv", MARKERS),
                                         xy_um=0.2, z_um=2)
    assert (found.xy_um, found.z_um, real.xy_um, real.z_um) == (0.2, 2, 0.2, 2)


def test_positions_in_micrometres_alone_need_a_voxel_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "z_um,y_um,x_um\n1.0,2.0,3.0\n")
    np.testing.assert_allclose(read_one(path, xy_um=0.1, z_um=0.5).zyx_px, [[2, 20, 30]])
    with pytest.raises(AnnotationError, match="--xy and --z"):
        read_one(path)


def test_an_empty_table_of_this_package_has_no_spines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", OWN.splitlines()[0] + "\n")
    assert len(read_one(path, xy_um=0.1, z_um=0.5)) == 0


@pytest.mark.parametrize(("text", "words"), [
    ("", "no readable CSV table"),
    ("a,b\n1,2\n", "has the columns a, b; accepted: z_px"),
    ("z_px,y_px,x_px\n1,2,3\n1,two,3\n", "line 3: y_px is 'two'"),
    ("z_px,y_px,x_px\n1,,3\n", "line 2: y_px"),
])
def test_a_table_that_cannot_be_used_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnnotationError, match=words) as caught:
        read_one(write(tmp_path / "a.csv", text), xy_um=0.1, z_um=0.5)
    assert "a.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
