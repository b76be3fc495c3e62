"""Training: losses, schedule, checkpoints, samples from scenes, targets from markers, files."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from deepd3_ij.errors import FileFormatError
from deepd3_ij.model.backend import chosen_backend
from deepd3_ij.model.card import ModelCard, read_card
from deepd3_ij.model.loading import load_model
from deepd3_ij.model.network import build_network
from deepd3_ij.model.saving import keras2_config, save_network
from deepd3_ij.parameters import TrainingParameters
from deepd3_ij.training.fitting import HEAD_BIAS, Validation, fit, learning_rate, start_biases
from deepd3_ij.training.losses import loss
from deepd3_ij.training.model_selection import count_matches, dice
from deepd3_ij.training.simulated_samples import ScenePlanes, cut_tile, scale_planes
from recipes.default_model.weak_labels import MarkedStack, weak_targets

TINY = TrainingParameters(filters=1, steps=6, batch_size=2, tile_px=32, validate_every=3, averaging=0.5, seed=3)


class Spots:
    """Bright squares on dark tiles."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def batch(self, index: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.asked.append(index)
        rng = np.random.default_rng(index)
        target = np.zeros((size, 32, 32, 1), np.float32)
        for tile in target:
            y, x = rng.integers(4, 24, 2)
            tile[y:y + 4, x:x + 4] = 1
        return target * 2 - 1 + rng.normal(0, 0.1, target.shape).astype(np.float32), target, target


@pytest.mark.parametrize("name", ["dice", "mse", "bce", "dice+bce"])
def test_a_loss_falls_towards_the_target_and_passes_over_pixels_that_do_not_count(name: str) -> None:
    target = np.zeros((1, 8, 8, 1), np.float32)
    target[:, :4] = 1
    wrong, half, right = 1 - target, np.full_like(target, 0.5), target
    values = [float(loss(name, target, probability)) for probability in (wrong, half, right)]
    assert values[0] > values[1] > values[2] >= 0
    target[:, :, 4:] = -1
    changed = half.copy()
    changed[:, :, 4:] = 0.99
    assert float(loss(name, target, changed)) == pytest.approx(float(loss(name, target, half)), rel=1e-6)


def test_the_learning_rate_warms_up_and_falls_over_the_second_half() -> None:
    p = TrainingParameters(steps=1000, learning_rate=1e-3)
    rates = [learning_rate(step, p) for step in range(1000)]
    assert rates[0] < 1e-4
    assert rates[200] == rates[499] == pytest.approx(1e-3)
    assert all(a >= b for a, b in itertools.pairwise(rates[500:]))
    assert rates[-1] < 1e-5
    assert learning_rate(999, dataclasses.replace(p, schedule="constant")) == pytest.approx(1e-3)


def test_an_untrained_network_predicts_little_foreground() -> None:
    network = build_network(1)
    start_biases(network)
    dendrite, spine = network(np.zeros((1, 32, 32, 1), np.float32))
    assert float(np.mean(dendrite)) == pytest.approx(1 / (1 + np.exp(-HEAD_BIAS["dendrites"])), abs=0.1)
    assert float(np.mean(spine)) < 0.1


@pytest.mark.slow
def test_a_stopped_training_goes_on_where_it_was_and_ends_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = fit(Spots(), TINY, folder=tmp_path / "whole")

    class StopError(Exception):
        pass

    def stop(done: int, total: int, message: str) -> None:
        if done == 4:
            raise StopError

    with pytest.raises(StopError):
        fit(Spots(), TINY, folder=tmp_path / "parts", progress=stop)
    source = Spots()
    rest = fit(source, TINY, folder=tmp_path / "parts", resume=True)
    assert source.asked[0] == 3
    for a, b in zip(whole.network.get_weights(), rest.network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert (tmp_path / "parts" / "log.csv").read_text().count("\n") == 3


@pytest.mark.slow
def test_the_best_weights_are_kept_and_training_stops_when_nothing_improves(tmp_path: Path) -> None:
    seen: list[list[np.ndarray]] = []

    def second_is_best(network: object) -> Validation:
        seen.append(network.get_weights())  # type: ignore[attr-defined]
        return Validation(1.0 if len(seen) == 2 else 0.0, {})

    p = dataclasses.replace(TINY, steps=20, validate_every=1, patience=2)
    result = fit(Spots(), p, folder=tmp_path, validate=second_is_best)
    assert len(seen) == 4
    assert result.best_step == 2
    for a, b in zip(result.network.get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    fit(Spots(), TINY, folder=tmp_path)
    with pytest.raises(FileFormatError, match="learning_rate"):
        fit(Spots(), dataclasses.replace(TINY, learning_rate=0.01), folder=tmp_path, resume=True)
    checkpoint = tmp_path / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(FileFormatError, match="no checkpoint"):
        fit(Spots(), TINY, folder=tmp_path, resume=True)


def test_planes_are_scaled_one_by_one_to_the_full_range() -> None:
    image = np.stack([np.linspace(0, 10, 64).reshape(8, 8), np.linspace(5, 500, 64).reshape(8, 8)]).astype(np.float32)
    scaled = scale_planes(image)
    assert scaled.dtype == np.uint16
    assert scaled.min((1, 2)).tolist() == [0, 0]
    assert scaled.max((1, 2)).tolist() == [65535, 65535]


def test_a_tile_contains_the_wanted_voxel_and_keeps_image_and_targets_together() -> None:
    image = np.zeros((3, 60, 70), np.uint16)
    spine = np.zeros(image.shape, np.int8)
    image[2, 55, 3] = 65535
    spine[2, 55, 3] = 1
    scene = ScenePlanes(image, spine, spine, np.zeros((0, 3)), 1.0)
    for seed in range(30):
        tile = cut_tile(np.random.default_rng(seed), scene, 32, around=np.array([2, 55, 3]))
        assert tile.shape == (3, 32, 32)
        assert tile[2].sum() == 1
        assert tile[0].argmax() == tile[2].argmax()


def test_simulating_processes_end_when_the_training_is_killed(tmp_path: Path) -> None:
    script = """
import time
from deepd3_ij.training.simulated_samples import SceneSampler
if __name__ == "__main__":
    sampler = SceneSampler(1)
    sampler._executor.submit(time.sleep, 0).result()
    print(next(iter(sampler._executor._processes)), flush=True)
    time.sleep(60)
"""
    (tmp_path / "training.py").write_text(script)
    with subprocess.Popen([sys.executable, tmp_path / "training.py"], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as training:
        assert training.stdout is not None
        worker = int(training.stdout.readline())
        training.kill()
    for _ in range(200):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the simulating process lives on")


def test_markers_become_foreground_and_finds_without_a_marker_background() -> None:
    xy_um = 0.12
    trace = np.array([[5.0, 60.0, x] for x in range(120)])
    heads = np.array([[5.0, 50.0, 30.0], [5.0, 50.0, 90.0]])
    found = np.zeros((11, 120, 120), np.float32)
    found[4:7, 47:53, 27:33] = 0.9  # at the first marker
    found[4:7, 67:73, 57:63] = 0.9  # near the dendrite, not marked
    found[4:7, 107:113, 57:63] = 0.9  # far from it
    target = weak_targets(MarkedStack(np.random.default_rng(0).random(found.shape, np.float32), heads, trace, xy_um,
                                      1.0), found).spine
    assert (target[4:7, 47:53, 27:33] == 1).all()
    assert target[5, 50, 90] == 1  # a marker that the network does not see gets a disk
    assert (target[4:7, 67:73, 57:63] == 0).all()
    assert (target[4:7, 107:113, 57:63] == -1).all()
    assert target[5, 50, 96] == -1  # around a marker nothing is certain
    assert target[0, 50, 60] == -1  # too far above the dendrite


def test_overlap_and_matches_count_what_is_certain_only() -> None:
    target = np.zeros((5, 40, 40), np.int8)
    target[1:4, 10:15, 10:15] = 1
    target[1:4, 30:35, 30:35] = -1
    scene = ScenePlanes(np.zeros(target.shape, np.uint16), target, target, np.array([[2.0, 12.0, 12.0]]), 1.0)
    probability = np.where(target != 0, 0.9, 0).astype(np.float32)
    assert dice(probability > 0.5, target) == (150, 150)
    from deepd3_ij.parameters import Roi3DParameters

    parameters = Roi3DParameters(mode="connected", area_threshold=0.5, min_voxels=5)
    assert count_matches(probability, scene, 0.12, parameters) == (1, 0, 0)
    probability[1:4, 20:25, 20:25] = 0.9
    assert count_matches(probability, scene, 0.12, parameters) == (1, 0, 1)
    assert count_matches(np.zeros_like(probability), scene, 0.12, parameters) == (0, 1, 0)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_network_predicts_the_same_and_brings_its_card(tmp_path: Path, suffix: str) -> None:
    network = build_network(2)
    rng = np.random.default_rng(1)
    network.set_weights([rng.uniform(0.1, 0.4, w.shape) * rng.choice([-1, 1], w.shape) if w.ndim == 4
                         else rng.uniform(0.5, 1.5, w.shape) for w in network.get_weights()])
    path = tmp_path / f"model{suffix}"
    save_network(network, path, ModelCard(name="mine", resolution_um=0.1))
    image = rng.uniform(-1, 1, (2, 32, 48)).astype(np.float32)
    for found, expected in zip(load_model(path).predict_batch(image), network(image[..., None]), strict=True):
        np.testing.assert_allclose(found, np.asarray(expected)[..., 0], atol=1e-4)
    assert read_card(path).name == "mine"


def test_an_h5_file_has_the_layout_of_keras_2(tmp_path: Path, shared: Path) -> None:
    network = build_network(8)
    save_network(network, tmp_path / "ours.h5")
    with h5py.File(tmp_path / "ours.h5") as ours, h5py.File(shared / "reference/model/DeepD3_8F_random.h5") as theirs:
        def shapes(file: h5py.File) -> dict[str, tuple[int, ...]]:
            found: dict[str, tuple[int, ...]] = {}
            file["model_weights"].visititems(
                lambda name, item: found.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None)
            return found

        assert shapes(ours) == shapes(theirs)
        configs = [json.loads(file.attrs["model_config"]) for file in (ours, theirs)]
    layers = [{layer["name"]: layer for layer in config["config"]["layers"]} for config in configs]
    fixed = [name for name in layers[1] if "_" in name and not name.startswith(("max_", "up_", "conc"))]
    for name in fixed:
        assert layers[0][name]["class_name"] == layers[1][name]["class_name"]
        assert set(layers[0][name]["config"]) == set(layers[1][name]["config"])
    assert layers[0]["input"] == layers[1]["input"]
    assert configs[0]["config"]["output_layers"] == configs[1]["config"]["output_layers"]
    assert configs[0]["class_name"] == keras2_config(network)["class_name"] == "Functional"


@pytest.mark.slow
def test_a_set_becomes_model_files_with_thresholds_in_their_card(tmp_path: Path) -> None:
    from deepd3_ij.files.d3data import cut_d3data
    from deepd3_ij.files.d3set import write_d3set
    from deepd3_ij.parameters import SimulationParameters
    from deepd3_ij.simulation import simulate
    from deepd3_ij.training.training_run import train_from_set

    scenes = [simulate(SimulationParameters(planes=3, height_px=64, width_px=64), seed) for seed in (1, 2)]
    pieces = [cut_d3data(scene.stack, scene.dendrite.values, scene.spine.values > 0) for scene in scenes]
    write_d3set(tmp_path / "train.d3set", pieces[:1])
    write_d3set(tmp_path / "check.d3set", pieces[1:])
    trained = train_from_set(tmp_path / "train.d3set", tmp_path / "mine.keras",
                             dataclasses.replace(TINY, min_content_voxels=0),
                             validation=tmp_path / "check.d3set")
    for path in (trained.keras, trained.h5):
        model = load_model(path)
        assert model.card.resolution_um == pytest.approx(0.12)
        assert model.card.recommended["Roi3DParameters"]["mode"] == "connected"
        assert model.card.scores["measured_on"] == "validation stacks"
        assert set(model.card.trained_on) >= {"xy_um", "z_um"}
        assert model.card.training["backend"].split()[0] == chosen_backend()
        assert model.card.training["augmentation"]["motion_probability"] == 0
    assert "spine_f1" in trained.log.read_text().splitlines()[0]
    assert trained.curve.read_bytes().startswith(b"\x89PNG")
