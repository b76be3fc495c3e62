"""The same spines over time: from time points to tracks, states and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.measurement import Measurements
from deepd3_ij.notes import note
from deepd3_ij.parameters import Choice, TimelapseParameters, resolve
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.timelapse.aligning import Placement, detections_of, placed, with_fields
from deepd3_ij.timelapse.decay import survival_fits
from deepd3_ij.timelapse.edits import edits_of, without_bad
from deepd3_ij.timelapse.labelled import time_points_of
from deepd3_ij.timelapse.linking import Detections, Links, Spread, link, tracks_of
from deepd3_ij.timelapse.registration import Registrar, is_registered
from deepd3_ij.timelapse.states import States, judge, observable_line
from deepd3_ij.timelapse.survival import survival_table
from deepd3_ij.timelapse.tables import brightness_of, places_along, spine_rows, summary_rows, track_rows
from deepd3_ij.timelapse.timepoint import TimePoint
from deepd3_ij.timelapse.turning import TURNS, turned

USUAL_BRIGHTNESS = (0.7, 1.4)
CLEAR_PEAK = 1.2


class Analysed(Protocol):
    """Anything that holds the results of a stack, as :class:`deepd3_ij.Analysis` does."""

    @property
    def stack(self) -> xr.DataArray: ...
    @property
    def prediction(self) -> xr.Dataset: ...
    @property
    def rois(self) -> RoiSet: ...
    @property
    def measurements(self) -> Measurements: ...


@dataclass(frozen=True, eq=False)
class Timelapse:
    """The same spines at several time points.

    Attributes
    ----------
    points
        Time points in their order, without spines that a person called bad.
    reference
        Number of the one in whose frame everything is, from 0.
    placements
        Where each lies; None for one that could not be registered.
    detections, links
        Spines in the frame of the reference, and which are the same.
    states
        State of each track at each time point.
    spines
        One row per track and time point.
    tracks
        One row per track.
    summary
        One row per pair of neighbouring time points and dendrite.
    survival
        Kaplan-Meier's estimate and plain fractions.
    survival_fits
        Exponentials fitted to it.
    registration
        One row per time point: how good its registration is, and how large spines that are always there look
        (``brightness``; 1 is usual).
    parameters
        What it was made with.
    """

    points: tuple[TimePoint, ...]
    reference: int
    placements: tuple[Placement | None, ...]
    detections: Detections
    links: Links
    states: States
    spines: pd.DataFrame
    tracks: pd.DataFrame
    summary: pd.DataFrame
    survival: pd.DataFrame
    survival_fits: pd.DataFrame
    registration: pd.DataFrame
    parameters: TimelapseParameters


def link_timepoints(
    points: Sequence[TimePoint | Analysed] | xr.Dataset,
    times: Sequence[float] | None = None,
    parameters: Choice[TimelapseParameters] = None,
    *,
    reference: int | None = None,
    edits: pd.DataFrame | None = None,
) -> Timelapse:
    """Find the same spines at several time points.

    Parameters
    ----------
    points
        Time points, or results of :func:`deepd3_ij.analyze` of the same field, in any order if `times` are given; or
        labelled arrays with the dimension t, see :func:`deepd3_ij.timelapse.labelled.time_points_of`.
    times
        When each was imaged, in days; without them 0, 1, 2, … for results, and their own for time points and arrays.
    parameters
        How they are registered, linked and judged; the defaults if None.
    reference
        Which of `points` (from 0) gives the frame; the one with most dendrite if None.
    edits
        Decisions of a person; see :mod:`deepd3_ij.timelapse.edits`.

    Returns
    -------
    Timelapse

    Raises
    ------
    ParameterError
        Fewer than two time points, or times that are missing, doubled or no numbers.
    StackError
        A time point has no dendrite, two are the same, or none lies on the reference.
    AnnotationError
        `edits` name what is not there.

    Examples
    --------
    >>> series = link_timepoints([monday, friday], times=[0, 4])  # doctest: +SKIP
    >>> series.summary[["turnover", "gained", "lost"]]  # doctest: +SKIP
    """
    chosen = resolve(TimelapseParameters, parameters).parameters
    given = time_points_of(points) if isinstance(points, xr.Dataset) else points
    ordered, main = _checked(given, times, reference)
    kept = without_bad(ordered, edits)
    ordered = [point if good.all() else replace(point, spines=point.spines[good].reset_index(drop=True))
               for point, good in zip(ordered, kept, strict=True)]
    known = edits_of(ordered, edits)
    placements = placed(ordered, main, chosen)
    registered = _registered(ordered, placements, main)
    used = [ordered[number] for number in registered]
    inside = with_fields(used, [placements[number] for number in registered], registered.index(main), chosen)
    offset = np.cumsum([0] + [len(point.spines) for point in ordered])
    row_of = np.full(offset[-1], -1, dtype=np.int64)
    whole = np.concatenate([np.arange(offset[number], offset[number + 1]) for number in registered])
    row_of[whole] = np.arange(len(whole))
    detections = detections_of(used, inside)
    made, cut = (pairs[(row_of[pairs] >= 0).all(axis=1)] for pairs in (known.made, known.cut))
    spread = Spread.of(detections, link(detections, chosen), chosen)
    links = link(detections, chosen, spread=spread, made=row_of[made], cut=row_of[cut])
    detections = replace(detections, session=np.array(registered, dtype=np.int64)[detections.session])
    final: list[Placement | None] = [None] * len(ordered)
    for number, placement in zip(registered, inside, strict=True):
        final[number] = placement
    track, dendrite, along = _numbered(tracks_of(links, len(detections)), detections, ordered[main])
    states = judge(ordered, final, detections, track, chosen)
    for detection, number, state in known.judged:
        if row_of[detection] >= 0:
            own = track[row_of[detection]]
            states.state[own, number], states.reason[own, number] = state, "edited"
            states.observable[own, number] = True
    doubt = np.zeros(states.state.shape)
    np.add.at(doubt, (track[links.second], detections.session[links.second]), 1 - links.probability)
    line_seen = observable_line(ordered, final, main, chosen)
    brightness = brightness_of(states, detections)
    _tell_brightness(ordered, brightness)
    survival = survival_table(states, np.array([point.time for point in ordered]))
    return Timelapse(
        points=tuple(ordered), reference=main, placements=tuple(final), detections=detections, links=links,
        states=states, spines=spine_rows(ordered, states, detections, links, dendrite, along),
        tracks=track_rows(ordered, states, dendrite, along, chosen),
        summary=summary_rows(ordered, registered, states, dendrite, line_seen, ordered[main], doubt, chosen),
        survival=survival, survival_fits=survival_fits(survival),
        registration=_quality_rows(ordered, placements, registered, main).assign(brightness=brightness),
        parameters=chosen)


def _checked(points: Sequence[TimePoint | Analysed], times: Sequence[float] | None, reference: int | None
             ) -> tuple[list[TimePoint], int]:
    """Time points in their order, and the number of the reference."""
    if len(points) < 2:
        raise ParameterError(f"To follow spines takes at least two time points; received {len(points)}.")
    if times is not None and len(times) != len(points):
        raise ParameterError(f"There are {len(points)} time points and {len(times)} times; give one time for each.")
    if reference is not None and not 0 <= reference < len(points):
        raise ParameterError(f"The reference is {reference}; accepted: 0 to {len(points) - 1}, or none.")
    sources = [_source(point) for point in points]
    all_points = [_time_point(point, number, None if times is None else float(times[number]),
                              f"{source} time point {number + 1}".strip() if sources.count(source) > 1 or not source
                              else source)
                  for number, (point, source) in enumerate(zip(points, sources, strict=True))]
    if not np.isfinite([point.time for point in all_points]).all():
        raise ParameterError("A time is no finite number; give the day of each time point, for example 0,4,9.")
    order = sorted(range(len(points)), key=lambda number: all_points[number].time)
    ordered = [all_points[number] for number in order]
    for one, other in pairwise(ordered):
        if one.time == other.time:
            raise ParameterError(f"{one.name} and {other.name} both have the time {one.time:g}; give each time point a "
                                 "time of its own.")
    names = [point.name for point in ordered]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise ParameterError(f"Two time points are called {name!r}; give them names that differ.")
    for number, point in enumerate(ordered):
        if not len(point.lines):
            raise StackError(f"{point.name} has no dendrite, so its spines cannot be followed; leave it out, or try "
                             "lower thresholds or another model.")
        for other in ordered[:number]:
            if _same(point, other):
                raise StackError(f"{other.name} and {point.name} hold the same data; give different time points.")
    if reference is not None:
        return ordered, order.index(reference)
    lengths = [round(point.lines.total_um, 6) for point in ordered]
    return ordered, int(np.argmax(lengths))


def _source(point: TimePoint | Analysed) -> str:
    return point.name if isinstance(point, TimePoint) else str(point.stack.attrs.get("source", ""))


def _time_point(point: TimePoint | Analysed, number: int, time: float | None, name: str) -> TimePoint:
    if isinstance(point, TimePoint):
        return point if time is None else replace(point, time=time)
    return TimePoint.from_results(name, float(number) if time is None else time, point.measurements, point.prediction,
                                  point.rois, point.stack)


def _same(one: TimePoint, other: TimePoint) -> bool:
    """Whether two time points show exactly the same; noise alone makes two images of one scene differ."""
    return (one.zyx_um.shape == other.zyx_um.shape and np.array_equal(one.zyx_um, other.zyx_um)
            and np.array_equal(one.tracing.xyz, other.tracing.xyz))


def _registered(points: Sequence[TimePoint], placements: Sequence[Placement], reference: int) -> list[int]:
    """Numbers of the time points that lie on the reference; a note tells of every other one."""
    good = [number for number, placement in enumerate(placements)
            if placement.quality is None or is_registered(placement.rigid, placement.quality)]
    if len(good) == len(points):
        return good
    registrar = Registrar(points[reference], points)
    reasons = []
    for number in sorted(set(range(len(points))) - set(good)):
        tried = {name: registrar(turned(points[number], turn)) for name, turn in TURNS.items()}
        how = max(tried, key=lambda name: tried[name][1].line_share + tried[name][1].spine_share)
        # In a small field some turn of other lines often fits; it does so at one place as well as at another.
        how = how if is_registered(*tried[how]) and tried[how][1].peak_ratio >= CLEAR_PEAK else ""
        why = f"it is {how}" if how else "it shows another field, or too little of the same dendrites"
        reasons.append(f"{points[number].name} was not registered to {points[reference].name}: {why}")
    if len(good) < 2:
        raise StackError(f"{'; '.join(reasons)}. Give stacks of the same field in the same orientation.")
    for reason in reasons:
        note(f"{reason}. It is left out.")
    return good


def _tell_brightness(points: Sequence[TimePoint], brightness: np.ndarray) -> None:
    """Note time points at which spines that are always there look larger or smaller than they can have become."""
    low, high = USUAL_BRIGHTNESS
    for point, value in zip(points, brightness.tolist(), strict=True):
        if not low <= value <= high and np.isfinite(value):
            note(f"{point.name}: spines that are always there look {value:.2g} times as large as usual (accepted: "
                 f"{low:g} to {high:g}); compare volume_normalised, and look at the image's focus and saturation.")


def _numbered(track: np.ndarray, detections: Detections, reference: TimePoint
              ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of tracks along the dendrites, and dendrite and place of each track."""
    count = np.bincount(track)
    mean = np.stack([np.bincount(track, column) / np.maximum(count, 1) for column in detections.zyx_um.T], axis=1)
    dendrite, along = places_along(mean, reference)
    order = np.lexsort((*mean.T, np.nan_to_num(along), dendrite, dendrite == 0))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[track], dendrite[order], along[order]


def _quality_rows(points: Sequence[TimePoint], placements: Sequence[Placement], registered: Sequence[int],
                  reference: int) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for number, (point, placement) in enumerate(zip(points, placements, strict=True)):
        quality = {} if placement.quality is None else dict(vars(placement.quality))
        rows.append({"session": number + 1, "time_point": point.name, "time": point.time,
                     "is_reference": number == reference, "registered": number in registered,
                     "angle_deg": float(np.degrees(placement.rigid.angle_rad)),
                     **{f"shift_{axis}_um": float(value) for axis, value in
                        zip("zyx", placement.rigid.shift_zyx, strict=True)}, **quality})
    return pd.DataFrame(rows)


