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
from deepd3_ij.timelapse import Timelapse
from deepd3_ij.timelapse.field import REST
from deepd3_ij.version import __version__

EDITS_ENDING = "_links_user.csv"
"""A table beside the results in which a person cuts and makes links; read, never written."""


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
        Writes it.
    is_picture
        If it cannot be made, a warning tells why, and the rest is written all the same.
    """

    ending: str
    help: str
    write: Callable[[Timelapse, Path], object]
    is_picture: bool = False


def _montage(series: Timelapse, path: Path) -> None:
    from deepd3_ij.outputs.timelapse_pictures import draw_montage

    draw_montage(path, series)


def _strips(series: Timelapse, path: Path) -> None:
    from deepd3_ij.outputs.timelapse_pictures import draw_strips

    draw_strips(path, series)


def _survival(series: Timelapse, path: Path) -> None:
    from deepd3_ij.outputs.timelapse_pictures import draw_survival

    draw_survival(path, series)


def write_transforms(series: Timelapse, path: Path) -> None:
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
                    "the ROI that it is there.", lambda series, path: write_table(path, series.spines)),
    TimelapseOutput("_tracks.csv", "One row per spine: when it was seen, what became of it, its state at each time "
                    "point.", lambda series, path: write_table(path, series.tracks)),
    TimelapseOutput("_summary.csv", "One row per pair of time points, for all dendrites and for each: gained, lost, "
                    "turnover, rates, densities.", lambda series, path: write_table(path, series.summary)),
    TimelapseOutput("_survival.csv", "Kaplan-Meier's estimate of the survival, and plain fractions.",
                    lambda series, path: write_table(path, series.survival)),
    TimelapseOutput("_survival_fits.csv", "One and two exponentials fitted to the survival, with standard errors.",
                    lambda series, path: write_table(path, series.survival_fits)),
    TimelapseOutput("_registration.csv", "How well each time point lies on the reference, and how bright its spines are.",
                    lambda series, path: write_table(path, series.registration)),
    TimelapseOutput("_transforms.json", "Where each time point lies, as matrix and displacements.", write_transforms),
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


def write_timelapse(series: Timelapse, folder: Path, stem: str, ledger: Ledger | None = None) -> list[Path]:
    """Write all files; those that are there are replaced when all new ones are complete.

    Parameters
    ----------
    series
        Followed spines.
    folder, stem
        Existing folder and start of the names.
    ledger
        Notes what is written, and keeps what somebody changed; without it, whatever is there is replaced.

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
            made = _is_made(output, series, place / name)
            (files if made else stale).append(folder / name)
    for path in stale:
        path.unlink(missing_ok=True)  # it shows older results
    return files


def _is_made(output: TimelapseOutput, series: Timelapse, path: Path) -> bool:
    if not output.is_picture:
        output.write(series, path)
        return True
    try:
        output.write(series, path)
    except Cancelled:
        raise
    except Exception as error:  # fonts, drawing libraries, a disk that is almost full
        warnings.warn(f"{path.name} was not made ({type(error).__name__}: {one_line(error, 200)}); the other results "
                      "are complete.", stacklevel=3)
        return False
    return path.is_file()
