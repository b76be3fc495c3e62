"""The same spines over time: registration, links, states and tables on made-up dendrites."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.errors import AnnotationError, ParameterError, StackError
from deepd3_ij.measurement.forced import light_at
from deepd3_ij.notes import collected_notes
from deepd3_ij.parameters import MeasureParameters, TimelapseParameters
from deepd3_ij.stack import label_prediction, label_stack
from deepd3_ij.timelapse import TimePoint, link_timepoints
from deepd3_ij.timelapse.decay import ONE, TWO, survival_fits
from deepd3_ij.timelapse.registration import RegistrationQuality, RigidTransform, is_registered
from deepd3_ij.timelapse.scores import LinkScores, score_links
from deepd3_ij.timelapse.survival import kaplan_meier
from deepd3_ij.timelapse.tables import track_class
from deepd3_ij.timelapse.timepoint import segmented_box
from deepd3_ij.timelapse.turning import TURNS, turned

BOX = np.array([[0.0, 0.0, 0.0], [30.0, 60.0, 50.0]])


def dendrites(seed: int, count: int = 3) -> list[np.ndarray]:
    """Wavy lines through the box, z y x in µm, a point every 0.4 µm."""
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(count):
        along = np.arange(0, 58, 0.4) + 1
        across = 10 + 14 * number + 3 * np.sin(along / rng.uniform(6, 11) + rng.uniform(0, 6))
        depth = 8 + 7 * number + 2 * np.sin(along / rng.uniform(9, 15) + rng.uniform(0, 6))
        lines.append(np.stack([depth, along, across], axis=1))
    return lines


def tracing(lines: list[np.ndarray]) -> Tracing:
    parents = np.concatenate([np.where(np.arange(len(line)) == 0, -1, np.arange(len(line)) + begin)
                              for line, begin in zip(lines, np.cumsum([0] + [len(line) for line in lines[:-1]]),
                                                     strict=True)])
    points = np.concatenate(lines)
    count = len(points)
    return Tracing(np.arange(1, count + 1), np.full(count, 3), points[:, ::-1], np.full(count, 0.4), parents)


def spines_on(lines: list[np.ndarray], count: int, seed: int) -> np.ndarray:
    """Spines beside the lines, z y x in µm, at least 0.8 µm from each other."""
    rng = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    while len(found) < count:
        line = lines[rng.integers(len(lines))]
        at = rng.integers(6, len(line) - 6)
        place = line[at] + np.array([rng.normal(0, 0.3), 0, rng.choice([-1, 1]) * rng.uniform(0.8, 1.8)])
        if all(np.linalg.norm(place - other) > 0.8 for other in found):
            found.append(place)
    return np.array(found)


def time_point(name: str, day: float, places: np.ndarray, lines: list[np.ndarray], ids: np.ndarray | None = None,
               box: np.ndarray = BOX) -> TimePoint:
    table = pd.DataFrame(places, columns=["z_um", "y_um", "x_um"])
    table.insert(0, "id", np.arange(1, len(places) + 1) if ids is None else ids)
    return TimePoint(name, day, table, tracing(lines), box)


def moved(points: np.ndarray, shift: tuple[float, float, float], degrees: float) -> np.ndarray:
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    centre = BOX.mean(axis=0)
    out = points - centre
    out[:, 1:] = out[:, 1:] @ turn.T
    return np.asarray(out + centre + np.array(shift))


def series(sessions: int = 4, count: int = 90, seed: int = 0, change: float = 0.1, spread: float = 0.15
           ) -> tuple[list[TimePoint], list[np.ndarray]]:
    """Time points of one field that moves, with spines that come and go; ids are the true tracks."""
    rng = np.random.default_rng(seed)
    lines = dendrites(seed)
    pool = spines_on(lines, count + 60, seed + 1)
    alive = np.arange(len(pool)) < count
    points, truths = [], []
    for number in range(sessions):
        if number:
            dying, born = alive & (rng.random(len(pool)) < change), ~alive & (rng.random(len(pool)) < change)
            alive = (alive & ~dying) | born
        shift, angle = rng.uniform(-5, 5, 3) * (number > 0), rng.uniform(-5, 5) * (number > 0)
        ids = np.flatnonzero(alive) + 1
        places = pool[alive] + rng.normal(0, 1, (len(ids), 3)) * np.array([2 * spread, spread, spread])
        own = [moved(line, tuple(shift), angle) for line in lines]
        points.append(time_point(f"day{3 * number}", 3.0 * number, moved(places, tuple(shift), angle), own, ids))
        truths.append(ids)
    return points, truths


def scores_of(points: list[TimePoint]) -> LinkScores:
    found = link_timepoints(points)
    truth = np.concatenate([point.spines["id"].to_numpy() for point in found.points])
    return score_links(found.detections, found.links, truth)


def test_spines_of_a_field_that_moved_and_turned_are_found_again() -> None:
    scores = scores_of(series()[0])
    assert scores.truth > 200
    assert scores.f1 >= 0.97


def test_turnover_and_survival_are_those_that_were_made() -> None:
    points, truths = series(sessions=3, seed=3)
    found = link_timepoints(points)
    rows = found.summary[found.summary["dendrite_id"] == "all"]
    for turnover, one, other in zip(rows["turnover"], truths[:-1], truths[1:], strict=True):
        assert turnover == pytest.approx(len(np.setxor1d(one, other)) / (len(one) + len(other)), abs=0.04)
    fraction = found.survival[found.survival["cohort"] == "fraction"]["present_fraction"].to_numpy()
    assert fraction[2] == pytest.approx(np.isin(truths[0], truths[2]).mean(), abs=0.06)


def test_the_order_of_files_and_of_rows_does_not_matter() -> None:
    points, _ = series(seed=5)
    shuffled = [dataclasses.replace(point, spines=point.spines.sample(frac=1, random_state=1, ignore_index=True))
                for point in (points[2], points[0], points[3], points[1])]
    one, other = link_timepoints(points), link_timepoints(shuffled)
    pd.testing.assert_frame_equal(one.tracks, other.tracks)
    pd.testing.assert_frame_equal(one.spines, other.spines)
    pd.testing.assert_frame_equal(one.summary, other.summary)


@settings(max_examples=8)
@given(st.integers(0, 5), st.permutations(range(4)))
def test_every_spine_is_in_one_track_and_a_track_has_one_spine_a_time_point(seed: int, order: list[int]) -> None:
    points, _ = series(count=25, seed=seed, change=0.3)
    found = link_timepoints([points[number] for number in order], parameters={"registration": "none"})
    seen = found.spines[found.spines["id"] > 0]
    assert len(seen) == sum(len(point.spines) for point in points)
    assert not seen.duplicated(["time_point", "id"]).any()
    assert not found.spines.duplicated(["track_id", "session"]).any()
    assert len(found.spines) == 4 * len(found.tracks)
    both = found.summary[found.summary["dendrite_id"] == "all"]
    assert (both["spines"] == both["stable"] + both["lost"]).all()
    assert (both["next_spines"] == both["stable"] + both["gained"]).all()
    assert found.links.probability.min() > 0
    assert found.links.probability.max() <= 1


def test_a_spine_that_the_planes_do_not_show_is_unobservable_and_not_lost() -> None:
    points, _ = series(sessions=2, seed=2, change=0.0)
    cut = BOX.copy()
    cut[0, 0] = 11.0
    shown = points[1].spines["z_um"] >= 11.0
    second = dataclasses.replace(points[1], spines=points[1].spines[shown].reset_index(drop=True), box_um=cut)
    states = link_timepoints([points[0], second]).spines
    hidden = points[1].spines.loc[~shown, "id"]
    rows = states[states["session"] == 2]
    first = states[states["session"] == 1].set_index("track_id")["id"]
    gone = rows[rows["track_id"].map(first).isin(hidden)]
    assert len(gone) > 10
    assert (gone["state"] == "unobservable").mean() > 0.95
    assert (rows["state"] == "absent").sum() <= 2


def test_a_map_decides_whether_a_spine_that_was_not_detected_is_there() -> None:
    lines = dendrites(1, count=1)
    places = spines_on(lines, 30, 3)
    stack = label_stack(np.zeros((31, 301, 251), dtype=np.uint8), xy_um=0.2, z_um=1.0)
    probability = np.zeros(stack.shape, dtype=np.float32)
    inside = [row for row, place in enumerate(places) if 4 < place[0] < 26 and 4 < place[1] < 56 and 4 < place[2] < 46]
    for row, value in zip(inside[:3], (0.6, 0.3, 0.05), strict=True):
        z, y, x = np.rint(places[row] / (1.0, 0.2, 0.2)).astype(int)
        probability[z, y, x] = value
    prediction = label_prediction(np.zeros(stack.shape, np.float32), probability, stack, {})
    missing = np.isin(np.arange(len(places)), inside[:3])
    second = time_point("second", 1, places[~missing], lines, np.flatnonzero(~missing) + 1)
    second = dataclasses.replace(second, prediction=prediction)
    found = link_timepoints([time_point("first", 0, places, lines), second], parameters={"registration": "none"}).spines
    first = found[found["session"] == 1].set_index("id")["track_id"]
    later = found[found["session"] == 2].set_index("track_id")
    assert [later.loc[first[row + 1], "state"] for row in inside[:3]] == ["recovered", "undecided", "absent"]
    assert later.loc[first[inside[0] + 1], "spine_probability"] == pytest.approx(0.6)


def test_what_was_not_segmented_is_unobservable() -> None:
    stack = label_stack(np.zeros((31, 301, 251), dtype=np.uint8), xy_um=0.2, z_um=1.0)
    zeros = np.zeros(stack.shape, np.float32)
    whole = label_prediction(zeros, zeros, stack, {"z_range": [0, 31]})
    part = label_prediction(zeros, zeros, stack, {"z_range": [5, 21], "region": [10, 20, 100, 200]})
    np.testing.assert_allclose(segmented_box(whole), BOX)
    np.testing.assert_allclose(segmented_box(part), [[5, 4, 2], [20, 43.8, 21.8]])
    lines = dendrites(1, count=1)
    places = spines_on(lines, 30, 3)
    beyond = np.argmax(places[:, 1])
    second = time_point("second", 1, np.delete(places, beyond, axis=0), lines, np.delete(np.arange(30), beyond) + 1)
    second = dataclasses.replace(second, prediction=part, box_um=segmented_box(part))
    found = link_timepoints([time_point("first", 0, places, lines), second], parameters={"registration": "none"}).spines
    track = found.loc[(found["session"] == 1) & (found["id"] == beyond + 1), "track_id"].iloc[0]
    assert found.loc[(found["session"] == 2) & (found["track_id"] == track), "state"].tolist() == ["unobservable"]


def test_a_place_that_motion_correction_has_filled_is_unobservable() -> None:
    lines = dendrites(1, count=1)
    places = spines_on(lines, 30, 3)
    noise = np.random.default_rng(0).poisson(5, (31, 301, 251)).astype(np.uint8)
    noise[:, :150] = 0
    stack = label_stack(noise, xy_um=0.2, z_um=1.0)
    missing = np.arange(len(places)) % 2 == 0
    second = time_point("second", 1, places[~missing], lines, np.flatnonzero(~missing) + 1)
    second = dataclasses.replace(second, stack=stack)
    found = link_timepoints([time_point("first", 0, places, lines), second], parameters={"registration": "none"}).spines
    first = found[found["session"] == 1].set_index("track_id")
    later = found[(found["session"] == 2) & (found["id"] == 0)]
    filled = later["track_id"].map(first["y_um"]) < 29
    assert set(later.loc[filled, "state"]) == {"unobservable"}
    assert (later.loc[~filled, "state"] == "absent").any()
    assert "no data" in set(later["reason"])
    assert "no data" not in set(later.loc[later["track_id"].map(first["y_um"]) > 31, "reason"])


def drawn(lines: list[np.ndarray], places: np.ndarray, light: np.ndarray, shaft: float = 60.0) -> np.ndarray:
    """An image of dendrites and spines in noise, 8 bit, 1 µm × 0.2 µm × 0.2 µm."""
    image = np.zeros((31, 301, 251))
    for line in lines:
        z, y, x = np.rint(line / (1, 0.2, 0.2)).astype(int).T
        image[z, y, x] = shaft * 25
    z, y, x = np.rint(places / (1, 0.2, 0.2)).astype(int).T
    image[z, y, x] += light * 25
    blurred = gaussian_filter(image, (0.8, 1, 1)) + 5
    return np.clip(np.random.default_rng(0).poisson(blurred), 0, 255).astype(np.uint8)


def second_state(lines: list[np.ndarray], places: np.ndarray, missing: int, **known: object) -> tuple[str, str]:
    """State and reason of a spine that is seen at the first time point and not at the second."""
    kept = np.arange(len(places)) != missing
    second = time_point("second", 1, places[kept], lines, np.flatnonzero(kept) + 1)
    second = dataclasses.replace(second, **known)
    found = link_timepoints([time_point("first", 0, places, lines), second], parameters={"registration": "none"}).spines
    track = found.loc[(found["session"] == 1) & (found["id"] == missing + 1), "track_id"].iloc[0]
    row = found[(found["session"] == 2) & (found["track_id"] == track)].iloc[0]
    return row["state"], row["reason"]


def test_a_spine_beside_a_shaft_that_is_hardly_seen_is_unobservable() -> None:
    lines = dendrites(1, count=1)
    places = spines_on(lines, 30, 3)
    bright, dim = (label_stack(drawn(lines, places, np.zeros(30), shaft), xy_um=0.2, z_um=1.0) for shaft in (60, 2))
    assert second_state(lines, places, 4, stack=bright) == ("absent", "")
    assert second_state(lines, places, 4, stack=dim) == ("unobservable", "weak shaft")


def test_a_place_with_saturated_light_is_unobservable_where_nothing_was_detected() -> None:
    lines = dendrites(1, count=1)
    places = spines_on(lines, 30, 3)
    image = drawn(lines, places, np.zeros(30))
    z, y, x = np.rint(places[4] / (1, 0.2, 0.2)).astype(int)
    image[z - 1:z + 2, y - 3:y + 4, x - 3:x + 4] = 255
    stack = label_stack(image, xy_um=0.2, z_um=1.0)
    assert second_state(lines, places, 4, stack=stack) == ("unobservable", "saturated")
    assert second_state(lines, places, 9, stack=stack) == ("absent", "")


def test_a_spine_above_which_another_dendrite_passes_is_unobservable() -> None:
    lines = dendrites(1, count=1)
    places = spines_on(lines, 30, 3)
    across = np.arange(-8, 8, 0.4)
    for height, expected in ((2.5, "covered by another dendrite"), (6.0, "")):
        other = places[4] + np.stack([np.full(len(across), height), np.zeros(len(across)), across], axis=1)
        assert second_state([*lines, other], places, 4)[1] == expected


def test_light_decides_where_the_map_is_in_doubt_and_gives_the_size_of_what_is_there() -> None:
    lines = [np.stack([np.full(145, 12.0), np.arange(145) * 0.4 + 1, np.full(145, 24.0)], axis=1)]
    places = np.stack([np.full(9, 12.0), 6.0 * np.arange(9) + 5, np.full(9, 25.4)], axis=1)
    light = np.full(9, 150.0)
    light[4] = 0
    stack = label_stack(drawn(lines, places, light), xy_um=0.2, z_um=1.0)
    dendrite, spine = np.zeros(stack.shape, np.float32), np.zeros(stack.shape, np.float32)
    z, y, x = np.rint(lines[0] / (1, 0.2, 0.2)).astype(int).T
    for offset in range(-2, 3):
        for plane in (-1, 0, 1):
            dendrite[z + plane, y, x + offset] = dendrite[z + plane, np.minimum(y + 1, 300), x + offset] = 1
    for row in (4, 6):
        spine[tuple(np.rint(places[row] / (1, 0.2, 0.2)).astype(int))] = 0.3
    prediction = label_prediction(dendrite, spine, stack, {})
    kept = ~np.isin(np.arange(9), (4, 6))
    sizes = light_at(stack, prediction, None, places, np.zeros((0, 3)), MeasureParameters()).relative
    first = time_point("first", 0, places, lines)
    first = dataclasses.replace(first, spines=first.spines.assign(volume_relative=np.median(sizes[kept])))
    second = time_point("second", 1, places[kept], lines, np.flatnonzero(kept) + 1)
    second = dataclasses.replace(second, stack=stack, prediction=prediction)
    found = link_timepoints([first, second], parameters={"registration": "none"}).spines
    track = found[found["session"] == 1].set_index("id")["track_id"]
    later = found[found["session"] == 2].set_index("track_id")
    dark, seen = later.loc[track[5]], later.loc[track[7]]
    assert (dark["state"], dark["reason"]) == ("absent", "by its light")
    assert (seen["state"], seen["reason"]) == ("recovered", "by its light")
    assert seen["volume_relative"] == pytest.approx(np.median(sizes[kept]), rel=0.3)
    assert 0 < seen["volume_relative_se"] < 0.5 * seen["volume_relative"]
    assert np.isnan(dark["volume_relative"])
    # Measured so that nothing of this map is dendrite, there is no light of a shaft to compare with.
    blind = dataclasses.replace(second, measured_with=MeasureParameters(measured_dendrite_threshold=1.0))
    found = link_timepoints([first, blind], parameters={"registration": "none"}).spines
    states = found[found["session"] == 2].set_index("track_id").loc[[track[5], track[7]], "state"]
    assert states.tolist() == ["undecided", "undecided"]


@pytest.mark.parametrize(("there", "expected"), [
    ([1, 1, 1], "stable"), ([0, 1, 1], "gained"), ([1, 0, 0], "lost"), ([0, 1, 0], "transient"),
    ([0, 1, 1, 1, 0], "gained and lost"), ([1, 0, 1], "recurrent"), ([1], "undecided"), ([0, 0], "undecided")])
def test_classes_of_tracks(there: list[int], expected: str) -> None:
    assert track_class(np.array(there, dtype=bool), 3.0 * np.arange(len(there)), 4.0) == expected


def test_kaplan_meier_agrees_with_a_case_worked_by_hand() -> None:
    days, died = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([True, True, False, False, True])
    table = kaplan_meier(days, died)
    assert table["survival"].tolist() == pytest.approx([1, 0.8, 0.6, 0.6, 0.0])
    assert table["at_risk"].tolist() == [5, 5, 4, 2, 1]
    assert table["censored"].sum() == 2


@given(st.lists(st.tuples(st.floats(0.1, 20), st.booleans()), min_size=1, max_size=40))
def test_survival_never_rises_and_its_limits_enclose_it(lives: list[tuple[float, bool]]) -> None:
    days, died = (np.array(column) for column in zip(*lives, strict=True))
    table = kaplan_meier(days, died)
    assert (np.diff(table["survival"]) <= 1e-12).all()
    assert (table["low"] <= table["survival"] + 1e-9).all()
    assert (table["survival"] <= table["high"] + 1e-9).all()
    if not died.any():
        assert (table["survival"] == 1).all()


def test_exponentials_are_found_again_and_too_few_points_say_so() -> None:
    days = np.arange(0, 24, 2.0)
    two = 0.4 * np.exp(-0.5 * days) + 0.6 * np.exp(-0.01 * days)
    table = pd.concat([pd.DataFrame({"cohort": "first", "days": days, "survival": two}),
                       pd.DataFrame({"cohort": "born", "days": days[:4], "survival": np.exp(-0.1 * days[:4])})])
    fits = survival_fits(table).set_index(["cohort", "model"])
    fit = fits.loc["first", TWO]
    assert fit[["a", "b", "c", "d"]].tolist() == pytest.approx([0.4, -0.5, 0.6, -0.01], abs=1e-3)
    assert fit["rms"] < 1e-4 < fits.loc["first", ONE]["rms"]
    assert fits.loc["born", ONE]["b"] == pytest.approx(-0.1, abs=1e-4)
    assert fits.loc["born", TWO]["reason"] == "4 points; needed: 5"
    assert np.isnan(fits.loc["born", TWO]["a"])
    still = survival_fits(table.assign(survival=1.0))
    assert set(still["reason"]) == {"no spine died", "4 points; needed: 5"}


def test_a_person_cuts_and_makes_links_and_judges() -> None:
    points, _ = series(sessions=3, seed=4)
    before = link_timepoints(points)
    names = [point.name for point in before.points]
    whole = before.tracks[(before.tracks["sessions_present"] == 3)]["track_id"].to_numpy()[:3]
    ids = before.spines.pivot_table(index="track_id", columns="session", values="id", aggfunc="first")
    one, two, three = (ids.loc[track] for track in whole)
    edits = pd.DataFrame([("cut", names[0], one[1], names[1], one[2]), ("link", names[0], two[1], names[1], one[2]),
                          ("absent", names[0], three[1], names[2], 0), ("bad", names[2], one[3], "", np.nan)],
                         columns=["action", "time_point", "id", "other_time_point", "other_id"])
    after = link_timepoints(points, edits=edits)
    ids = after.spines.pivot_table(index="track_id", columns="session", values="id", aggfunc="first")
    assert ids[ids[1] == two[1]][2].tolist() == [one[2]]
    assert ids[ids[1] == one[1]][2].tolist() != [one[2]]
    assert one[3] not in ids[3].tolist()
    rows = after.spines[after.spines["track_id"] == ids[ids[1] == three[1]].index[0]]
    assert rows["state"].tolist()[2] == "absent"
    for wrong, words in (({"action": "join"}, "accepted: link"), ({"id": 9999}, "not there"),
                         ({"time_point": "monday"}, "there are")):
        with pytest.raises(AnnotationError, match=words):
            link_timepoints(points, edits=edits.head(1).assign(**wrong))


def test_bad_input_is_told_in_one_sentence() -> None:
    points, _ = series(sessions=3, count=40, seed=6)
    empty = dataclasses.replace(points[1], tracing=tracing([np.zeros((1, 3))]))
    same = dataclasses.replace(points[0], name="copy", time=9.0)
    for given_points, times, words, kind in (
            (points[:1], None, "at least two", ParameterError), (points, [0, 4], "3 time points and 2 times",
                                                                 ParameterError),
            (points, [0, 4, 4], "both have the time 4", ParameterError),
            (points, [0, math.nan, 4], "no finite number", ParameterError),
            ([points[0], empty], None, "has no dendrite", StackError),
            ([points[0], points[1], same], None, "the same data", StackError)):
        with pytest.raises(kind, match=words) as caught:
            link_timepoints(given_points, times)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["mirrored from left to right", "turned by 90°"])
def test_a_mirrored_or_turned_time_point_is_named(how: str) -> None:
    points, _ = series(sessions=2, seed=8)
    turn = TURNS[how if "mirrored" in how else "turned by 270°"]
    with pytest.raises(StackError, match=f"it is {how}"):
        link_timepoints([points[0], turned(points[1], turn)])


def test_a_time_point_that_is_brighter_than_the_others_is_told() -> None:
    points, _ = series(sessions=3, count=40, seed=3, change=0.0)
    sized = [dataclasses.replace(point, spines=point.spines.assign(volume_relative=size))
             for point, size in zip(points, (1.0, 1.0, 1.8), strict=True)]
    with collected_notes() as notes:
        found = link_timepoints(sized)
    assert found.registration["brightness"].tolist() == pytest.approx([1, 1, 1.8])
    assert [text.split(":")[0] for text in notes if "as large as usual" in text] == [points[2].name]
    seen = found.spines[found.spines["id"] > 0]
    assert seen["volume_normalised"].to_numpy() == pytest.approx(np.ones(len(seen)))


def test_a_larger_turn_than_is_looked_for_is_no_registration() -> None:
    quality = RegistrationQuality(1.0, 38.0, 0.7, 9, 0.67, 1.01)
    for degrees, expected in ((0, True), (-15, True), (29.7, False), (-27.1, False)):
        transform = RigidTransform(math.radians(degrees), np.zeros(2), np.zeros(3))
        assert is_registered(transform, quality) is expected


def test_another_field_is_left_out_and_told() -> None:
    points, _ = series(sessions=3, seed=9)
    other, _ = series(sessions=1, seed=123)
    with collected_notes() as notes:
        found = link_timepoints([*points, dataclasses.replace(other[0], name="other", time=30.0)])
    assert any("other was not registered" in text for text in notes)
    assert found.registration["registered"].tolist() == [True, True, True, False]
    assert (found.spines[found.spines["session"] == 4]["reason"] == "not registered").all()


def test_links_over_a_missing_time_point_need_a_gap() -> None:
    points, truths = series(sessions=3, count=60, seed=11, change=0.0)
    hidden = truths[1][:15]
    middle = points[1].spines[~points[1].spines["id"].isin(hidden)].reset_index(drop=True)
    points[1] = dataclasses.replace(points[1], spines=middle)
    with_gap = link_timepoints(points).tracks["class"].value_counts()
    without = link_timepoints(points, parameters=TimelapseParameters(gap=0)).tracks["class"].value_counts()
    assert with_gap.get("recurrent", 0) >= 10
    assert without.get("recurrent", 0) == 0
