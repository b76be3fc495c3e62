"""From simulated stacks to turnover with the bundled model: nothing happens where nothing changed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import deepd3_ij as d3
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.simulation_series import simulate_timepoints

FIELD = SimulationParameters(planes=14, height_px=256, width_px=256, dendrites=3, spine_density_per_um=0.6,
                             head_peak=200, axons=0, blob_clusters=0, clouds=0)
STILL = TimeSeriesParameters(sessions=2, loss=0, birth=0, growth=0, drift_um=0, drift_z_um=0, turn_deg=0, warp_um=0,
                             brightness_spread=0, cut_planes=0)
CHANGING = TimeSeriesParameters(sessions=2, drift_um=3, drift_z_um=1, cut_planes=2, brightness_spread=0.2)


def followed(changes: TimeSeriesParameters, seed: int) -> tuple[d3.Timelapse, list[pd.DataFrame]]:
    points, truth = [], []
    for number, point in enumerate(simulate_timepoints(FIELD, changes, seed)):
        found = d3.analyze(point.scene.stack)
        points.append(d3.TimePoint.from_results(f"t{number + 1}", point.day, found.measurements, found.prediction,
                                                found.rois, found.stack))
        truth.append(point.truth.set_index("track"))
    return d3.link_timepoints(points), truth


@pytest.mark.slow
def test_noise_alone_is_no_turnover_though_detections_differ() -> None:
    series, _ = followed(STILL, seed=4)
    row = series.summary[series.summary["dendrite_id"] == "all"].iloc[0]
    seen = series.states.detection >= 0
    assert (seen[:, 0] ^ seen[:, 1]).any()
    assert row["spines"] >= 10
    assert row["turnover"] == pytest.approx(0, abs=0.02)


@pytest.mark.slow
def test_turnover_is_near_the_simulated_one() -> None:
    series, (one, other) = followed(CHANGING, seed=1)
    seen = (one["visible"] | other["visible"]) & one["inside"] & other["inside"]
    first, second = (seen & point["alive"] for point in (one, other))
    row = series.summary[series.summary["dendrite_id"] == "all"].iloc[0]
    truth = np.logical_xor(first, second).sum() / (first.sum() + second.sum())
    assert row["turnover"] == pytest.approx(truth, abs=0.05)
