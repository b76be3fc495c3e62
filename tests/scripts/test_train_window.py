"""A training in its window: seen, stopped by real clicks, gone on with; its model is used."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepd3_ij.file_identity import sha256_of
from deepd3_ij.outputs.scene_files import write_scene
from deepd3_ij.parameters import SimulationParameters, TrainingParameters
from deepd3_ij.simulation import simulate
from deepd3_ij.training.dataset import arrange_training_data, create_training_data
from tests.scripts.user import User
from tests.scripts.window import JYTHON, State, Window

pytestmark = [pytest.mark.display, pytest.mark.slow]
COMMAND = "Train DeepD3 Model..."
NETWORK = {"filters": "2", "steps": "100000", "batch_size": "2", "tile_px": "64", "validate_every": "3"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a set, ``one.d3set``, and its stack, ``a.tif``."""
    folder = tmp_path_factory.mktemp("set")
    stack, dendrites, spines, *_ = write_scene(simulate(SimulationParameters(planes=2, height_px=96, width_px=96)),
                                               folder, "a")
    create_training_data(stack, dendrites, spines, folder / "a.d3data")
    arrange_training_data([folder / "a.d3data"], folder / "one.d3set")
    return folder


def state(user: User) -> State:
    return Window(user, "training_state.py").state()


def until(user: User, condition: Callable[[State], Any], problem: str) -> State:
    return Window(user, "training_state.py").until(condition, problem, 120)


def press(user: User, label: str, condition: Callable[[State], Any], problem: str) -> None:
    """Click a button of the window until that shows; the window is redrawn all the time, and a click can be lost."""
    for _ in range(5):
        user.click(label)
        with suppress(AssertionError):
            user.until(lambda: condition(state(user)), problem, seconds=20)
            return
    pytest.fail(f"{problem}; it shows {state(user)}")


def start(user: User, **fields: str) -> None:
    user.host.ask("start", "dialog", COMMAND)
    user.dialog()
    for name, text in fields.items():
        user.enter(name, text)
    user.until(lambda: user.dialog()["ok"], "OK cannot be pressed")
    user.click("OK")


def test_a_training_is_seen_stopped_and_its_model_is_used(visible: User, data: Path) -> None:
    visible.host.ask("script", str(JYTHON / "close_all.py"))
    start(visible, training=str(data / "one.d3set"), validation=str(data / "one.d3set"), out=str(data / "own.keras"),
          **NETWORK)
    first = until(visible, lambda seen: seen["picture"], "no picture")
    points = first["scores"]["spines"]
    assert points >= 1
    assert "left" in first["bar"]
    until(visible, lambda seen: seen["losses"]["dendrites"] > points < seen["scores"]["spines"], "nothing grows")

    # Python ends: what was learned is kept, and the training goes on with another one.
    os.kill(visible.host.workers()[0], signal.SIGKILL)
    seen = until(visible, lambda seen: "go_on" in seen["buttons"], "an ended worker is not told")
    assert seen["message"].startswith("Python ended during the training")
    assert "of 100000 is kept" in seen["message"]
    press(visible, "Go on", lambda seen: seen["running"], "Go on does nothing")
    until(visible, lambda seen: seen["losses"]["dendrites"] > points + 1, "it does not go on")

    press(visible, "Stop and keep the best", lambda seen: "keep" not in seen["buttons"], "it does not stop")
    assert visible.host.ask("wait") == "done"
    assert state(visible)["message"].startswith(f"Wrote {data / 'own.keras'}")
    assert state(visible)["buttons"] == ["cancel"]
    press(visible, "Close", lambda seen: not seen, "it does not close")
    assert visible.host.ask("quietly", "Open DeepD3 Stack...", path=str(data / "a.tif")) == "done"
    assert visible.host.ask("quietly", "Segment Dendrites and Spines...", model=str(data / "own.keras")) == "done"
    assert json.loads(visible.look()["provenance"])["model"]["name"] == "own"


def test_an_interrupted_training_is_offered_before_it_is_replaced(visible: User, data: Path) -> None:
    folder = data / "other_training"
    folder.mkdir()
    history = {"parameters": dataclasses.asdict(TrainingParameters(steps=9)), "step": 4, "best_step": 4, "stale": 0,
               "seconds": 1.0, "best_score": 0.5, "log": [],
               "data": {"training_sha256": sha256_of(data / "one.d3set"), "validation_sha256": None}}
    np.savez(folder / "checkpoint.npz", history=np.frombuffer(json.dumps(history).encode(), np.uint8))
    for validation, answers in (("", {"Go on", "Begin anew"}), (str(data / "one.d3set"), {"Begin anew"})):
        start(visible, training=str(data / "one.d3set"), out=str(data / "other.keras"), validation=validation)
        visible.until(lambda: visible.host.ask("where", "Begin anew"), "no question")
        assert {label for label in ("Go on", "Begin anew") if visible.host.ask("where", label)} == answers
        visible.click("Cancel")
        assert visible.host.ask("wait") == "cancelled"
    assert state(visible) == {}
