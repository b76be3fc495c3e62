"""A simulated series in files, analyzed as if just what is there had been found."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepd3_ij.files.hdf5 import write_prediction, write_rois
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.rois import RoiSet
from deepd3_ij.simulation_series import simulate_timepoints
from deepd3_ij.stack import label_prediction


def write_finished(folder: Path, field: SimulationParameters, changes: TimeSeriesParameters, seed: int) -> None:
    """Write ``t1.tif``, ``t1.prediction``, ``t1.rois`` and so on into an existing folder."""
    for number, point in enumerate(simulate_timepoints(field, changes, seed), start=1):
        scene = point.scene
        prediction = label_prediction(scene.dendrite.values.astype(np.float32),
                                      (scene.spine.values > 0).astype(np.float32), scene.stack, {})
        write_stack(folder / f"t{number}.tif", scene.stack)
        write_prediction(folder / f"t{number}.prediction", prediction)
        write_rois(folder / f"t{number}.rois", RoiSet.from_labels(scene.spine.values, prediction))
