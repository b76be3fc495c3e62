"""The commands ``models list``, ``get``, ``show`` and ``export``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.report import print_reliability
from deepd3_ij.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from deepd3_ij.model.loading import DeepD3Model

_SAMPLE_SEED = 7
_SAMPLE_PX = 256


def list_models(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models list``."""
    from deepd3_ij.model.zoo import available, default_model

    entries = available()
    default = default_model()
    for entry in entries:
        state = entry.origin if entry.origin != "zoo" else "downloaded" if entry.path else "to download"
        about = entry.about().split(". ")[0] if entry.path else f"deepd3-ij models get {entry.name}"
        print(f"{entry.name:16} {state:12} {about}{' (default)' if entry.name == default else ''}")


def get(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models get``."""
    from deepd3_ij.model.zoo import download

    with shown_progress(arguments.quiet) as progress:
        path = download(arguments.name, progress=progress)
    print(path)


def show(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models show``."""
    from deepd3_ij.model.zoo import card_of, find_model

    path = find_model(arguments.name)
    print(path)
    print(card_of(path).to_json())


def calibrate(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models calibrate``."""
    from deepd3_ij.atomic import check_names
    from deepd3_ij.file_identity import refuse_inputs
    from deepd3_ij.model.loading import load_model
    from deepd3_ij.training.confidence_files import judge_annotated_files, write_calibrated
    from deepd3_ij.training.confidence_fit import calibrate_confidence, judge_simulated

    annotated = arguments.annotated or []
    for files in annotated:
        if len(files) not in (2, 3):
            raise ParameterError(f"--annotated has {len(files)} file{'' if len(files) == 1 else 's'}; accepted: a "
                                 "stack, a table of its spines and, where there is one, a tracing.")
    model = load_model(arguments.name)
    target = Path(arguments.out)
    if target.suffix.lower() != model.path.suffix.lower():
        raise ParameterError(f"--out is {target.name}; accepted: a name that ends with {model.path.suffix}, as the "
                             "model's file.")
    check_names(target.parent, [target.name])
    refuse_inputs([target], [model.path, *(file for files in annotated for file in files)])
    with shown_progress(arguments.quiet) as progress:
        judged = [judge_annotated_files(model, *files, xy_um=arguments.xy_um, z_um=arguments.z_um, progress=progress)
                  for files in annotated]
        judged += judge_simulated(model, arguments.simulated, progress=progress)
    calibration = calibrate_confidence(judged)
    write_calibrated(model, calibration, target)
    print_reliability(calibration)
    print(target)


def export(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij models export``."""
    from deepd3_ij.model.loading import load_model
    from deepd3_ij.outputs.bioimageio import export_package

    model = load_model(arguments.name)
    path = Path(arguments.out or f"{model.path.stem}.bioimage.io.zip")
    with shown_progress(arguments.quiet) as progress:
        progress(0, 1, "Simulate a test image")
        plane = _sample_plane(model)
        progress(1, 1, "Simulate a test image")
        export_package(model, path, plane, authors=arguments.author or (), licence=arguments.licence,
                       progress=progress)
    print(path)


def _sample_plane(model: DeepD3Model) -> npt.NDArray[np.generic]:
    """The plane with the most spine of a small simulated stack, at the model's resolution."""
    from deepd3_ij.parameters import SimulationParameters
    from deepd3_ij.simulation import simulate

    height, width = model.fixed_shape or (-(-_SAMPLE_PX // model.stride_px) * model.stride_px,) * 2
    parameters = SimulationParameters(planes=5, height_px=height, width_px=width, dendrites=1)
    if model.card.resolution_um is not None:
        parameters = dataclasses.replace(parameters, xy_um=model.card.resolution_um)
    scene = simulate(parameters, seed=_SAMPLE_SEED)
    plane: npt.NDArray[np.generic] = scene.stack.values[int((scene.spine.values > 0).sum(axis=(1, 2)).argmax())]
    return plane
