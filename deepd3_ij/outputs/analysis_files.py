"""All files of an analysis."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from deepd3_ij.atomic import replacing_together
from deepd3_ij.files.contour_folder import write_contour_folder
from deepd3_ij.files.hdf5 import write_prediction, write_rois
from deepd3_ij.files.roi_zip import write_roi_zip
from deepd3_ij.files.tables import write_centroids, write_table
from deepd3_ij.files.tiff import write_prediction_maps, write_stack
from deepd3_ij.outputs.overview import draw_overview
from deepd3_ij.progress import Progress, no_progress

if TYPE_CHECKING:
    from deepd3_ij.measurement import Measurements
    from deepd3_ij.pipeline import Analysis
    from deepd3_ij.rois import RoiSet


@dataclass(frozen=True)
class Extras:
    """Files beyond the usual ones.

    Attributes
    ----------
    eight_bit
        Probability maps as 8-bit images, 0–255, instead of 32-bit.
    roi_folder
        Also a folder of outlines, one CSV per plane and ROI.
    binary_roi_map
        Also the ROI map as a binary image, 0/255.
    centroids
        Also the centroids as CSV.
    """

    eight_bit: bool = False
    roi_folder: bool = False
    binary_roi_map: bool = False
    centroids: bool = False


def write_maps(prediction: xr.Dataset, folder: Path, stem: str, *, eight_bit: bool = False,
               progress: Progress = no_progress) -> list[Path]:
    """Write ``<stem>_dendrites.tif``, ``<stem>_spines.tif`` and ``<stem>.prediction``."""
    maps = write_prediction_maps(folder, stem, prediction, eight_bit=eight_bit, progress=progress)
    target = folder / f"{stem}.prediction"
    write_prediction(target, prediction, progress=progress)
    return [*maps, target]


def write_roi_files(rois: RoiSet, folder: Path, stem: str, extras: Extras = Extras()) -> list[Path]:
    """Write ``<stem>_roi_map.tif``, ``<stem>_rois.zip`` and what `extras` asks for, but for the folder of outlines."""
    writers: list[tuple[str, Callable[[Path], object]]] = [
        (f"{stem}_roi_map.tif", lambda path: write_stack(path, _with_provenance(rois))),
        (f"{stem}_rois.zip", lambda path: write_roi_zip(path, rois)),
    ]
    if extras.binary_roi_map:
        writers.append((f"{stem}_roi_map_binary.tif", lambda path: write_binary_roi_map(path, rois)))
    if extras.centroids:
        writers.append((f"{stem}_centroids.csv", lambda path: write_centroids(path, rois)))
    for name, write in writers:
        write(folder / name)
    return [folder / name for name, _ in writers]


def _with_provenance(rois: RoiSet) -> xr.DataArray:
    text = json.dumps(dict(rois.provenance), sort_keys=True, default=str)
    return rois.labels.assign_attrs(provenance=text) if rois.provenance else rois.labels


def write_binary_roi_map(path: Path, rois: RoiSet) -> None:
    """Write a ROI map as an 8-bit image: 255 inside of ROIs, 0 elsewhere."""
    binary = (rois.labels > 0).astype(np.uint8) * np.uint8(255)
    write_stack(path, binary.assign_attrs(rois.labels.attrs), display_range=(0, 255))


def write_measurements(measurements: Measurements, folder: Path, stem: str) -> list[Path]:
    """Write ``<stem>_spines.csv`` and ``<stem>_dendrites.csv``."""
    files = [folder / f"{stem}_spines.csv", folder / f"{stem}_dendrites.csv"]
    write_table(files[0], measurements.spines)
    write_table(files[1], measurements.dendrites)
    return files


def write_analysis(analysis: Analysis, folder: Path, stem: str, extras: Extras = Extras(),
                   *, progress: Progress = no_progress) -> list[Path]:
    """Write every file of an analysis; older ones are replaced when all new ones are complete.

    Parameters
    ----------
    analysis
        Result of :func:`deepd3_ij.analyze`.
    folder
        Existing folder.
    stem
        Start of every file name.
    extras
        Files beyond the usual ones.
    progress
        Receives progress.

    Returns
    -------
    list of pathlib.Path
        The files, in the order of the way of the data.
    """
    steps: list[Callable[[Path], list[Path]]] = [
        lambda place: write_maps(analysis.prediction, place, stem, eight_bit=extras.eight_bit),
        lambda place: write_roi_files(analysis.rois, place, stem, extras),
        lambda place: _one(place / f"{stem}.rois", lambda path: write_rois(
            path, analysis.rois, analysis.measurements.spines)),
        lambda place: write_measurements(analysis.measurements, place, stem),
        lambda place: _one(place / f"{stem}_overview.png", lambda path: draw_overview(
            path, analysis.stack, analysis.prediction, analysis.rois, analysis.measurements)),
    ]
    return write_together(steps, folder, stem, analysis.rois if extras.roi_folder else None, progress=progress)


def write_together(steps: Sequence[Callable[[Path], list[Path]]], folder: Path, stem: str,
                   outlines_of: RoiSet | None = None, *, progress: Progress = no_progress) -> list[Path]:
    """Write results that belong together; files that are there are replaced when all new ones are complete.

    Parameters
    ----------
    steps
        Each writes files into the folder that it gets and returns them.
    folder
        Existing folder for the results.
    stem, outlines_of
        Name of the folder of outlines and the ROIs that it shows; none is made without ROIs.
    progress
        Receives progress over the steps.

    Returns
    -------
    list of pathlib.Path
        The files, and the folder of outlines at the end.
    """
    files: list[Path] = []
    with replacing_together(folder) as place:
        for done, step in enumerate(steps):
            progress(done, len(steps), "Write results")
            files += [folder / path.name for path in step(place)]
        if outlines_of is not None:
            files.append(write_contour_folder(folder, stem, outlines_of))
        progress(len(steps), len(steps), "Write results")
    return files


def _one(path: Path, write: Callable[[Path], object]) -> list[Path]:
    write(path)
    return [path]
