"""The verbs of training: simulated stacks, training data, training, evaluation."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.errors import AnnotationError, ParameterError
from deepd3_ij.parameters import (
    TRAINING_LENGTHS,
    EvaluationParameters,
    SeriesParameters,
    SimulationParameters,
    TrainingDataParameters,
    TrainingParameters,
)
from deepd3_ij.progress import Progress, in_steps
from deepd3_ij.service.annotation_verbs import training_file
from deepd3_ij.service.exchange import Reply, describe_image, merged
from deepd3_ij.service.registry import NOTHING_CHOSEN, Choices, verb

if TYPE_CHECKING:
    from deepd3_ij.training.live_training import LiveTraining

_watched: dict[str, LiveTraining] = {}
"""The trainings that are under way and watched, by the names that their callers gave."""


@verb("simulate")
def simulate(progress: Progress, *, choices: Choices = NOTHING_CHOSEN,
             folder: str | None = None) -> Reply:
    """Simulate stacks; gives the last one and the numbers of its spines. Several need a folder for their files."""
    from deepd3_ij.outputs.simulated_stacks import simulate_series

    parameters, wanted = choices.resolve(SimulationParameters).parameters, choices.resolve(SeriesParameters).parameters
    if wanted.count > 1 and not folder:
        raise ParameterError(f"count is {wanted.count} and there is no folder for the files; choose a folder, or "
                             "simulate one stack.")
    target = check_output_folder(folder) if folder else None
    files: list[Path] = []
    for scene, written in simulate_series(parameters, wanted, target, progress=progress):
        files += written
        last = scene
    seed = wanted.seed + wanted.count - 1
    return Reply({"image": {**describe_image(last.stack), "source": f"simulated_{seed:04d}.tif"}, "signed": False,
                  "title": f"simulated_{seed:04d}.tif", "count": int(last.spine.values.max()),
                  "visible": int(last.spines["visible"].sum()), "files": [str(path) for path in files]},
                 {"stack": last.stack.values, "labels": last.spine.values.astype(np.uint16)})


@verb("create_training_data")
def create_training_data(progress: Progress, *, stack: str, dendrites: str, spines: str, out: str,
                         choices: Choices = NOTHING_CHOSEN, xy_um: float | None = None, z_um: float | None = None,
                         channel: int | None = None, frame: int | None = None) -> Reply:
    """Make a d3data file of a stack and its annotation; gives a picture of it, RGB one after the other."""
    from deepd3_ij.training.dataset import create_training_data as create
    from deepd3_ij.training.dataset import overlay

    target = training_file(out, ".d3data")
    data = create(stack, dendrites, spines, target, choices.resolve(TrainingDataParameters).parameters, xy_um=xy_um,
                  z_um=z_um, channel=channel, frame=frame, progress=progress)
    return Reply({"file": str(target), "shape": list(data.stack.shape),
                  "dendrite_voxels": int(data.dendrite.sum()), "spine_voxels": int(data.spines.sum())},
                 {"picture": np.ascontiguousarray(np.moveaxis(overlay(data), 2, 0))})


@verb("describe_training_data")
def describe_training_data(progress: Progress, *, path: str) -> Reply:
    """Tell what a d3data or d3set file holds; with a picture of its first stack, RGB one after the other."""
    from deepd3_ij.training.dataset import describe_training_data as described
    from deepd3_ij.training.dataset import overlay, read_training_data

    progress(0, 1, "Reading training data")
    table = described(path)
    picture = overlay(read_training_data(path)[0])
    progress(1, 1, "Reading training data")
    return Reply({"stacks": [{str(name): str(value) for name, value in row.items()} for _, row in table.iterrows()]},
                 {"picture": np.ascontiguousarray(np.moveaxis(picture, 2, 0))})


@verb("arrange_training_data")
def arrange_training_data(progress: Progress, *, source: str, out: str, pattern: str = "**/*.d3data") -> Reply:
    """Arrange the d3data files below a folder, in the order of their names, to a d3set."""
    from deepd3_ij.training.dataset import arrange_training_data as arrange

    top, target = Path(source), training_file(out, ".d3set")
    if not top.is_dir():
        raise AnnotationError(f"{top} is no folder; choose the folder that holds the .d3data files.")
    files = sorted(path for path in top.glob(pattern) if path.is_file())
    if not files:
        raise AnnotationError(f"No file below {top} matches {pattern!r}; make them with Create DeepD3 Training Data…")
    arrange(files, target, progress=progress)
    return Reply({"file": str(target), "files": [str(path) for path in files]})


@verb("train")
def train(progress: Progress, *, training: str, out: str | None = None, validation: str | None = None,
          start: str | None = None, resume: bool = False, finish: bool = False, watched: str | None = None,
          length: str = "quick", choices: Choices = NOTHING_CHOSEN) -> Reply:
    """Train a model on a d3set; without a file to write, it goes into the folder of models under the set's name.

    `watched` is a name under which others can ask for its state meanwhile, and end it.
    """
    from deepd3_ij.training.live_training import LiveTraining
    from deepd3_ij.training.training_run import train_from_set

    parameters = choices.resolve(TrainingParameters, training_of_length(length)).parameters
    target = _model_file(training, out)
    progress = in_steps(progress, {"Reading the training set": 0.01, "Preparing stacks": 0.04, "training": 0.95})
    progress(0, 1, "Reading the training set")
    live = LiveTraining() if watched else None
    if watched and live:
        _watched[watched] = live
    try:
        trained = train_from_set(Path(training), target, parameters, start=start,
                                 validation=Path(validation) if validation else None,
                                 resume=resume, finish=finish, live=live, progress=progress)
    finally:
        _watched.pop(watched or "", None)
    reply = Reply({"model": str(trained.keras), "curve": str(trained.curve), "scores": dict(trained.card.scores),
                   "files": [str(path) for path in (trained.keras, trained.h5, trained.log, trained.curve)]})
    return merged(reply, _state_of(live, 0)) if live else reply


@verb("training_state")
def training_state(progress: Progress, *, watched: str, pictures: int = 0) -> Reply:
    """Tell how a watched training goes, with its latest picture (RGB one after the other) unless it was seen.

    `pictures` is the number of pictures that were made when the last one was seen.
    """
    live = _watched.get(watched)
    return Reply() if live is None else _state_of(live, pictures)


@verb("end_training")
def end_training(progress: Progress, *, watched: str) -> Reply:
    """Let a watched training end, and make the model of the best weights."""
    live = _watched.get(watched)
    if live is not None:
        live.end()
    return Reply()


@verb("interrupted_training")
def interrupted_training(progress: Progress, *, training: str, out: str | None = None, validation: str | None = None,
                         start: str | None = None) -> Reply:
    """Tell whether a training of a model was interrupted, and with which parameters it can go on."""
    from deepd3_ij.training.interrupted import find_interrupted

    target = _model_file(training, out)
    found = find_interrupted(target, Path(training), Path(validation) if validation else None, started=bool(start))
    return Reply({"model": target.stem, "found": None if found is None else dataclasses.asdict(found)})


def training_of_length(length: str) -> dict[str, dict[str, int]]:
    """What a choice of a training's length recommends, in the form of a model's recommendations."""
    if length not in TRAINING_LENGTHS:
        raise ParameterError(f"The length of the training is {length!r}; accepted: {', '.join(TRAINING_LENGTHS)}.")
    return {TrainingParameters.__name__: TRAINING_LENGTHS[length]}


def _model_file(training: str, out: str | None) -> Path:
    from deepd3_ij.model.zoo import models_folder

    return training_file(out or str(models_folder() / Path(training).stem), ".keras")


def _state_of(live: LiveTraining, seen: int) -> Reply:
    state = live.state()
    rows = [{name: value for name, value in row.items() if math.isfinite(value)} for row in state.log]
    new = state.picture is not None and state.pictures > seen
    return Reply({"state_of": {"step": state.step, "steps": state.steps, "log": rows,
                               "seconds_left": state.seconds_left, "pictures": state.pictures, "shows": state.shows,
                               "ending": state.ending}},
                 {"picture": state.picture} if new and state.picture is not None else {})


@verb("evaluate")
def evaluate(progress: Progress, *, detected: str, truth: str, dendrites: str | None = None,
             report: str | None = None, choices: Choices = NOTHING_CHOSEN, xy_um: float | None = None,
             z_um: float | None = None) -> Reply:
    """Compare a spine table with annotated spines and write the scores as JSON."""
    from deepd3_ij.outputs.evaluation_report import evaluate_tables

    progress(0, 1, "Comparing")
    result, path = evaluate_tables(detected, truth, choices.resolve(EvaluationParameters).parameters,
                                   dendrites=dendrites, report=report, xy_um=xy_um, z_um=z_um)
    progress(1, 1, "Comparing")
    return Reply({"scores": result.scores.to_dict(), "file": str(path)})
