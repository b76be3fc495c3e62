"""Time points from files: stacks, which are analyzed unless that was done, and finished analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.file_identity import identity_of, sha256_of
from deepd3_ij.files.tables import read_table
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import USUAL, endings_of, write_analysis
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.pipeline import Typed, analyze
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stems import beside, stem_of
from deepd3_ij.timelapse import TimePoint

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model

SERIES_STEM = "timelapse"
FILE_COLUMN, TIME_COLUMN, GROUP_COLUMN = "file", "time", "group"


@dataclass(frozen=True)
class SeriesFile:
    """A file of a series and when it was imaged."""

    path: Path
    time: float


def series_of(files: Sequence[str | PathLike[str]], times: Sequence[float] | None = None
              ) -> dict[str, list[SeriesFile]]:
    """The files of each series, by the stem of its results.

    Parameters
    ----------
    files
        Stacks or finished analyses (``.prediction``) in their order, or one table (CSV) with the columns ``file`` (from
        the table's folder), ``time`` and perhaps ``group``: a series for each group.
    times
        Days of the files; 0, 1, 2, … if None.

    Raises
    ------
    ParameterError, StackError
        There are fewer than two, times are missing or doubled, or a file is given twice.
    """
    if len(files) == 1 and Path(files[0]).suffix.lower() == ".csv":
        if times is not None:
            raise ParameterError("Times are given twice: in the table and as option; leave out --times.")
        groups = _groups(Path(files[0]))
    else:
        if times is not None and len(times) != len(files):
            raise ParameterError(f"There are {len(files)} files and {len(times)} times; give one time for each, for "
                                 "example --times 0,4,9.")
        days = [float(number) for number in range(len(files))] if times is None else times
        groups = {SERIES_STEM: [SeriesFile(Path(file), time) for file, time in zip(files, days, strict=True)]}
    for members in groups.values():
        _check(members)
    return {stem: sorted(members, key=lambda member: member.time) for stem, members in groups.items()}


def _groups(path: Path) -> dict[str, list[SeriesFile]]:
    table = read_table(path)
    for name in (FILE_COLUMN, TIME_COLUMN):
        if name not in table:
            raise ParameterError(f"{path.name} has no column {name!r}; needed: file, time, and group for several "
                                 "series.")
    times = pd.to_numeric(table[TIME_COLUMN], errors="coerce")
    groups: dict[str, list[SeriesFile]] = {}
    for row in range(len(table)):
        if pd.isna(times.iloc[row]):
            raise ParameterError(f"{path.name}, line {table.attrs['lines'][row]}: the time is "
                                 f"{table[TIME_COLUMN].iloc[row]!r}; accepted: a number of days.")
        group = str(table[GROUP_COLUMN].iloc[row]).strip() if GROUP_COLUMN in table else SERIES_STEM
        if not group or Path(group).name != group or group.startswith("."):
            raise ParameterError(f"{path.name}, line {table.attrs['lines'][row]}: the group is {group!r}; accepted: a "
                                 "name that a file can have.")
        file = path.parent / str(table[FILE_COLUMN].iloc[row]).strip()
        groups.setdefault(group, []).append(SeriesFile(file, float(times.iloc[row])))
    if not groups:
        raise ParameterError(f"{path.name} names no file; give one row per time point.")
    return groups


def _check(members: Sequence[SeriesFile]) -> None:
    if len(members) < 2:
        raise ParameterError(f"To follow spines takes at least two time points; received {len(members)}"
                             + (f" ({members[0].path.name})." if members else "."))
    times: dict[float, SeriesFile] = {}
    stems: dict[str, SeriesFile] = {}
    seen: dict[object, SeriesFile] = {}
    sizes: dict[int, list[SeriesFile]] = {}
    for member in members:
        if member.time in times:
            raise ParameterError(f"{times[member.time].path.name} and {member.path.name} both have the time "
                                 f"{member.time:g}; give each time point a time of its own.")
        if not member.path.is_file():
            raise StackError(f"{member.path} does not exist; give a stack (TIFF) or a .prediction file.")
        same = seen.get(identity_of(member.path))
        same = same or next((other for other in sizes.get(member.path.stat().st_size, [])
                             if sha256_of(other.path) == sha256_of(member.path)), None)
        if same is not None:
            raise StackError(f"{same.path.name} and {member.path.name} hold the same data; give different time points.")
        stem = stem_of(member.path)
        if stem in stems:
            raise ParameterError(f"{stems[stem].path} and {member.path} have the same name; rename one, as their "
                                 "results would be mixed up.")
        times[member.time] = stems[stem] = seen[identity_of(member.path)] = member
        sizes.setdefault(member.path.stat().st_size, []).append(member)


def read_time_point(
    member: SeriesFile,
    folder: Path,
    model: DeepD3Model | None,
    typed: Typed,
    reading: Mapping[str, Any],
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> tuple[TimePoint, bool]:
    """Read the results of a stack from the folder or from beside it; without any, analyze it and write them.

    Parameters
    ----------
    member
        The file.
    folder
        Existing folder for the results.
    model, typed
        For an analysis.
    reading
        ``xy_um, z_um, channel, frame`` of :func:`deepd3_ij.open_stack`.
    overwrite
        Replace results that somebody changed.
    progress
        Receives progress.

    Returns
    -------
    TimePoint, bool
        The time point, and whether the stack was analyzed now.
    """
    from deepd3_ij import open_stack

    stem = stem_of(member.path)
    is_stack = member.path.suffix.lower() != ".prediction"
    stack = open_stack(member.path, **reading) if is_stack else None
    maps = _saved(member.path, folder, stem)
    if maps is not None:
        return _of_results(stem, member, maps, stack, typed, progress), False
    if stack is None:
        raise StackError(f"{member.path.with_suffix('.rois').name} is not beside {member.path.name}; save the ROIs, "
                         "too, or give the stack.")
    ledger = Ledger(folder, stem, overwrite)
    ledger.check(endings_of(USUAL), [member.path])
    analysis = analyze(stack, model, typed, progress=progress)
    write_analysis(analysis, folder, stem, ledger=ledger, progress=progress)
    point = TimePoint.from_results(stem, member.time, analysis.measurements, analysis.prediction, analysis.rois, stack)
    return point, True


def _saved(path: Path, folder: Path, stem: str) -> tuple[Path, Path] | None:
    """Finished maps and ROIs, in the folder of results first, then beside the file."""
    for maps in (folder / f"{stem}.prediction", beside(path, ".prediction")):
        rois = maps.with_suffix(".rois") if maps.suffix else maps
        if maps.is_file() and rois.is_file():
            return maps, rois
    return None


def _of_results(name: str, member: SeriesFile, files: tuple[Path, Path], stack: xr.DataArray | None, typed: Typed,
                progress: Progress) -> TimePoint:
    from deepd3_ij.files.opening import read_maps, read_rois_of_any_kind
    from deepd3_ij.measurement import measure

    prediction = read_maps([files[0]])
    rois = read_rois_of_any_kind(files[1], prediction)
    if stack is not None and stack.shape != rois.labels.shape:
        raise StackError(f"{files[0].name} was not made from {member.path.name}: the shapes are {rois.labels.shape} "
                         f"and {stack.shape} (z, y, x); remove {files[0]} or give another folder.")
    measurements = measure(rois, prediction, stack, typed.get(MeasureParameters), progress)
    return replace(TimePoint.from_results(name, member.time, measurements, prediction, rois), stack=stack)
