"""Files of followed spines to open in ImageJ: a registered hyperstack, and ROIs at their planes and time points."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

from deepd3_ij.atomic import replacing
from deepd3_ij.colours import CHANGE_COLOURS, Colour, roi_colour
from deepd3_ij.files.imagej_roi import encode_outline
from deepd3_ij.files.roi_zip import DATE
from deepd3_ij.files.tiff import write_time_series
from deepd3_ij.names import REGISTERED, ROI_CHANGE, ROI_TRACK, ROLE
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.timelapse.following import Timelapse
from deepd3_ij.timelapse.registered import (
    Mark,
    display_range,
    grid_of,
    marks,
    registered_dtype,
    registered_planes,
)


def has_images(series: Timelapse) -> bool:
    """Whether there is something to show: an image or a map of the reference."""
    reference = series.points[series.reference]
    return reference.stack is not None or reference.prediction is not None


def write_hyperstack(series: Timelapse, path: Path, progress: Progress = no_progress) -> None:
    """Write the images of all time points, laid on the reference; without images nothing."""
    if not has_images(series):
        return
    labels = [f"{point.name} ({point.time:g} d)" for point in series.points]
    write_time_series(path, registered_planes(series, progress), grid_of(series), labels, registered_dtype(series),
                      display_range=display_range(series), properties={ROLE: REGISTERED})


def write_rois_by_track(series: Timelapse, path: Path) -> None:
    """Write a ROI for each spine and time point of the hyperstack, a colour for each track."""
    _write_rois(series, path, lambda mark: roi_colour(mark.track))


def write_rois_by_change(series: Timelapse, path: Path) -> None:
    """Write the same in the colour of what happened: stable, gained, lost, unobservable, undecided."""
    _write_rois(series, path, lambda mark: CHANGE_COLOURS[mark.change])


def mark_name(mark: Mark) -> str:
    """What the ROI Manager calls a spine at a time point: ``track0012_t03``, counted from 1."""
    return f"track{mark.track:04d}_t{mark.session + 1:02d}"


def _write_rois(series: Timelapse, path: Path, colour_of: Callable[[Mark], Colour]) -> None:
    if not has_images(series):
        return
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for mark in marks(series):
            content = encode_outline(mark_name(mark), mark.outline_yx_px, mark.plane, mark.session, colour_of(mark),
                                     {ROI_TRACK: mark.track, ROI_CHANGE: mark.change})
            archive.writestr(zipfile.ZipInfo(f"{mark_name(mark)}.roi", date_time=DATE), content,
                             zipfile.ZIP_DEFLATED)
