"""Outlines of ROIs as a folder of CSV files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from deepd3_ij.atomic import replacing_folder
from deepd3_ij.errors import OutputError
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.roiset import RoiSet

_REPORT_EVERY = 500


def write_contour_folder(
    folder: str | PathLike[str],
    stem: str,
    rois: RoiSet,
    *,
    approve: Callable[[Sequence[Path]], None] | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Write outlines as ``<folder>/<stem>/<plane>/<ROI id>.csv`` (plane 0-based), as DeepD3's export names them.

    Columns ``y,x`` are the corners of the outline along pixel edges, in pixels relative to the centre of the first
    pixel (so they end in .5). A region of several outlines has two more columns: ``part`` (0, 1, …)
    and ``hole`` (1 for the outline of a hole). Planes without ROIs have no folder.

    Parameters
    ----------
    folder
        Existing folder.
    stem
        Name of the new folder in it; usually the stack's name. A folder that such an export made is replaced
        as a whole when the new one is complete.
    rois
        ROIs of two or three dimensions.
    approve
        Called with the complete new folder before it takes its place; raises to keep what is there.
    progress
        Called from time to time; may raise ``Cancelled``.

    Returns
    -------
    pathlib.Path
        ``<folder>/<stem>``.

    Raises
    ------
    OutputError
        The folder cannot be written, or holds other files than an export.
    """
    if not stem or Path(stem).name != stem or stem in (".", ".."):
        raise OutputError(f"{stem!r} is no name for a folder; give a name without path separators.")
    target = Path(folder) / stem
    if (target.exists() or target.is_symlink()) and not _is_export(target):
        raise OutputError(f"{target} exists and is no folder of exported outlines; "
                          "move it away or give another output folder.")
    with replacing_folder(target, approve) as new:
        _write_outlines(new, rois, progress)
    return target


def _write_outlines(folder: Path, rois: RoiSet, progress: Progress) -> None:
    contours = rois.contours
    changes = (np.diff(contours.plane) != 0) | (np.diff(contours.roi_id) != 0)
    bounds = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(contours)]]) if len(contours) else np.zeros(1, int)
    progress(0, len(bounds) - 1, "Writing outlines")
    for number, (first, last) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True), start=1):
        several = last - first > 1
        lines = ["y,x,part,hole" if several else "y,x"]
        for part, index in enumerate(range(first, last)):
            suffix = f",{part},{int(contours.is_hole[index])}" if several else ""
            lines += [f"{y - 0.5},{x - 0.5}{suffix}" for y, x in contours.points(index).tolist()]
        plane = folder / str(int(contours.plane[first]))
        plane.mkdir(exist_ok=True)
        (plane / f"{int(contours.roi_id[first])}.csv").write_text("\n".join([*lines, ""]), encoding="utf-8", newline="")
        if number % _REPORT_EVERY == 0:
            progress(number, len(bounds) - 1, "Writing outlines")
    progress(len(bounds) - 1, len(bounds) - 1, "Writing outlines")


def _is_export(folder: Path) -> bool:
    """Whether a folder holds nothing but numbered folders of numbered CSV files."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    for plane in folder.iterdir():
        if not (plane.name.isdecimal() and plane.is_dir() and not plane.is_symlink()):
            return False
        if any(not (file.stem.isdecimal() and file.suffix == ".csv") for file in plane.iterdir()):
            return False
    return True
