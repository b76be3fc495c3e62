"""A small simulated series with finished analyses that found just what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deepd3_ij.files.hdf5 import write_prediction, write_rois
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.rois import RoiSet
from deepd3_ij.simulation_series import simulate_timepoints
from deepd3_ij.stack import label_prediction

FIELD = SimulationParameters(planes=12, height_px=220, width_px=220, dendrites=2, axons=0, blob_clusters=0, clouds=0)
CHANGES = TimeSeriesParameters(sessions=3, cut_planes=2, drift_z_um=1.0)


def write_finished_series(folder: Path) -> list[str]:
    """Write stacks ``t1.tif``, …, and beside each its ``.prediction`` and ``.rois``; gives the stacks."""
    files = []
    for number, point in enumerate(simulate_timepoints(FIELD, CHANGES, seed=6), start=1):
        scene = point.scene
        prediction = label_prediction(scene.dendrite.values.astype(np.float32),
                                      (scene.spine.values > 0).astype(np.float32), scene.stack, {})
        write_stack(folder / f"t{number}.tif", scene.stack)
        write_prediction(folder / f"t{number}.prediction", prediction)
        write_rois(folder / f"t{number}.rois", RoiSet.from_labels(scene.spine.values, prediction))
        files.append(str(folder / f"t{number}.tif"))
    return files
