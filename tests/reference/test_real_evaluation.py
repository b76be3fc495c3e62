"""Scoring of the real stacks' annotation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij.files.point_tables import read_evaluation_points
from deepd3_ij.files.swc import read_swc
from deepd3_ij.measurement.evaluation import distance_to_tracing_um, evaluate, pool
from deepd3_ij.measurement.points import SpinePoints
from tests.tracings import length_of

SESSIONS = {"tp0": (44, 98), "tp2": (33, 101), "tp4": (54, 108)}


def truth(shared: Path, session: str) -> SpinePoints:
    table = shared / "data" / "real" / f"rr30a_{session}_spines.csv"
    return read_evaluation_points(table, table, xy_um=0.12, z_um=1.0)[1]


@pytest.mark.parametrize("session", SESSIONS)
def test_tables_and_traces_are_read_as_they_are(shared: Path, session: str) -> None:
    spines, length_um = SESSIONS[session]
    assert len(truth(shared, session)) == spines
    trace = read_swc(shared / "data" / "real" / f"rr30a_{session}_dendrites.swc")
    assert length_of(trace) == pytest.approx(length_um, abs=1)


@pytest.mark.parametrize("session", SESSIONS)
def test_markers_lie_beside_the_trace(shared: Path, session: str) -> None:
    spines = truth(shared, session)
    trace = read_swc(shared / "data" / "real" / f"rr30a_{session}_dendrites.swc")
    distance = distance_to_tracing_um(spines.zyx_um, trace, z_um=1.0)
    assert np.median(distance) < 2.0
    # The heads are nearer to the line than the markers, of which the farthest are 4.6 µm away; those that belong to
    # a dendrite outside of the crop are farther.
    assert (distance < 4.6).mean() > 0.85


def test_shifted_markers_are_found_again_and_noise_far_away_is_ignored(shared: Path) -> None:
    generator = np.random.default_rng(5)
    scores = []
    for session in SESSIONS:
        real = truth(shared, session)
        shift = generator.uniform(-0.4, 0.4, (len(real), 3)) / [0.4, 0.12, 0.12]
        far = np.column_stack([np.full(20, 60.0), generator.uniform(0, 400, 20), generator.uniform(0, 300, 20)])
        found = replace(real, ids=np.arange(len(real) + 20), zyx_px=np.concatenate([real.zyx_px + shift, far]))
        trace = read_swc(shared / "data" / "real" / f"rr30a_{session}_dendrites.swc")
        result = evaluate(found, real, trace)
        assert result.scores.ignored == 20
        assert evaluate(found, real).scores.false_positives == 20
        scores.append(result.scores)
    assert pool(scores).f1 > 0.95
