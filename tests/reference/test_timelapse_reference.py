"""The same spines over time on annotated stacks: links and changes beside those that annotators made."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.files.swc import read_swc
from deepd3_ij.timelapse import TimePoint, link_timepoints
from deepd3_ij.timelapse.scores import score_links

DAYS = (0.0, 4.1, 7.0, 8.0, 8.8, 11.0)
PLANES = (70, 65, 70, 70, 70, 80)


@pytest.fixture(scope="module")
def annotated(shared: Path) -> list[TimePoint]:
    points = []
    for number, (day, planes) in enumerate(zip(DAYS, PLANES, strict=True)):
        stem = shared / "data" / "real" / f"rr30a_tp{number}"
        table = pd.read_csv(f"{stem}_spines.csv")
        spines = pd.DataFrame({"id": table["idx"], "z_um": table["z_slice0"].astype(float),
                               "y_um": 0.12 * table["y_px"], "x_um": 0.12 * table["x_px"], "track": table["track"]})
        box = np.array([[0, 0, 0], [planes - 1, 1023 * 0.12, 339 * 0.12]])
        points.append(TimePoint(f"tp{number}", day, spines, read_swc(f"{stem}_dendrites.swc"), box))
    return points


@pytest.mark.parametrize("reference", [None, 0, 2])
def test_links_agree_with_those_of_annotators(annotated: list[TimePoint], reference: int | None) -> None:
    found = link_timepoints(annotated, reference=reference)
    truth = np.concatenate([point.spines["track"].to_numpy() for point in found.points])
    scores = score_links(found.detections, found.links, truth)
    assert scores.truth == 172
    assert scores.f1 >= 0.92
    assert (found.registration["line_share"].dropna() > 0.8).all()


def test_a_links_probability_is_about_the_share_of_right_ones(annotated: list[TimePoint]) -> None:
    found = link_timepoints(annotated)
    truth = np.concatenate([point.spines["track"].to_numpy() for point in found.points])
    near = np.diff(found.detections.session[np.stack([found.links.first, found.links.second])], axis=0)[0] == 1
    right = truth[found.links.first] == truth[found.links.second]
    assert found.links.probability[near].mean() == pytest.approx(right[near].mean(), abs=0.08)


def test_turnover_and_survival_are_near_those_of_annotators(annotated: list[TimePoint]) -> None:
    found = link_timepoints(annotated)
    tracks = [set(point.spines["track"]) for point in annotated]
    turnover = [len(one ^ other) / (len(one) + len(other)) for one, other in pairwise(tracks)]
    rows = found.summary[found.summary["dendrite_id"] == "all"]
    assert rows["turnover"].mean() == pytest.approx(np.mean(turnover), abs=0.06)
    fractions = found.survival[found.survival["cohort"] == "fraction"]["present_fraction"].to_numpy()
    assert fractions[-1] == pytest.approx(len(tracks[0] & tracks[-1]) / len(tracks[0]), abs=0.12)
