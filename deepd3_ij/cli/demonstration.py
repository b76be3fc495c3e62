"""The demo: a simulated stack, analyzed and compared with what was simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.report import print_analysis, print_files
from deepd3_ij.measurement.evaluation import evaluate
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import USUAL, endings_of, write_analysis
from deepd3_ij.outputs.scene_files import SCENE_ENDINGS, write_scene
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.pipeline import analyze
from deepd3_ij.simulation import SimulatedScene, simulate

SEED = 7
SCENE = SimulationParameters(planes=15, height_px=384, width_px=512, dendrites=2)


def run(folder: Path, *, overwrite: bool = False, quiet: bool = False) -> None:
    """Make the sample, analyze it with the default model and print what was found and where it is.

    Parameters
    ----------
    folder
        Existing folder for sample and results.
    overwrite
        Replace also files of earlier runs that were changed since.
    quiet
        Print results only.

    Raises
    ------
    OutputError
        Something would be lost.
    """
    ledger = Ledger(folder, "sample", overwrite)
    ledger.check([*SCENE_ENDINGS, *endings_of(USUAL)])
    with shown_progress(quiet) as progress:
        progress(0, 1, "Simulate a sample stack")
        scene = simulate(SCENE, seed=SEED)
        progress(1, 1, "Simulate a sample stack")
        sample = write_scene(scene, folder, ledger.stem, ledger)[0]
        visible = scene.spines[scene.spines["visible"]]
        analysis = analyze(scene.stack, progress=progress)
        files = write_analysis(analysis, folder, ledger.stem, ledger=ledger, progress=progress)
    print_analysis(analysis)
    scores = evaluate(_positions(analysis.measurements.spines, scene), _positions(visible, scene)).scores
    print(f"of {scores.truth} simulated spines {scores.matched} were found, "
          f"{scores.false_positives} detections are no spine (F1 {scores.f1:.2f})")
    print(f"Results, for the sample stack {sample}:")
    print_files(files)
    print(f"Open the sample, {files[0].name} and {folder / 'sample_rois.zip'} in Fiji, or look at "
          f"{folder / 'sample_overview.png'}")


def _positions(table: pd.DataFrame, scene: SimulatedScene) -> SpinePoints:
    size_um = np.array([scene.parameters.z_um, scene.parameters.xy_um, scene.parameters.xy_um])
    zyx_px = table[["z_um", "y_um", "x_um"]].to_numpy(float) / size_um
    return SpinePoints(table["id"].to_numpy(), zyx_px, z_um=size_um[0], xy_um=size_um[1])
