"""Look at a training while it runs, and end it early."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.training.example_picture import example_of, example_picture
from deepd3_ij.training.model_selection import PlanePredictor
from deepd3_ij.training.simulated_samples import ScenePlanes
from deepd3_ij.training.training_watch import TrainingWatch


@dataclass(frozen=True)
class TrainingState:
    """A training at one moment.

    ``step`` of ``steps`` batches are done; ``log`` has a row for each validation; ``seconds_left`` is None until a
    batch was timed; ``pictures`` counts the pictures made so far, the last of which is ``picture``; ``shows`` tells
    what it is of; ``ending`` is true once it was asked to end.
    """

    step: int
    steps: int
    log: tuple[dict[str, float], ...]
    seconds_left: float | None
    pictures: int
    picture: npt.NDArray[np.uint8] | None
    shows: str
    ending: bool


class LiveTraining(TrainingWatch):
    """Keeps what a training tells, for other threads; they can ask it to end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._first = self._step = self._steps = 0
        self._began = self._now = 0.0
        self._log: tuple[dict[str, float], ...] = ()
        self._example: ScenePlanes | None = None
        self._shows = ""
        self._predict: PlanePredictor | None = None
        self._picture: npt.NDArray[np.uint8] | None = None
        self._pictures = 0

    def show(self, scene: ScenePlanes, shows: str) -> None:
        """Make a picture of the part of a scene with most spines after each validation."""
        self._example, self._shows = example_of(scene), shows

    def begin(self, step: int, steps: int, log: list[dict[str, float]]) -> None:
        with self._lock:
            self._first = self._step = step
            self._steps = steps
            self._log = tuple(log)
            self._began = self._now = time.monotonic()

    def batch(self, step: int) -> None:
        with self._lock:
            self._step, self._now = step, time.monotonic()

    def validated(self, log: list[dict[str, float]], network: Any) -> None:
        picture = None
        if self._example is not None:
            if self._predict is None or self._predict.network is not network:
                self._predict = PlanePredictor(network)
            picture = example_picture(self._example, *self._predict(self._example.image))
        with self._lock:
            self._log = tuple(log)
            if picture is not None:
                self._picture = picture
                self._pictures += 1

    def wants_end(self) -> bool:
        return self._end.is_set()

    def end(self) -> None:
        """Ask the training to end after the batch that is under way, and to keep the best weights."""
        self._end.set()

    def state(self) -> TrainingState:
        """The training as it is now."""
        with self._lock:
            return TrainingState(
                self._step, self._steps, self._log,
                seconds_left(self._step - self._first, self._steps - self._step, self._now - self._began),
                self._pictures, self._picture, self._shows, self._end.is_set())


def seconds_left(done: int, to_do: int, seconds: float) -> float | None:
    """How long the rest takes at the pace so far; None while nothing is done."""
    return to_do * seconds / done if done > 0 else None
