"""From simulated annotation to a trained model to scores, with the commands that a user types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deepd3_ij.cli import main

pytestmark = pytest.mark.slow
SCENE = ["--planes", "4", "--height", "128", "--width", "128", "--dendrites", "1", "--blob-clusters", "1"]


def run(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    run("simulate", "--out", folder, "--seed", 1, "--count", 3, "--quiet", *SCENE)
    for seed in (1, 2, 3):
        stem = folder / f"simulated_{seed:04d}"
        run("data", "create", f"{stem}.tif", "--dendrites", f"{stem}_true_dendrites.tif", "--spines",
            f"{stem}_true_spines.tif", "--out", f"{stem}.d3data", "--quiet")
    run("data", "arrange", folder / "simulated_0001.d3data", folder / "simulated_0002.d3data", "--out",
        folder / "train.d3set", "--quiet")
    run("data", "arrange", folder / "simulated_0003.d3data", "--out", folder / "validation.d3set", "--quiet")
    run("train", folder / "train.d3set", "--validation", folder / "validation.d3set", "--out", folder / "tiny.keras",
        "--filters", 2, "--steps", 30, "--batch-size", 4, "--tile", 64, "--validate-every", 15, "--averaging", 0,
        "--quiet")
    run("analyze", folder / "simulated_0003.tif", "--model", folder / "tiny.keras", "--out", folder / "results",
        "--quiet")
    run("evaluate", folder / "results" / "simulated_0003_spines.csv", folder / "simulated_0003_true_spines.csv",
        "--dendrites", folder / "simulated_0003_true.swc")
    return folder


def test_training_leaves_models_log_and_learning_curve(pipeline: Path) -> None:
    for name in ("tiny.keras", "tiny.h5", "tiny_training/log.csv", "tiny_training/learning_curve.png"):
        assert (pipeline / name).stat().st_size > 0


def test_the_card_brings_thresholds_and_scores_of_the_validation_stacks(pipeline: Path) -> None:
    from deepd3_ij.model.card import read_card

    for name in ("tiny.keras", "tiny.h5"):
        card = read_card(pipeline / name)
        assert card.scores["measured_on"] == "validation stacks"
        assert {"mode", "area_threshold", "min_peak"} <= set(card.recommended["Roi3DParameters"])
        assert card.resolution_um == pytest.approx(0.12)


def test_both_model_files_predict_the_same(pipeline: Path) -> None:
    import numpy as np

    from deepd3_ij import open_stack, predict

    stack = open_stack(pipeline / "simulated_0003.tif")
    maps = [predict(stack, str(pipeline / name)) for name in ("tiny.keras", "tiny.h5")]
    for name in ("dendrite", "spine"):
        np.testing.assert_allclose(maps[0][name].values, maps[1][name].values, atol=1e-5)


def test_scores_of_the_analysis_are_written_as_json(pipeline: Path) -> None:
    scores = json.loads((pipeline / "results" / "simulated_0003_spines_evaluation.json").read_text())
    assert scores["truth"] > 0
    assert scores["matched"] + scores["missed"] == scores["truth"]
