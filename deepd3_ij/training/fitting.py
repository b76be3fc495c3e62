"""Train a network: batches in, the best model file out; can be killed and resumed at any time."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from deepd3_ij.atomic import check_output_folder, replacing
from deepd3_ij.errors import FileFormatError, one_line, remedy
from deepd3_ij.input_limits import check_memory, check_regular
from deepd3_ij.model.backend import keras, set_seed
from deepd3_ij.parameters import TrainingParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.training.backends import training_step
from deepd3_ij.training.starting import copy_weights
from deepd3_ij.training.training_watch import NOBODY, TrainingWatch

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]

HEAD_BIAS = {"dendrites": -2.0, "spines": -4.0}
"""Start of the heads' biases: about the logit of the share of foreground in the samples."""

_LARGEST_STEP = 10**12
FREE_ON_RESUME = ("steps", "validate_every", "patience")
"""Parameters that may differ when a training is resumed."""


class BatchSource(Protocol):
    """Where samples come from; batch `index` is always the same."""

    def batch(self, index: int, size: int) -> Batch:
        """Image (−1…1), dendrite and spine targets (1, 0, −1 = does not count), float32 ``(size, h, w, 1)``."""
        ...


@dataclass(frozen=True)
class Validation:
    """What is measured after every `validate_every` batches; a larger ``score`` is better."""

    score: float
    figures: dict[str, float]


Validator = Callable[[Any], Validation]


@dataclass(frozen=True)
class FitResult:
    """A finished training: the model with the best weights, the log and the best score."""

    network: Any
    log: list[dict[str, float]]
    best_step: int
    best_score: float
    seconds: float


def learning_rate(step: int, parameters: TrainingParameters) -> float:
    """Learning rate of a step: a short warm-up, then the chosen schedule over the second half."""
    p = parameters
    warm = min(1.0, (step + 1) / max(1.0, min(200.0, p.steps / 10)))
    late = max(0.0, (step / p.steps - 0.5) * 2)
    factor = 1.0
    if p.schedule == "cosine":
        factor = 0.5 * (1 + math.cos(math.pi * late))
    elif p.schedule == "exponential":
        factor = math.exp(-0.1 * 15 * late)
    return p.learning_rate * warm * factor


def start_biases(network: Any) -> None:
    """Set the heads' biases so that the untrained network predicts about the usual share of foreground."""
    for name, value in HEAD_BIAS.items():
        head = network.get_layer(name)
        kernel, bias = head.get_weights()
        head.set_weights([kernel, np.full_like(bias, value)])


class _Trainer:
    """A network in training precision, its optimizer and the running average of its weights."""

    def __init__(self, parameters: TrainingParameters, initial: Any | None) -> None:
        from deepd3_ij.model.network import build_network

        library = keras()
        self.parameters = parameters
        set_seed(parameters.seed)
        before = library.config.dtype_policy()
        library.config.set_dtype_policy(parameters.precision)
        try:
            self.network = build_network(parameters.filters)
        finally:
            library.config.set_dtype_policy(before)
        for name in HEAD_BIAS:  # probabilities near 0 and 1 need all digits
            self.network.get_layer(name).dtype_policy = "float32"
        if initial is None:
            start_biases(self.network)
        else:
            copy_weights(initial, self.network)
        self.averaged = build_network(parameters.filters)
        self.averaged.set_weights(self.network.get_weights())
        self.optimizer = library.optimizers.Adam(parameters.learning_rate)
        self.optimizer.build(self.network.trainable_variables)
        if parameters.precision == "mixed_float16":
            self.optimizer = library.optimizers.LossScaleOptimizer(self.optimizer)
            self.optimizer.build(self.network.trainable_variables)
        self._start()

    def _start(self) -> None:
        self._step = training_step(self.network, self.averaged, self.optimizer,
                                   (self.parameters.dendrite_loss, self.parameters.spine_loss))

    def step(self, index: int, batch: Batch) -> npt.NDArray[np.float32]:
        image, *targets = batch
        keep = min(self.parameters.averaging, (index + 1) / (index + 20))
        return self._step(image, targets, learning_rate(index, self.parameters), keep)

    def write_back(self) -> None:
        """Let `network`, `averaged` and `optimizer` have what was learned; needed before they are used."""
        self._step.write_back()

    def _variables(self) -> dict[str, Any]:
        groups = {"network": self.network.variables, "averaged": self.averaged.variables,
                  "optimizer": self.optimizer.variables}
        return {f"{name}_{i}": variable for name, variables in groups.items() for i, variable in enumerate(variables)}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        convert = keras().ops.convert_to_numpy
        return {name: convert(variable) for name, variable in self._variables().items()}

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        for name, variable in self._variables().items():
            variable.assign(state[name])
        self._start()


def fit(
    source: BatchSource,
    parameters: TrainingParameters = TrainingParameters(),
    *,
    folder: Path,
    validate: Validator | None = None,
    initial: Any | None = None,
    data: Mapping[str, Any] | None = None,
    resume: bool = False,
    watch: TrainingWatch = NOBODY,
    progress: Progress = no_progress,
) -> FitResult:
    """Train a network on batches.

    Parameters
    ----------
    source
        Makes batch number i; called from a second thread, one batch ahead.
    parameters
        Network, optimizer, schedule, losses.
    folder
        Gets ``checkpoint.npz`` (all that is needed to go on), ``best.npz`` and ``log.csv``.
    validate
        Scores a network; without it the last averaged weights are the result.
    initial
        Network whose weights are the start (same number of filters).
    data
        What tells the training data, as JSON values; a checkpoint of other data is refused.
    resume
        Go on from the checkpoint in `folder`, if there is one.
    watch
        Is told how it goes, and may end it early: the weights of that moment are validated too.
    progress
        Called before the first batch and after each.

    Returns
    -------
    FitResult
        Network in float32 with the best weights.

    Raises
    ------
    FileFormatError
        The checkpoint is damaged or belongs to a training with other parameters or other data.
    """
    p = parameters
    folder = check_output_folder(folder)
    trainer = _Trainer(p, initial)
    log: list[dict[str, float]] = []
    first, best_step, best_score, stale, spent = 0, -1, -math.inf, 0, 0.0
    best: list[npt.NDArray[Any]] | None = None
    if resume and (folder / "checkpoint.npz").exists():
        state, history = _read_checkpoint(folder, p, data)
        with _damage_named(folder / "checkpoint.npz"):
            trainer.restore(state)
            first, log, spent = int(history["step"]), list(history["log"]), float(history["seconds"])
            best_step, best_score, stale = history["best_step"], history["best_score"], history["stale"]
            if best_step >= 0:
                best = [state[f"best_{i}"] for i in range(len(trainer.averaged.weights))]

    started = time.monotonic() - spent
    running = np.zeros(2)
    counted = 0
    watch.begin(first, p.steps, log)
    progress(first, p.steps, "training")
    with ThreadPoolExecutor(1) as ahead:
        upcoming = ahead.submit(source.batch, first, p.batch_size)
        for index in range(first, p.steps):
            batch = upcoming.result()
            if index + 1 < p.steps:
                upcoming = ahead.submit(source.batch, index + 1, p.batch_size)
            running += trainer.step(index, batch)
            counted += 1
            done = index + 1
            watch.batch(done)
            ends = done == p.steps or watch.wants_end()
            if done % p.validate_every == 0 or ends:
                trainer.write_back()
                row: dict[str, float] = {"step": done, "seconds": round(time.monotonic() - started, 1),
                                         "learning_rate": learning_rate(index, p),
                                         "dendrite_loss": float(running[0] / counted),
                                         "spine_loss": float(running[1] / counted)}
                running[:], counted = 0, 0
                if validate is None:
                    best, best_step, best_score = trainer.averaged.get_weights(), done, math.nan
                else:
                    result = validate(trainer.averaged)
                    row |= {"score": result.score, **result.figures}
                    stale += 1
                    if result.score > best_score or best is None:
                        best, best_step, best_score, stale = trainer.averaged.get_weights(), done, result.score, 0
                log.append(row)
                _write_log(folder / "log.csv", log)
                _write_checkpoint(folder, trainer, best, p, {
                    "step": done, "log": log, "best_step": best_step, "best_score": best_score, "stale": stale,
                    "data": None if data is None else dict(data), "seconds": time.monotonic() - started})
                watch.validated(log, trainer.averaged)
            progress(done, p.steps, _line(log))
            if ends or (p.patience and stale >= p.patience):
                break
    network = trainer.averaged
    if best is not None:
        network.set_weights(best)
    return FitResult(network, log, best_step, best_score, time.monotonic() - started)


def checkpoint_step(folder: Path) -> int:
    """Number of batches after which an interrupted training can go on.

    Raises
    ------
    FileFormatError
        There is no checkpoint, or it is damaged.
    """
    return int(read_history(folder / "checkpoint.npz")["step"])


def load_checkpoint_network(path: Path) -> Any:
    """Build the network with the best weights of a checkpoint (the averaged ones if none was validated)."""
    from deepd3_ij.model.network import build_network

    state, history = load_checkpoint(Path(path))
    with _damage_named(Path(path)):
        network = build_network(TrainingParameters(filters=history["parameters"]["filters"]).filters)
        prefix = "best" if "best_0" in state else "averaged"
        network.set_weights([state[f"{prefix}_{i}"] for i in range(len(network.weights))])
    return network


def _line(log: list[dict[str, float]]) -> str:
    if not log:
        return "training"
    return "training: " + ", ".join(f"{name} {value:.3g}" for name, value in log[-1].items() if name != "seconds")


def _write_log(path: Path, log: Sequence[dict[str, float]]) -> None:
    names = list(dict.fromkeys(name for row in log for name in row))
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(log)


def _write_checkpoint(folder: Path, trainer: _Trainer, best: list[npt.NDArray[Any]] | None, p: TrainingParameters,
                      history: dict[str, Any]) -> None:
    arrays = trainer.state()
    for i, weight in enumerate(best or []):
        arrays[f"best_{i}"] = np.asarray(weight)
    text = json.dumps({"parameters": dataclasses.asdict(p), **history})
    arrays["history"] = np.frombuffer(text.encode(), np.uint8)
    with replacing(folder / "checkpoint.npz") as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub mistakes the arrays for its option


def load_checkpoint(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Read and check a checkpoint: its arrays by name, and its history (step, log, scores, parameters).

    Raises
    ------
    FileFormatError
        It is damaged or something else.
    """
    history = read_history(path)
    with _damage_named(path), np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files if name != "history"}, history


def read_history(path: Path) -> dict[str, Any]:
    """Read and check the history of a checkpoint, without the weights: step, log, scores, parameters, data.

    Raises
    ------
    FileFormatError
        It is damaged or something else.
    """
    check_regular(path, "the checkpoint of a training")
    with _damage_named(path):
        _check_arrays(path)
        with np.load(path, allow_pickle=False) as file:
            history = json.loads(file["history"].tobytes())
        _check_history(history)
        return dict(history)


def _check_arrays(path: Path) -> None:
    """An array that states more than its member of the zip holds would take all memory."""
    with zipfile.ZipFile(path) as archive:
        check_memory(sum(info.file_size for info in archive.infolist()), str(path), "delete it and start anew")
        for info in archive.infolist():
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
            if math.prod(shape) * dtype.itemsize > info.file_size:
                raise ValueError(f"{info.filename} states the shape {shape} and has {info.file_size} bytes")


def _check_history(history: Any) -> None:
    numbers = {name: history[name] for name in ("step", "best_step", "stale", "seconds", "best_score")}
    wrong = [name for name, value in numbers.items() if isinstance(value, bool) or not isinstance(value, int | float)]
    wrong += [name for name in ("step", "best_step", "stale") if not isinstance(numbers[name], int)]
    wrong += ["step"] if not wrong and not 0 <= numbers["step"] <= _LARGEST_STEP else []
    wrong += ["parameters"] if not isinstance(history["parameters"], dict) else []
    log = history["log"]
    wrong += ["log"] if not isinstance(log, list) or not all(isinstance(row, dict) for row in log) else []
    if wrong:
        raise ValueError(f"its {wrong[0]} is {str(history[wrong[0]])[:80]}")


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Whatever a damaged checkpoint makes fail becomes one line."""
    try:
        yield
    except FileFormatError:
        raise
    except Exception as error:  # zipfile, numpy and Keras fail in many ways
        raise FileFormatError(f"{path} is no checkpoint of a training ({type(error).__name__}: "
                              f"{one_line(error, 120)}); delete it and start anew.") from error


def _read_checkpoint(folder: Path, p: TrainingParameters, data: Mapping[str, Any] | None
                     ) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    path = folder / "checkpoint.npz"
    state, history = load_checkpoint(path)
    wanted = dataclasses.asdict(p)
    changed = [name for name in wanted
               if name not in FREE_ON_RESUME and wanted[name] != history["parameters"].get(name)]
    if changed:
        raise FileFormatError(f"The checkpoint {path} was made with another {changed[0]} "
                              f"({history['parameters'].get(changed[0])!r}, now {wanted[changed[0]]!r}); "
                              "use the same parameters or another folder.")
    used, now = history.get("data"), json.loads(json.dumps(None if data is None else dict(data)))
    if used != now:
        names = [name for name in now or {} if (used or {}).get(name) != now[name]] if isinstance(used, dict) else []
        raise FileFormatError(f"The checkpoint {path} was made with other training data"
                              f"{f' (another {names[0]})' if names else ''}; use the same set, or start anew without "
                              f"{remedy('--resume', 'Go on')} under another name.")
    return state, history
