"""Which backend Keras gets, and a training on each that is installed: the same losses, files and checkpoints."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepd3_ij.errors import ModelError
from deepd3_ij.model import backend
from deepd3_ij.model.backend import BACKENDS, chosen_backend, keras, set_seed
from deepd3_ij.model.loading import load_model
from deepd3_ij.model.network import build_network
from deepd3_ij.model.saving import save_network
from deepd3_ij.training.training_run import train_from_set

ROOT = Path(__file__).resolve().parents[2]
# JAX comes with what the tests need; PyTorch is too large for that, and is tested where it is installed.
OTHERS = ["jax", *(["torch"] if importlib.util.find_spec("torch") else [])]

TRAINING = """
import dataclasses, json, shutil, sys
from pathlib import Path
import numpy as np
from deepd3_ij.model.backend import keras
from deepd3_ij.model.loading import load_model
from deepd3_ij.model.saving import save_network
from deepd3_ij.parameters import TrainingParameters
from deepd3_ij.training.fitting import fit
from deepd3_ij.training.model_selection import PlanePredictor
from deepd3_ij.training.starting import initial_network
from deepd3_ij.training.training_watch import TrainingWatch

class Stop(TrainingWatch):
    def __init__(self, after): self.after, self.done = after, 0
    def batch(self, step): self.done = step
    def wants_end(self): return self.done == self.after

class Spots:
    def batch(self, index, size):
        rng = np.random.default_rng(index)
        target = np.zeros((size, 32, 32, 1), np.float32)
        for tile in target:
            y, x = rng.integers(4, 24, 2)
            tile[y:y + 4, x:x + 4] = 1
        target[:, :2] = -1
        return np.abs(target) - 0.5 + rng.normal(0, 0.1, target.shape).astype(np.float32), target, target

def train(folder, stop=None, **changed):
    p = dataclasses.replace(TrainingParameters(filters=2, steps=6, batch_size=2, tile_px=32, validate_every=1,
                                               averaging=0.5, learning_rate=0.01), **changed)
    return fit(Spots(), p, folder=Path(folder), initial=initial_network(load_model("start.keras")), resume=True,
               watch=Stop(stop))

name = sys.argv[1]
whole = train(name + "_whole")
if name == "tensorflow":
    train("begun", stop=3)
else:
    shutil.copytree("begun", name + "_begun")
    rest = train(name + "_begun")
    assert rest.log[2]["step"] == 3 and len(rest.log) == 6
half = train(name + "_half", precision="mixed_float16")
for suffix in (".keras", ".h5"):
    save_network(whole.network, name + suffix)
image = np.random.default_rng(0).integers(0, 65535, (5, 40, 48), dtype=np.uint16)
maps = PlanePredictor(whole.network)(image)
flat = lambda fit: np.concatenate([weights.ravel() for weights in fit.network.get_weights()])
np.savez(name, image=image, maps=maps, whole=flat(whole), rest=flat(whole if name == "tensorflow" else rest))
print(json.dumps({"backend": keras().config.backend(),
                  "losses": [[row["dendrite_loss"], row["spine_loss"]] for row in whole.log],
                  "half": [[row["dendrite_loss"], row["spine_loss"]] for row in half.log]}))
"""


def train(name: str, folder: Path) -> dict[str, Any]:
    """Train in a process of its own, whose Keras has the backend `name`."""
    done = subprocess.run([sys.executable, "-c", TRAINING, name], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": name,
                               "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"})  # it compiles in half the time
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert result["backend"] == name
    return {**result, **np.load(folder / f"{name}.npz")}


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_losses_weights_checkpoints_and_files_are_those_of_tensorflow(tmp_path: Path, name: str) -> None:
    set_seed(1)
    save_network(build_network(2), tmp_path / "start.keras")
    expected = train("tensorflow", tmp_path)
    found = train(name, tmp_path)
    assert expected["losses"][-1][1] < 0.95 * expected["losses"][0][1]
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=1e-4)
    np.testing.assert_allclose(found["half"], expected["half"], rtol=0.02)
    for weights in (found["whole"], found["rest"]):  # the rest was begun with TensorFlow
        difference = np.abs(weights - expected["whole"])
        assert difference.mean() < 1e-5
        assert difference.max() < 5e-3  # Adam divides gradients that are nearly zero by their size
    tiles = np.pad(found["image"].astype(np.float32) / 65535 * 2 - 1, ((0, 0), (0, 8), (0, 0)), mode="reflect")
    for suffix in (".keras", ".h5"):
        maps = load_model(tmp_path / f"{name}{suffix}").predict_batch(tiles)
        np.testing.assert_allclose(np.stack(maps)[:, :, :40], found["maps"], atol=1e-3)
    again = keras().models.load_model(tmp_path / f"{name}.keras", compile=False)
    assert keras().config.backend() == "tensorflow"
    maps = [np.asarray(part)[..., 0] for part in again(tiles[..., np.newaxis])]
    np.testing.assert_allclose(np.stack(maps)[:, :, :40], found["maps"], atol=1e-3)


@pytest.fixture
def not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> set[str]:
    """As in a process without Keras; gives the backends that count as installed."""
    installed = set(BACKENDS)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(backend, "_installed", lambda name: name in installed)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return installed


def test_without_a_choice_the_first_installed_backend_is_taken(not_loaded: set[str]) -> None:
    for name in BACKENDS:
        assert chosen_backend() == name
        not_loaded.remove(name)
    with pytest.raises(ModelError, match="None of TensorFlow, JAX, PyTorch is installed"):
        chosen_backend()


def test_the_users_choice_counts(not_loaded: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert chosen_backend() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert chosen_backend() == "jax"
    not_loaded.remove("jax")
    with pytest.raises(ModelError, match=r"'jax', and JAX is not installed; install it with: pip install jax"):
        chosen_backend()
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    with pytest.raises(ModelError, match="'openvino'; accepted: tensorflow, jax, torch"):
        chosen_backend()


def test_a_training_without_its_backend_is_refused_before_anything_is_read(
        not_loaded: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    not_loaded.remove("torch")
    with pytest.raises(ModelError, match="PyTorch is not installed"):
        train_from_set(tmp_path / "none.d3set", tmp_path / "mine.keras")


@pytest.mark.parametrize("content", ['{"backend": "torch"}', '{"backend": 3}', "[]", "{", '{"backend": "numpy"}'])
def test_what_keras_wrote_is_no_choice_if_it_is_not_installed(not_loaded: set[str], tmp_path: Path, content: str
                                                              ) -> None:
    (tmp_path / "keras.json").write_text(content)
    not_loaded.discard("torch")
    assert chosen_backend() == "tensorflow"


def test_a_loaded_keras_keeps_its_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keras().config.backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert chosen_backend() == "tensorflow"
    monkeypatch.setattr(sys.modules["keras"].config, "backend", lambda: "numpy")
    with pytest.raises(ModelError, match="loaded with the backend 'numpy'"):
        chosen_backend()
