"""The files of followed spines: tables, transforms, pictures."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from deepd3_ij.atomic import replacing, replacing_together
from deepd3_ij.errors import AnnotationError, Cancelled, one_line
from deepd3_ij.files.tables import read_table, write_table
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.timelapse import Timelapse
from deepd3_ij.timelapse.field import REST
from deepd3_ij.version import __version__

EDITS_ENDING = "_links_user.csv"
"""A table beside the results in which a person cuts and makes links, by hand or in Fiji; no run replaces it."""

FILES_ENDING = "_files.csv"
"""The table with which the same series is followed again."""


@dataclass(frozen=True)
class TimelapseOutput:
    """A file of followed spines.

    Attributes
    ----------
    ending
        What follows the stem in its name.
    help
        What is in it.
    write
        Writes it, or nothing where there is nothing to write.
    is_picture
        If it cannot be made, a warning tells why, and the rest is written all the same.
    """

    ending: str
    help: str
    write: Callable[[Timelapse, Path, Progress], object]
    is_picture: bool = False


def _montage(series: Timelapse, path: Path, progress: Progress) -> None:
    from deepd3_ij.outputs.timelapse_pictures import draw_montage

    draw_montage(path, series)


def _strips(series: Timelapse, path: Path, progress: Progress) -> None:
    from deepd3_ij.outputs.timelapse_pictures import draw_strips

    draw_strips(path, series)


def _survival(series: Timelapse, path: Path, progress: Progress) -> None:
    from deepd3_ij.outputs.timelapse_pictures import draw_survival

    draw_survival(path, series)


def _hyperstack(series: Timelapse, path: Path, progress: Progress) -> None:
    from deepd3_ij.outputs.timelapse_registered import write_hyperstack

    write_hyperstack(series, path, progress)


def _rois_by_track(series: Timelapse, path: Path, progress: Progress) -> None:
    from deepd3_ij.outputs.timelapse_registered import write_rois_by_track

    write_rois_by_track(series, path)


def _rois_by_change(series: Timelapse, path: Path, progress: Progress) -> None:
    from deepd3_ij.outputs.timelapse_registered import write_rois_by_change

    write_rois_by_change(series, path)


def write_files_table(series: Timelapse, path: Path, progress: Progress = no_progress) -> None:
    """Write the table with which the same series is followed again; nothing if a time point has no file of its own."""
    places = {(point.file, point.frame) for point in series.points}
    if all(file for file, _ in places) and len(places) == len(series.points):
        table = pd.DataFrame({"file": [point.file for point in series.points],
                              "time": [point.time for point in series.points]})
        if any(frame is not None for _, frame in places):
            table["frame"] = pd.array([point.frame for point in series.points], dtype="Int64")
        write_table(path, table)


def write_transforms(series: Timelapse, path: Path, progress: Progress = no_progress) -> None:
    """Write where each time point lies, so that other channels can be moved, too: JSON, µm, order z, y, x."""
    points: list[dict[str, Any]] = []
    for point, placement in zip(series.points, series.placements, strict=True):
        entry: dict[str, Any] = {"time_point": point.name, "time": point.time, "registered": placement is not None}
        if placement is not None:
            entry |= {"matrix_zyx1": placement.rigid.matrix.tolist(), "then_displacements": [
                {"sigma_um": field.sigma_um, "knots_zyx_um": field.knots_um.round(4).tolist(),
                 "displacement_zyx_um": field.displacement_um.round(4).tolist()} for field in placement.fields]}
        points.append(entry)
    content = {"version": __version__, "reference": series.points[series.reference].name, "unit": "um",
               "meaning": f"p' = matrix p; then, one after the other, p' + sum(w d) / (sum(w) + {REST}) with "
                          "w = exp(-|p' - knot|^2 / (2 sigma^2))",
               "parameters": series.parameters.to_dict(), "time_points": points}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False, default=float), encoding="utf-8")


TIMELAPSE_OUTPUTS = (
    TimelapseOutput("_spines.csv", "One row per spine and time point: its state, its place in the reference's frame, "
                    "the ROI that it is there.", lambda series, path, _: write_table(path, series.spines)),
    TimelapseOutput("_tracks.csv", "One row per spine: when it was seen, what became of it, its state at each time "
                    "point.", lambda series, path, _: write_table(path, series.tracks)),
    TimelapseOutput("_summary.csv", "One row per pair of time points, for all dendrites and for each: gained, lost, "
                    "turnover, rates, densities.", lambda series, path, _: write_table(path, series.summary)),
    TimelapseOutput("_survival.csv", "Kaplan-Meier's estimate of the survival, and plain fractions.",
                    lambda series, path, _: write_table(path, series.survival)),
    TimelapseOutput("_survival_fits.csv", "One and two exponentials fitted to the survival, with standard errors.",
                    lambda series, path, _: write_table(path, series.survival_fits)),
    TimelapseOutput("_registration.csv", "How well each time point lies on the reference, and how bright its spines "
                    "are.", lambda series, path, _: write_table(path, series.registration)),
    TimelapseOutput("_transforms.json", "Where each time point lies, as matrix and displacements.", write_transforms),
    TimelapseOutput(FILES_ENDING, "The stacks and their times: `deepd3-ij timelapse` and *Follow Spines...* take it to "
                    "follow the same spines again.", write_files_table),
    TimelapseOutput("_registered.tif", "The images of all time points laid on the reference: a hyperstack for ImageJ.",
                    _hyperstack, is_picture=True),
    TimelapseOutput("_rois_by_track.zip", "The spines in that hyperstack for the ROI Manager, a colour for each.",
                    _rois_by_track, is_picture=True),
    TimelapseOutput("_rois_by_change.zip", "The same, coloured by what happened: stable white, gained green, lost red, "
                    "unobservable grey, undecided yellow.", _rois_by_change, is_picture=True),
    TimelapseOutput("_montage.png", "Each spine at each time point.", _montage, is_picture=True),
    TimelapseOutput("_dendrites.png", "The dendrites straightened, one time point below the other.", _strips,
                    is_picture=True),
    TimelapseOutput("_survival.png", "The survival curve.", _survival, is_picture=True),
)
"""All files, in the order in which they are written."""

TIMELAPSE_ENDINGS = tuple(output.ending for output in TIMELAPSE_OUTPUTS)


def read_edits(folder: Path, stem: str) -> pd.DataFrame | None:
    """What a person decided about links, from the file beside the results; None without one."""
    path = folder / f"{stem}{EDITS_ENDING}"
    return read_table(path, AnnotationError, text=("time_point", "other_time_point")) if path.is_file() else None


def write_timelapse(series: Timelapse, folder: Path, stem: str, ledger: Ledger | None = None, *,
                    progress: Progress = no_progress) -> list[Path]:
    """Write all files; those that are there are replaced when all new ones are complete.

    Parameters
    ----------
    series
        Followed spines.
    folder, stem
        Existing folder and start of the names.
    ledger
        Notes what is written, and keeps what somebody changed; without it, whatever is there is replaced.
    progress
        Receives progress.

    Returns
    -------
    list of pathlib.Path
        The files; a picture that could not be made is not among them, nor is an older one left.
    """
    files: list[Path] = []
    stale: list[Path] = []
    with replacing_together(folder, None if ledger is None else ledger.approve) as place:
        for output in TIMELAPSE_OUTPUTS:
            name = f"{stem}{output.ending}"
            made = _is_made(output, series, place / name, progress)
            (files if made else stale).append(folder / name)
    for path in stale:
        path.unlink(missing_ok=True)  # it shows older results
    return files


def _is_made(output: TimelapseOutput, series: Timelapse, path: Path, progress: Progress) -> bool:
    try:
        output.write(series, path, progress)
    except Cancelled:
        raise
    except Exception as error:  # fonts, drawing libraries, a disk that is almost full
        if not output.is_picture:
            raise
        warnings.warn(f"{path.name} was not made ({type(error).__name__}: {one_line(error, 200)}); the other results "
                      "are complete.", stacklevel=3)
        return False
    return path.is_file()
