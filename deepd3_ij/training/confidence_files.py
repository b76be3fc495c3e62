"""Calibration of a confidence from files to a model file."""

from __future__ import annotations

import dataclasses
import shutil
from os import PathLike
from pathlib import Path

from deepd3_ij.atomic import replacing
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.point_tables import read_spine_points
from deepd3_ij.files.swc import read_swc
from deepd3_ij.model.card import attach_card
from deepd3_ij.model.loading import DeepD3Model
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stack import voxel_size_um
from deepd3_ij.training.confidence_fit import ConfidenceCalibration, JudgedRois, judge_by_markers

FilePath = str | PathLike[str]


def judge_annotated_files(
    model: DeepD3Model, stack: FilePath, spines: FilePath, dendrites: FilePath | None = None, *,
    xy_um: float | None = None, z_um: float | None = None, progress: Progress = no_progress,
) -> JudgedRois:
    """Find ROIs in the stack of a file and judge them by a table of annotated spines.

    Parameters
    ----------
    model
        Network.
    stack
        TIFF file.
    spines
        Table as for :func:`deepd3_ij.files.point_tables.read_spine_points`.
    dendrites
        SWC file of the dendrites whose spines were annotated; without it, all were.
    xy_um, z_um
        Voxel size, for a file that does not tell it.
    progress
        Receives progress.

    Raises
    ------
    AnnotationError
        The table or the tracing cannot be read.
    """
    image = open_stack(stack, xy_um=xy_um, z_um=z_um)
    plane_um, pixel_um, _ = voxel_size_um(image)
    markers = read_spine_points(spines, xy_um=pixel_um, z_um=plane_um)
    traced = None if dendrites is None else read_swc(dendrites)
    return judge_by_markers(Path(stack).stem, image, model, markers, traced, progress=progress)


def write_calibrated(model: DeepD3Model, calibration: ConfidenceCalibration, path: FilePath) -> None:
    """Write a copy of a model's file with the calibration in its card; the file is there whole, or not at all."""
    card = dataclasses.replace(model.card, confidence=calibration.model.to_dict(),
                               scores={**model.card.scores, "confidence": calibration.scores()})
    with replacing(path) as temporary:
        shutil.copyfile(model.path, temporary)
        attach_card(temporary, card)
