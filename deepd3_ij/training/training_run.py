"""From a d3set to model files: the whole of ``deepd3-ij train``."""

from __future__ import annotations

import dataclasses
import datetime
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from deepd3_ij.atomic import check_names, replacing
from deepd3_ij.drawing import drawing_library
from deepd3_ij.errors import AnnotationError, OutputError
from deepd3_ij.file_identity import refuse_inputs, sha256_of
from deepd3_ij.files.d3data import NO_DENDRITE, NO_SPINE, D3Data
from deepd3_ij.model.backend import backend_version, chosen_backend
from deepd3_ij.model.card import ModelCard
from deepd3_ij.model.loading import load_model
from deepd3_ij.model.saving import save_network
from deepd3_ij.parameters import AugmentationParameters, SamplerParameters, TrainingParameters
from deepd3_ij.printing import storable
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation.likeness import measure_quality, ranges_of
from deepd3_ij.stack import label_stack
from deepd3_ij.training.dataset import read_training_data
from deepd3_ij.training.fitting import FitResult, checkpoint_step, fit
from deepd3_ij.training.live_training import LiveTraining
from deepd3_ij.training.model_selection import SceneValidation, calibrate
from deepd3_ij.training.sampler import Sampler, SampleSource
from deepd3_ij.training.simulated_samples import ScenePlanes, resample_planes, scale_planes
from deepd3_ij.training.starting import initial_network, starting_from
from deepd3_ij.training.training_watch import NOBODY

VALIDATION_PLANES = 400
"""At most this many planes are predicted at each validation."""


@dataclass(frozen=True)
class TrainedModel:
    """Files of a finished training and what was measured."""

    keras: Path
    h5: Path
    log: Path
    curve: Path
    card: ModelCard
    fit: FitResult


def train_from_set(
    training: Path,
    out: Path,
    parameters: TrainingParameters = TrainingParameters(),
    *,
    validation: Path | None = None,
    augmentation: AugmentationParameters | None = AugmentationParameters(),
    start: str | Path | None = None,
    resume: bool = False,
    finish: bool = False,
    live: LiveTraining | None = None,
    progress: Progress = no_progress,
) -> TrainedModel:
    """Train a network on a d3set and save it with a card.

    Parameters
    ----------
    training
        d3set file, or a d3data file.
    out
        Model file to make, ``.keras``; the same name with ``.h5`` is written beside it for the original.
        Checkpoint, log and learning curve go to the folder ``<stem>_training`` beside it.
    parameters
        Network, losses, schedule, length, samples.
    validation
        d3set with other stacks: chooses the best weights and calibrates the ROI thresholds. Without it the
        last weights are kept and the thresholds are calibrated on the training stacks, which the card tells.
    augmentation
        How samples are varied; None for samples as they are.
    start
        Name or file of the model whose weights the training begins with; its filters and pixel size count then.
    resume
        Go on where an interrupted training with the same `out` stopped.
    finish
        Train no further: make the model of the best weights that the interrupted training has found.
    live
        Is told how the training goes, with a picture after each validation, and can end it early.
    progress
        Called after each batch.

    Returns
    -------
    TrainedModel

    Raises
    ------
    AnnotationError
        The stacks cannot be used together, or none is large enough.
    FileFormatError
        A file is damaged, or the checkpoint belongs to other parameters or other data.
    ModelError
        No backend of Keras can train, or no training can begin with the model `start`; told before the training.
    OutputError
        A file cannot be written, or an input or another model would be replaced; told before the training.
    """
    out = Path(out).with_suffix(".keras")
    h5, folder = out.with_suffix(".h5"), out.with_name(f"{out.stem}_training")
    curve = folder / "learning_curve.png"
    check_names(out.parent, [out.name, folder.name])
    refuse_inputs([out, h5, curve, folder / "log.csv", folder / "checkpoint.npz"], [training, validation])
    if h5.exists() and not out.exists() and not folder.exists():
        raise OutputError(f"{h5} is there and no model of a training ({out.name} is not); it would be replaced by the "
                          "new model for the original DeepD3. Give another name.")
    backend = chosen_backend()
    initial = load_model(start) if start is not None else None
    if initial is not None:
        parameters = starting_from(initial, parameters)
    if finish:
        done = checkpoint_step(folder)
        parameters, resume = dataclasses.replace(parameters, steps=done), True
    stacks = read_training_data(training)
    sampler = Sampler(stacks, SamplerParameters(
        height_px=parameters.tile_px, width_px=parameters.tile_px,
        target_resolution_um=parameters.target_resolution_um, min_content_voxels=parameters.min_content_voxels,
 normalise="plane", seed=parameters.seed), augmentation)
    xy_um = parameters.target_resolution_um or float(np.mean([stack.xy_um for stack in stacks]))
    held_out = read_training_data(validation) if validation else []
    validator = SceneValidation(_validation_scenes(held_out, xy_um), xy_um) if held_out else None

    data = {"training_sha256": sha256_of(Path(training)),
            "validation_sha256": sha256_of(Path(validation)) if validation else None,
            "augmentation": None if augmentation is None else dataclasses.asdict(augmentation),
            **({} if initial is None else {"start_sha256": initial.sha256})}
    if live is not None:
        _show_example(live, validator.scenes if validator else [annotated_planes(_most_spines(stacks), xy_um)],
                      held_out=validator is not None)
    result = fit(SampleSource(sampler), parameters, folder=folder, validate=validator, data=data, resume=resume,
                 initial=None if initial is None else initial_network(initial), watch=live or NOBODY,
                 progress=progress)
    measured = validator or SceneValidation(_validation_scenes(stacks, xy_um), xy_um)
    calibration = calibrate(result.network, measured)
    card = ModelCard(
        name=storable(out.stem),
        description=f"Trained on {len(stacks)} annotated stack(s)."
        + ("" if initial is None else f" The training began with {initial.name}."),
        resolution_um=xy_um,
        z_um=float(np.mean([stack.z_um for stack in stacks])),
        filters=parameters.filters,
        created=datetime.date.today().isoformat(),
        training={"parameters": dataclasses.asdict(parameters), "stacks": len(stacks), "best_step": result.best_step,
                  "seconds": round(result.seconds), "backend": f"{backend} {backend_version(backend)}",
                  "augmentation": data["augmentation"], **({} if initial is None else {"started_from": initial.name})},
        scores={"measured_on": "validation stacks" if held_out else "training stacks", **calibration.scores},
        trained_on=ranges_of(measure_quality(label_stack(stack.stack, xy_um=stack.xy_um, z_um=stack.z_um))
                             for stack in stacks),
        recommended=calibration.recommended if held_out or initial is None else initial.card.recommended,
    )
    for path in (out, h5):
        save_network(result.network, path, card)
    try:
        draw_learning_curve(result.log, curve)
    except Exception as error:  # the models are what a night was spent for
        warnings.warn(f"{curve.name} was not drawn ({type(error).__name__}: {' '.join(str(error).split())[:200]}); the "
                      "models are complete.", stacklevel=2)
    return TrainedModel(out, h5, folder / "log.csv", curve, card, result)


def _most_spines(stacks: Sequence[D3Data]) -> D3Data:
    return max(stacks, key=lambda stack: int(np.count_nonzero(stack.spines)))


def _show_example(live: LiveTraining, scenes: Sequence[ScenePlanes], *, held_out: bool) -> None:
    live.show(max(scenes, key=lambda scene: int((scene.spine == 1).sum())),
              "a validation stack" if held_out else "a training stack")


def _validation_scenes(stacks: Sequence[D3Data], xy_um: float) -> list[ScenePlanes]:
    scenes = [annotated_planes(stack, xy_um) for stack in stacks]
    limit = max(1, VALIDATION_PLANES // len(scenes))
    return [scene if len(scene.image) <= limit else _first_planes(scene, limit) for scene in scenes]


def _first_planes(scene: ScenePlanes, count: int) -> ScenePlanes:
    spots = scene.spots[scene.spots[:, 0] < count]
    return ScenePlanes(scene.image[:count], scene.dendrite[:count], scene.spine[:count], spots, scene.z_um)


def annotated_planes(stack: D3Data, xy_um: float) -> ScenePlanes:
    """Bring an annotated stack to the training resolution, scaled plane by plane, with its spines' centres."""
    if stack.stack.shape != stack.dendrite.shape or stack.stack.shape != stack.spines.shape:
        raise AnnotationError(f"The stack has shape {stack.stack.shape}, its masks {stack.dendrite.shape} and "
                              f"{stack.spines.shape}; accepted: one shape (z, y, x) for all three.")
    factor = stack.xy_um / xy_um
    image = resample_planes(np.asarray(stack.stack, np.float32), factor)
    dendrite, spine = (resample_planes((np.asarray(mask) > 0).astype(np.float32), factor) >= 0.5
                       for mask in (stack.dendrite, stack.spines))
    targets = [dendrite.astype(np.int8), spine.astype(np.int8)]
    if stack.ignored is not None:
        for target, bit in zip(targets, (NO_DENDRITE, NO_SPINE), strict=True):
            target[resample_planes((stack.ignored & bit > 0).astype(np.float32), factor) > 0] = -1
    spine = targets[1] == 1
    labels, count = ndimage.label(spine, np.ones((3, 3, 3)))
    spots = np.array(ndimage.center_of_mass(spine, labels, np.arange(1, count + 1))).reshape(-1, 3)
    return ScenePlanes(scale_planes(image), targets[0], targets[1], spots, stack.z_um)


def draw_learning_curve(log: list[dict[str, float]], path: Path) -> None:
    """Draw losses and validation scores over the batches as a PNG file."""
    figure = drawing_library("figure").Figure(figsize=(9, 3.5), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    steps = [row["step"] for row in log]
    for axes, names, title in ((losses, ("dendrite_loss", "spine_loss"), "Loss of the training samples"),
                               (scores, ("dendrite_dice", "spine_dice", "spine_f1"), "Validation")):
        for name in names:
            if any(name in row for row in log):
                axes.plot(steps, [row.get(name, np.nan) for row in log], label=name.replace("_", " "))
        axes.set_xlabel("batches")
        axes.set_title(title)
        if axes.lines:
            axes.legend()
    scores.set_ylim(0, 1)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
