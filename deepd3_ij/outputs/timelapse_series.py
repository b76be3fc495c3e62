"""Time points from files: stacks, which are analyzed unless that was done, finished analyses, and files with a time
axis."""

from __future__ import annotations

import filecmp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from deepd3_ij.errors import ParameterError, StackError, remedy
from deepd3_ij.files.image_reader import look_into
from deepd3_ij.files.tables import read_table
from deepd3_ij.measurement.columns import SOURCES
from deepd3_ij.measurement.geometry import Placed
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import USUAL, endings_of, write_analysis
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.pipeline import Typed, analyze
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stack import DIMS, voxel_size_um
from deepd3_ij.stems import stem_of
from deepd3_ij.timelapse import TimePoint

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model

SERIES_STEM = "timelapse"
FILE_COLUMN, TIME_COLUMN, GROUP_COLUMN, FRAME_COLUMN = "file", "time", "group", "frame"
_DAYS = "'Days' in the dialog"


@dataclass(frozen=True)
class SeriesFile:
    """A file of a series and when it was imaged.

    Attributes
    ----------
    path, time
        The file, and its day.
    frame
        0-based time point in a file with several; None if the file is one time point.
    """

    path: Path
    time: float
    frame: int | None = None

    @property
    def stem(self) -> str:
        """How the names of its results begin."""
        return stem_of(self.path) + ("" if self.frame is None else f"_t{self.frame + 1}")


def series_of(files: Sequence[str | PathLike[str]], times: Sequence[float] | None = None
              ) -> dict[str, list[SeriesFile]]:
    """The files of each series, by the stem of its results.

    Parameters
    ----------
    files
        Stacks or finished analyses (``.prediction``) in their order, or one table (CSV) with the columns ``file`` (from
        the table's folder), ``time`` and perhaps ``group``: a series for each group, and ``frame``, the 0-based time
        point of a file with several; or one stack with a time axis.
    times
        Days of the files or of the time points of the one file; if None, as that file tells, else 0, 1, 2, …

    Raises
    ------
    ParameterError, StackError
        There are fewer than two, times are missing or doubled, or a file is given twice.
    """
    if len(files) == 1 and Path(files[0]).suffix.lower() == ".csv":
        if times is not None:
            raise ParameterError("Times are given twice, in the table and beside it; leave out "
                                 f"{remedy('--times', _DAYS)}.")
        groups = _groups(Path(files[0]))
    elif len(files) == 1 and Path(files[0]).is_file() and Path(files[0]).suffix.lower() != ".prediction":
        groups = {SERIES_STEM: _frames(Path(files[0]), times)}
    else:
        if times is not None and len(times) != len(files):
            raise ParameterError(f"There are {len(files)} files and {len(times)} times; give one time for each, for "
                                 f"example {remedy('--times 0,4,9', f'0,4,9 in {_DAYS}')}.")
        days = [float(number) for number in range(len(files))] if times is None else times
        groups = {SERIES_STEM: [SeriesFile(Path(file), time) for file, time in zip(files, days, strict=True)]}
    for members in groups.values():
        _check(members)
    return {stem: sorted(members, key=lambda member: member.time) for stem, members in groups.items()}


def _frames(path: Path, times: Sequence[float] | None) -> list[SeriesFile]:
    """The time points of one file."""
    content = look_into(path)
    count = content.frames
    if count == 1:
        raise ParameterError(f"To follow spines takes at least two time points; received one ({path.name} has no time "
                             "axis; if its pages are time points, say so in Fiji with Image ▸ Properties… and save it "
                             "again).")
    if times is not None and len(times) != count:
        raise ParameterError(f"{path.name} has {count} time points, and there are {len(times)} times; give one time "
                             f"for each, for example {remedy('--times 0,4,9', f'0,4,9 in {_DAYS}')}.")
    days = times if times is not None else content.frame_days or [float(number) for number in range(count)]
    return [SeriesFile(path, time, number) for number, time in enumerate(days)]


def _groups(path: Path) -> dict[str, list[SeriesFile]]:
    table = read_table(path, text=(FILE_COLUMN, GROUP_COLUMN, FRAME_COLUMN))
    for name in (FILE_COLUMN, TIME_COLUMN):
        if name not in table:
            raise ParameterError(f"{path.name} has no column {name!r}; needed: file, time, and group for several "
                                 "series.")
    times = pd.to_numeric(table[TIME_COLUMN], errors="coerce")
    groups: dict[str, list[SeriesFile]] = {}
    for row in range(len(table)):
        if pd.isna(times.iloc[row]):
            cell = table[TIME_COLUMN].iloc[row]
            given = "empty" if pd.isna(cell) or not str(cell).strip() else repr(str(cell))
            raise ParameterError(f"{path.name}, line {table.attrs['lines'][row]}: the time is {given}; accepted: a "
                                 "number of days.")
        group = table[GROUP_COLUMN].iloc[row].strip() if GROUP_COLUMN in table else SERIES_STEM
        if not group or Path(group).name != group or group.startswith("."):
            raise ParameterError(f"{path.name}, line {table.attrs['lines'][row]}: the group is {group!r}; accepted: a "
                                 "name that a file can have.")
        file = path.parent / table[FILE_COLUMN].iloc[row].strip()
        frame = table[FRAME_COLUMN].iloc[row].strip() if FRAME_COLUMN in table else ""
        if frame and not frame.isdigit():
            raise ParameterError(f"{path.name}, line {table.attrs['lines'][row]}: the frame is {frame!r}; accepted: a "
                                 "whole number from 0, or nothing.")
        groups.setdefault(group, []).append(SeriesFile(file, float(times.iloc[row]), int(frame) if frame else None))
    if not groups:
        raise ParameterError(f"{path.name} names no file; give one row per time point.")
    return groups


def _check(members: Sequence[SeriesFile]) -> None:
    missing = next((member.path for member in members if not member.path.is_file()), None)
    if missing is not None:
        raise StackError(f"{missing} does not exist; give a stack (TIFF) or a .prediction file.")
    if len(members) < 2:
        raise ParameterError(f"To follow spines takes at least two time points; received {len(members)}"
                             + (f" ({members[0].path.name})." if members else "."))
    for number, member in enumerate(members):
        for other in members[:number]:
            if other.time == member.time:
                names = (f"{each.path.name}" if each.frame is None else each.stem for each in (other, member))
                raise ParameterError(f"{' and '.join(names)} both have the time {member.time:g}; give each time point "
                                     "a time of its own.")
            if member.frame is None and filecmp.cmp(other.path, member.path, shallow=False):  # to the first difference
                raise StackError(f"{other.path.name} and {member.path.name} hold the same data; give different time "
                                 "points.")
            if other.stem == member.stem:
                raise ParameterError(f"{other.path} and {member.path} have the same name; rename one, as their results "
                                     "would be mixed up.")


def read_time_point(
    member: SeriesFile,
    folder: Path,
    model: DeepD3Model | None,
    typed: Typed,
    reading: Mapping[str, Any],
    *,
    z_range: tuple[int, int] | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> tuple[TimePoint, bool]:
    """Read the results of a stack from the folder or from beside it; without any, analyze it and write them.

    A finished analysis (``.prediction``) is read with the ROIs beside it. Bases and tips that a user placed count.

    Parameters
    ----------
    member
        The file.
    folder
        Existing folder for the results.
    model, typed
        For an analysis.
    reading
        ``xy_um, z_um, channel, frame`` of :func:`deepd3_ij.open_stack`; finished results tell the voxel size.
    z_range
        First plane and the plane after the last one (0-based) that an analysis looks at.
    overwrite
        Replace results that somebody changed.
    progress
        Receives progress.

    Returns
    -------
    TimePoint, bool
        The time point, and whether the stack was analyzed now.
    """
    point, is_new = _time_point(member, folder, model, typed, reading, z_range=z_range, overwrite=overwrite,
                                progress=progress)
    return replace(point, file=str(member.path.absolute()), frame=member.frame), is_new


def _time_point(member: SeriesFile, folder: Path, model: DeepD3Model | None, typed: Typed, reading: Mapping[str, Any],
                *, z_range: tuple[int, int] | None, overwrite: bool, progress: Progress) -> tuple[TimePoint, bool]:
    from deepd3_ij import open_stack

    stem = member.stem
    if member.frame is not None:
        reading = {**reading, "frame": member.frame}
    maps = next((maps for maps in places_of_maps(member, folder)
                 if maps.is_file() and maps.with_suffix(".rois").is_file()), None)
    if maps is not None:
        return _of_results(member, maps, reading if _is_stack(member) else None, typed, progress), False
    if not _is_stack(member):
        raise StackError(f"{member.path.with_suffix('.rois').name} is not beside {member.path.name}; save the ROIs, "
                         "too, or give the stack.")
    stack = open_stack(member.path, **reading)
    ledger = Ledger(folder, stem, overwrite)
    ledger.check(endings_of(USUAL), [member.path])
    analysis = analyze(stack, model, typed, z_range=z_range, progress=progress)
    write_analysis(analysis, folder, stem, ledger=ledger, progress=progress)
    point = TimePoint.from_results(stem, member.time, analysis.measurements, analysis.prediction, analysis.rois, stack)
    return point, True


def places_of_maps(member: SeriesFile, folder: Path) -> list[Path]:
    """Where finished maps may be, with ROIs beside them: in the folder of results first, then beside the file."""
    near = member.path.with_name(f"{member.stem}.prediction")
    return [folder / near.name, near] if _is_stack(member) else [near]


def _is_stack(member: SeriesFile) -> bool:
    return member.path.suffix.lower() != ".prediction"


def _of_results(member: SeriesFile, maps: Path, reading: Mapping[str, Any] | None, typed: Typed, progress: Progress
                ) -> TimePoint:
    """Measure finished results; the image is read unless `reading` is None."""
    from deepd3_ij import open_stack
    from deepd3_ij.files.hdf5 import read_rois
    from deepd3_ij.files.opening import read_maps
    from deepd3_ij.measurement import measure

    prediction = read_maps([maps])
    rois = read_rois(maps.with_suffix(".rois"), like=prediction)
    stack = None
    if reading is not None:
        z_um, xy_um, _ = voxel_size_um(prediction)
        stack = open_stack(member.path, **{**reading, "xy_um": xy_um, "z_um": z_um})
        if stack.shape != rois.labels.shape:
            raise StackError(f"{maps.name} was not made from {member.path.name}: the shapes are {rois.labels.shape} "
                             f"and {stack.shape} (z, y, x); remove {maps} or give another folder.")
    measurements = measure(rois, prediction, stack, typed.get(MeasureParameters), progress,
                           placed=_placed(maps.with_suffix(".rois")))
    return TimePoint.from_results(member.stem, member.time, measurements, prediction, rois, stack)


def _placed(rois: Path) -> dict[int, Placed]:
    """Bases and tips that a user placed, from the table in a file of ROIs."""
    from deepd3_ij.files.hdf5 import read_spine_table

    table = read_spine_table(rois)
    names = [f"{end}_{dim}_um" for end in ("base", "tip") for dim in DIMS]
    if table is None or not {"id", "geometry_source", *names} <= set(table):
        return {}
    by_user = table[table["geometry_source"] == SOURCES[1]]
    return {int(spine): Placed((ends[0], ends[1], ends[2]), (ends[3], ends[4], ends[5]))
            for spine, ends in zip(by_user["id"], by_user[names].to_numpy(dtype=np.float64).tolist(), strict=True)}
