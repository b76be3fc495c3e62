"""Simulated time points: the same field, moved and changed as the truth says; following finds that truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.simulation_series import SimulatedTimePoint, simulate_timepoints
from deepd3_ij.timelapse import TimePoint, link_timepoints
from deepd3_ij.timelapse.scores import score_links
from deepd3_ij.timelapse.timepoint import box_of

FIELD = SimulationParameters(planes=18, height_px=300, width_px=300, dendrites=3, spine_density_per_um=0.6, axons=0,
                             blob_clusters=0, clouds=0, halo=0.0)
STILL = TimeSeriesParameters(sessions=2, loss=0, birth=0, growth=0, drift_um=0, drift_z_um=0, turn_deg=0, warp_um=0,
                             brightness_spread=0, cut_planes=0)


@pytest.fixture(scope="module")
def series() -> list[SimulatedTimePoint]:
    return list(simulate_timepoints(FIELD, TimeSeriesParameters(sessions=3), seed=4))


def annotated(series: Sequence[SimulatedTimePoint]) -> list[TimePoint]:
    """Time points as a perfect annotator sees them."""
    points = []
    for number, each in enumerate(series, start=1):
        spines = each.scene.spines[each.scene.spines["visible"]].reset_index(drop=True)
        points.append(TimePoint(f"t{number}", each.day, spines, each.scene.neurites, box_of(each.scene.stack)))
    return points


def test_the_same_seed_gives_the_same_series_and_scenes_keep_their_numbers(series: list[SimulatedTimePoint]) -> None:
    again = next(iter(simulate_timepoints(FIELD, TimeSeriesParameters(sessions=3), seed=4)))
    np.testing.assert_array_equal(again.scene.stack.values, series[0].scene.stack.values)
    pd.testing.assert_frame_equal(again.truth, series[0].truth)
    for each in series:
        living = set(each.truth.loc[each.truth["alive"], "track"])
        assert set(np.unique(each.scene.spine.values)) - {0} <= living
        assert set(each.scene.spines["id"]) <= living


def test_two_time_points_of_a_still_field_differ_by_noise_alone() -> None:
    one, other = simulate_timepoints(FIELD, STILL, seed=1)
    pd.testing.assert_frame_equal(one.truth.drop(columns="session"), other.truth.drop(columns="session"))
    np.testing.assert_array_equal(one.scene.spine.values, other.scene.spine.values)
    assert (one.scene.stack.values != other.scene.stack.values).mean() > 0.05


def test_spines_come_go_move_and_are_cut_off_as_asked(series: list[SimulatedTimePoint]) -> None:
    alive = np.stack([each.truth["alive"] for each in series], axis=1)
    lost = (alive[:, :-1] & ~alive[:, 1:]).sum() / alive[:, :-1].sum()
    gained = (~alive[:, :-1] & alive[:, 1:]).sum() / alive[:, :-1].sum()
    assert 0.03 < lost < 0.2
    assert 0.03 < gained < 0.2
    assert [each.scene.stack.shape[0] for each in series] == [18, 13, 13]
    assert not series[0].truth["cut_off"].any()
    assert series[1].truth["cut_off"].any() or series[2].truth["cut_off"].any()
    moved = np.linalg.norm(series[1].truth[["y_um", "x_um"]] - series[0].truth[["y_um", "x_um"]], axis=1)
    assert 0 < np.median(moved) < 12


def test_true_spines_are_linked_as_they_are(series: list[SimulatedTimePoint]) -> None:
    found = link_timepoints(annotated(series))
    truth = np.concatenate([point.spines["id"].to_numpy() for point in found.points])
    scores = score_links(found.detections, found.links, truth)
    assert scores.truth > 40
    assert scores.f1 >= 0.95


def test_what_is_cut_off_is_unobservable_and_hardly_anything_else(series: list[SimulatedTimePoint]) -> None:
    found = link_timepoints(annotated(series)).spines
    number = found[found["id"] > 0].groupby("track_id")["id"].first()
    truth = pd.concat([each.truth for each in series])
    rows = found.assign(track=found["track_id"].map(number)).merge(truth, on=["track", "session"])
    hidden = rows["state"] == "unobservable"
    cut_off = rows["cut_off"] & ~rows["visible"]
    assert cut_off.sum() >= 8
    assert hidden[cut_off].mean() >= 0.95
    # Nearer to a border than the blur is long, nobody can tell either.
    depths = {number: each.scene.stack.shape[0] - 1.0 for number, each in enumerate(series, start=1)}
    depth = rows["session"].map(depths)
    across = 0.12 * 299
    well_inside = rows["z_um_y"].between(2.5, depth - 2.5)
    for name in ("y_um_y", "x_um_y"):
        well_inside &= rows[name].between(2, across - 2)
    assert well_inside.sum() >= 50
    assert hidden[well_inside].mean() <= 0.02


def test_more_missing_planes_than_there_are_is_an_error() -> None:
    with pytest.raises(ParameterError, match="at least 3 planes"):
        next(iter(simulate_timepoints(dataclasses.replace(FIELD, planes=6), TimeSeriesParameters(sessions=2), 0)))
