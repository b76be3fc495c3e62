"""Calibration of the confidence of ROIs on annotated stacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.cli import main
from deepd3_ij.errors import AnnotationError
from deepd3_ij.measurement.confidence import FEATURES, ConfidenceModel
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.model.card import read_card
from deepd3_ij.model.loading import load_model
from deepd3_ij.model.zoo import find_model
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.simulation import simulate
from deepd3_ij.training import confidence_fit
from deepd3_ij.training.confidence_fit import (
    JudgedRois,
    calibrate_confidence,
    fit_confidence,
    held_out_confidences,
    judge_by_markers,
    judge_by_truth,
    reliability,
)


def judged(seed: int, count: int = 400, name: str = "") -> JudgedRois:
    """ROIs that are the more often spines the larger and the deeper they are."""
    rng = np.random.default_rng(seed)
    area, depth = rng.uniform(0.1, 1.5, count), rng.uniform(0.5, 5, count)
    spines = pd.DataFrame({"max_probability": rng.uniform(0.4, 1, count), "largest_area_um2": area,
                           "volume_um3": area * depth, "distance_to_dendrite_um": rng.uniform(0, 1.5, count)})
    is_spine = rng.random(count) < truth(spines)
    return JudgedRois(name or f"stack {seed}", spines, is_spine, spines["max_probability"].to_numpy() > 0.7)


def truth(spines: pd.DataFrame) -> np.ndarray:
    area = spines["largest_area_um2"].to_numpy()
    return 1 / (1 + np.exp(-1 - 1.5 * np.log(area) - 2 * np.log(spines["volume_um3"].to_numpy() / area) + 2))


def test_a_fit_finds_the_probabilities_that_made_the_data() -> None:
    model = fit_confidence([judged(seed, 2000) for seed in range(3)])
    fresh = judged(9, 2000)
    assert np.abs(model(fresh.spines) - truth(fresh.spines)).max() < 0.08
    assert set(model.terms) == set(FEATURES)
    assert reliability(model(fresh.spines), fresh.is_spine).error < 0.04


def test_a_stack_is_judged_by_a_model_that_has_not_seen_it() -> None:
    good = [judged(seed) for seed in range(2)]
    turned = judged(2)
    turned = JudgedRois("turned", turned.spines, ~turned.is_spine, turned.recommended)
    np.testing.assert_array_equal(held_out_confidences([*good, turned])[2], fit_confidence(good)(turned.spines))
    assert calibrate_confidence([*good, turned]).stacks["turned"].area < 0.3


def test_exact_confidences_have_no_more_error_than_chance_gives() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(500)
    exact = reliability(confidence, rng.random(500) < confidence)
    assert exact.error < 2 * exact.chance
    assert 0.02 < exact.worse < 0.98
    assert exact.chance == pytest.approx(0.04, abs=0.02)


def test_confidences_that_promise_too_much_have_the_difference_as_error() -> None:
    wrong = reliability(np.full(200, 0.95), np.arange(200) < 100)
    assert wrong.error == pytest.approx(0.45)
    assert wrong.worse == 0
    assert [dict(row) for row in wrong.rows] == [
        {"low": 0.9, "high": 1.0, "count": 200, "confidence": pytest.approx(0.95), "spines": 0.5}]
    assert wrong.area == 0.5


def test_one_kind_alone_has_no_area() -> None:
    assert reliability(np.full(5, 0.9), np.ones(5, bool)).to_dict()["area"] is None


def test_one_stack_is_not_enough() -> None:
    with pytest.raises(AnnotationError, match="1 stack with judged ROIs cannot calibrate"):
        calibrate_confidence([judged(1)])


def test_both_kinds_are_needed() -> None:
    one = judged(1)
    only = JudgedRois("only", one.spines, np.ones(400, bool), one.recommended)
    with pytest.raises(AnnotationError, match="0 of 400 judged ROIs are no spines; accepted: at least 10"):
        fit_confidence([only])


def test_rois_with_a_marker_are_spines_and_those_on_what_is_doubtful_do_not_count() -> None:
    scene = simulate(SimulationParameters(planes=7, height_px=128, width_px=128, dendrites=1, spine_density_per_um=1.5),
                     11)
    model = load_model()
    certain = judge_by_truth("a", scene, model)
    visible = label_statistics(scene.spine.values)
    points = SpinePoints(visible.ids, visible.centroids_zyx, z_um=1.0, xy_um=0.12)
    by_markers = judge_by_markers("a", scene.stack, model, points)
    assert certain.is_spine.sum() == by_markers.is_spine.sum() > 3
    assert set(certain.spines["id"]) <= set(by_markers.spines["id"])
    nothing = judge_by_markers("a", scene.stack, model, SpinePoints(np.zeros(0), np.zeros((0, 3)), 1.0, 0.12))
    assert not nothing.is_spine.any()
    assert (by_markers.spines.loc[by_markers.recommended, "max_probability"] >= 0.7).all()


def test_the_command_writes_a_copy_of_the_model_with_the_calibration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def judge(model: object, count: int, **_: object) -> list[JudgedRois]:
        return [judged(seed) for seed in range(count)]

    monkeypatch.setattr(confidence_fit, "judge_simulated", judge)
    target = tmp_path / "own.keras"
    assert main(["models", "calibrate", "--simulated", "3", "--out", str(target), "--quiet"]) == 0
    card = read_card(target)
    assert ConfidenceModel.from_dict(card.confidence) == fit_confidence([judged(seed) for seed in range(3)])
    assert set(card.scores["confidence"]["stacks"]) == {"stack 0", "stack 1", "stack 2"}
    assert card.recommended == read_card(find_model()).recommended
    assert load_model(target).card == card
    printed = capsys.readouterr().out
    assert "all stacks: n = 1200, calibration error 0.0" in printed
    assert str(target) in printed


@pytest.mark.parametrize(("arguments", "message"), [
    (["--out", "a.keras"], "0 stacks with judged ROIs"),
    (["--out", "a.h5"], "--out is a.h5; accepted: a name that ends with .keras"),
    (["--annotated", "a.tif", "--out", "a.keras"], "--annotated has 1 file; accepted: a stack, a table"),
])
def test_what_cannot_be_calibrated_is_told_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["models", "calibrate", *arguments, "--quiet"]) != 0
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_annotated_files_are_judged(tmp_path: Path) -> None:
    from deepd3_ij.files.tiff import write_stack
    from deepd3_ij.training.confidence_files import judge_annotated_files

    scene = simulate(SimulationParameters(planes=7, height_px=128, width_px=128, dendrites=1, spine_density_per_um=1.5),
                     11)
    write_stack(tmp_path / "cell.tif", scene.stack)
    visible = label_statistics(scene.spine.values)
    pd.DataFrame(visible.centroids_zyx, columns=["z_px", "y_px", "x_px"]).to_csv(tmp_path / "spines.csv")
    found = judge_annotated_files(load_model(), tmp_path / "cell.tif", tmp_path / "spines.csv")
    assert found.name == "cell"
    assert found.is_spine.sum() > 3
