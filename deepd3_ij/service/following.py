"""Following spines over time for a window: time points that are kept, and what is shown of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.colours import CHANGE_COLOURS, STATE_COLOURS, as_hex, roi_colour
from deepd3_ij.errors import ParameterError
from deepd3_ij.files.stack_search import search_stacks
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.timelapse_files import (
    EDITS_ENDING,
    FILES_ENDING,
    TIMELAPSE_ENDINGS,
    read_edits,
    write_timelapse,
)
from deepd3_ij.outputs.timelapse_registered import has_images, mark_name
from deepd3_ij.outputs.timelapse_series import SeriesFile, places_of_maps, read_time_point, series_of
from deepd3_ij.parameters import TimelapseParameters
from deepd3_ij.progress import Progress, in_steps
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.registry import NOTHING_CHOSEN, Choices
from deepd3_ij.timelapse import Timelapse, TimePoint, link_timepoints
from deepd3_ij.timelapse.registered import Mark, marks
from deepd3_ij.timelapse.tables import ALL_DENDRITES

_LINKING = {"Linking": 0.1, "Laying images on the reference": 0.1}

_last: dict[tuple[Any, ...], list[TimePoint]] = {}
"""The time points that were followed last, by what they were read from, so that edited links are made again at once."""


def follow_spines(progress: Progress, *, source: str, target: str, times: str | None = None, model: str | None = None,
                  xy_um: float | None = None, z_um: float | None = None, choices: Choices = NOTHING_CHOSEN,
                  overwrite: bool = False) -> Reply:
    """Follow the spines of several time points, write all files, and tell what to show.

    `source`: stacks or finished analyses in the order of time, separated by semicolons; a table of them; a folder of
    stacks, which are taken in the order of their names, or that of an earlier series. `times`: days, separated by
    commas; without them 0, 1, 2, …
    """
    members, stem = _members([part.strip() for part in source.split(";") if part.strip()], times or "")
    folder = check_output_folder(target)
    ledger = Ledger(folder, stem, overwrite)
    ledger.check(TIMELAPSE_ENDINGS, [member.path for member in members])
    reading_share = 0.8 / len(members)
    progress = in_steps(progress, {**{_step(number): reading_share for number in range(1, len(members) + 1)},
                                   **_LINKING})
    points = _points(members, folder, model, choices, {"xy_um": xy_um, "z_um": z_um}, overwrite, progress)
    progress(0, 1, "Linking")
    series = link_timepoints(points, parameters=choices.typed.get(TimelapseParameters), edits=read_edits(folder, stem))
    written = write_timelapse(series, folder, stem, ledger, progress=progress)
    return Reply(_shown(series, folder, stem, written))


def _members(files: Sequence[str], times: str) -> tuple[list[SeriesFile], str]:
    given = [Path(file) for file in files]
    if len(given) == 1 and given[0].is_dir():
        tables = sorted(given[0].glob(f"*{FILES_ENDING}"))
        if len(tables) > 1:
            raise ParameterError(f"{given[0]} holds {len(tables)} followed series (tables that end in {FILES_ENDING}); "
                                 "give one of these tables.")
        if tables:
            stem = tables[0].name[:-len(FILES_ENDING)]
            return next(iter(series_of([str(tables[0])]).values())), stem
        found, _ = search_stacks(given[0], "*")
        if not found:
            raise ParameterError(f"{given[0]} holds no stack; choose the folder of the time points.")
        files = [str(stack.source) for stack in found]
    groups = series_of(list(files), _days(times))
    if len(groups) > 1:
        raise ParameterError(f"{given[0].name} has {len(groups)} groups; accepted here: a table of one group.")
    stem, members = next(iter(groups.items()))
    return members, stem


def _days(times: str) -> list[float] | None:
    if not times.strip():
        return None
    try:
        days = [float(part) for part in times.replace(";", ",").split(",")]
    except ValueError:
        days = [math.nan]
    if not all(map(math.isfinite, days)):
        raise ParameterError(f"The times are {times!r}; accepted: days separated by commas, for example 0,4,9.")
    return days


def _points(members: Sequence[SeriesFile], folder: Path, model: str | None, choices: Choices,
            reading: dict[str, float | None], overwrite: bool, progress: Progress) -> list[TimePoint]:
    """The time points; those of the last time if nothing that they were read from has changed."""
    from deepd3_ij.model import load_model

    typed = {cls: dict(values) for cls, values in choices.typed.items() if cls is not TimelapseParameters}
    asked = (model, str(typed), str(reading))
    known = _last.get((*asked, *_states_of_files(members, folder)))
    if known is not None:
        return known
    _last.clear()
    loaded = load_model(model)
    points = []
    for number, member in enumerate(members, start=1):
        progress(0, 1, _step(number))
        point, _ = read_time_point(member, folder, loaded, typed, reading, overwrite=overwrite, progress=progress)
        points.append(point)
    _last[(*asked, *_states_of_files(members, folder))] = points
    return points


def _step(number: int) -> str:
    return f"Time point {number}"


def _states_of_files(members: Sequence[SeriesFile], folder: Path) -> list[tuple[Any, ...]]:
    """Sizes and dates of the files that time points are read from."""
    found: list[tuple[Any, ...]] = []
    for member in members:
        for maps in places_of_maps(member, folder):
            for path in (member.path, maps, maps.with_suffix(".rois")):
                state = path.stat() if path.is_file() else None
                found.append((str(path), member.time, *(() if state is None else (state.st_size, state.st_mtime_ns))))
    return found


def _shown(series: Timelapse, folder: Path, stem: str, written: Sequence[Path]) -> dict[str, Any]:
    """What a window shows, JSON-compatible; numbers that are not known are null."""
    made = {path.name[len(stem):]: str(path) for path in written}
    pictures = {name: made.get(f"_{ending}", "") for name, ending in
                (("hyperstack", "registered.tif"), ("montage", "montage.png"), ("strips", "dendrites.png"),
                 ("survival", "survival.png"))}
    return {**pictures, "files": [str(path) for path in written], "links_user": str(folder / f"{stem}{EDITS_ENDING}"),
            "time_points": _time_points(series), "tracks": _tracks(series), "summary": _summary(series),
            "spines": [_spine(mark, series) for mark in (marks(series) if has_images(series) else [])],
            "state_colours": {name: as_hex(colour) for name, colour in STATE_COLOURS.items()},
            "change_colours": {name: as_hex(colour) for name, colour in CHANGE_COLOURS.items()}}


def _time_points(series: Timelapse) -> list[dict[str, Any]]:
    return [{"name": point.name, "time": point.time, "registered": placement is not None,
             "reference": number == series.reference, "spines": len(point.spines)}
            for number, (point, placement) in enumerate(zip(series.points, series.placements, strict=True))]


def _tracks(series: Timelapse) -> list[dict[str, Any]]:
    names = ("track_id", "dendrite_id", "position_um", "first_seen", "last_seen", "class")
    rows = _records(series.tracks, names)
    return [{**row, "colour": as_hex(roi_colour(row["track_id"])), "states": states.tolist()}
            for row, states in zip(rows, series.states.state, strict=True)]


def _summary(series: Timelapse) -> list[dict[str, Any]]:
    return _records(series.summary[series.summary["dendrite_id"] == ALL_DENDRITES],
                    ("time_point", "next_time_point", "days", "gained", "lost", "stable", "undecided", "turnover",
                     "expected_turnover_of_errors"))


def _records(table: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a table as plain values."""
    columns = [table[name].to_numpy().tolist() for name in names]
    return [{name: _number(value) if isinstance(value, float) else value
             for name, value in zip(names, row, strict=True)} for row in zip(*columns, strict=True)]


def _spine(mark: Mark, series: Timelapse) -> dict[str, Any]:
    row = (mark.track - 1) * len(series.points) + mark.session
    return {"track_id": mark.track, "time_point": mark.session, "name": mark_name(mark), "id": mark.roi_id or None,
            "state": mark.state, "change": mark.change, "y_px": float(mark.yx_px[0]), "x_px": float(mark.yx_px[1]),
            "z_plane": mark.plane, "outline": [[round(float(x), 2), round(float(y), 2)] for y, x in mark.outline_yx_px],
            "link_probability": _number(series.spines["link_probability"].iloc[row])}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
