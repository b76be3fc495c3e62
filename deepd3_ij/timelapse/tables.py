"""Tables of tracks and of their changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from deepd3_ij.measurement.light import SEEN
from deepd3_ij.parameters import TimelapseParameters
from deepd3_ij.timelapse.linking import Detections, Links
from deepd3_ij.timelapse.registration import Z_WEIGHT
from deepd3_ij.timelapse.states import RECOVERED, UNDECIDED, States
from deepd3_ij.timelapse.timepoint import TimePoint

STABLE, GAINED, LOST = "stable", "gained", "lost"
TRANSIENT, GAINED_AND_LOST, RECURRENT = "transient", "gained and lost", "recurrent"
ALL_DENDRITES = "all"
OFF_LINE_UM = 6.0
"""A spine farther from every centre line of the reference belongs to none of its dendrites."""
BOOTSTRAPS = 1000


def places_along(zyx_um: np.ndarray, reference: TimePoint) -> tuple[np.ndarray, np.ndarray]:
    """Dendrite of the reference (0 if none is near) and place along it, in µm, for positions in its frame."""
    distance, row = reference.lines.nearest(zyx_um, Z_WEIGHT)
    near = distance <= OFF_LINE_UM
    return np.where(near, reference.lines.tree[row], 0), np.where(near, reference.lines.along_um[row], np.nan)


def spine_rows(points: Sequence[TimePoint], states: States, detections: Detections, links: Links,
               dendrite: np.ndarray, along_um: np.ndarray) -> pd.DataFrame:
    """One row per track and time point."""
    tracks, sessions = states.state.shape
    track, session = (index.ravel() for index in np.indices((tracks, sessions)))
    detection = states.detection.ravel()
    seen = detection >= 0
    position = states.zyx_um[track]
    position[seen] = detections.zyx_um[detection[seen]]
    distance, sure = np.full(len(detections), np.nan), np.full(len(detections), np.nan)
    distance[links.second], sure[links.second] = links.distance_um, links.probability
    columns: dict[str, Any] = {
        "track_id": track + 1, "session": session + 1,
        "time_point": np.array([point.name for point in points], dtype=object)[session],
        "time": np.array([point.time for point in points])[session],
        "dendrite_id": dendrite[track], "state": states.state.ravel(), "reason": states.reason.ravel(),
        "id": _of_detections("id", points, detections, detection, 0).astype(np.int64),
        "position_um": along_um[track],
        "z_um": position[:, 0], "y_um": position[:, 1], "x_um": position[:, 2],
        "spine_probability": states.probability.ravel(),
    }
    for name in ("length_um", "volume_relative", "volume_relative_se"):
        columns[name] = _of_detections(name, points, detections, detection, math.nan)
    # What was not detected and is there all the same has its size from the light at its place.
    light, error = states.light.ravel(), states.light_error.ravel()
    with np.errstate(invalid="ignore"):
        own = (states.state.ravel() == RECOVERED) & (light > SEEN * error)
    columns["volume_relative"] = np.where(own, light, columns["volume_relative"])
    columns["volume_relative_se"] = np.where(own, error, columns["volume_relative_se"])
    columns["volume_normalised"] = columns["volume_relative"] / brightness_of(states, detections)[session]
    columns["link_distance_um"] = np.append(distance, np.nan)[detection]
    columns["link_probability"] = np.append(sure, np.nan)[detection]
    return pd.DataFrame(columns)


def _of_detections(name: str, points: Sequence[TimePoint], detections: Detections, wanted: np.ndarray,
                   missing: float) -> np.ndarray:
    """A column of the tables of spines for some detections; −1 and absent columns give what is missing."""
    values = [point.spines[name].to_numpy(dtype=np.float64) if name in point.spines
              else np.full(len(point.spines), missing) for point in points]
    offset = np.cumsum([0] + [len(each) for each in values])
    joined = np.append(np.concatenate(values), missing)
    rows = offset[detections.session] + detections.row
    return joined[np.append(rows, offset[-1])[wanted]]


def brightness_of(states: States, detections: Detections) -> np.ndarray:
    """How large the always present spines look at each time point, relative to their own median; NaN without any.

    Sizes are those relative to the shaft, and saturated spines have none.
    """
    sessions = states.state.shape[1]
    whole = np.asarray((states.detection >= 0).all(axis=1))
    size = np.where(whole[:, None], np.append(detections.size, np.nan)[states.detection], np.nan)[whole]
    size = size[np.isfinite(size).all(axis=1)]
    if not len(size):
        return np.full(sessions, math.nan)
    return np.asarray(np.median(size / np.median(size, axis=1, keepdims=True), axis=0))


def track_rows(points: Sequence[TimePoint], states: States, dendrite: np.ndarray, along_um: np.ndarray,
               parameters: TimelapseParameters) -> pd.DataFrame:
    """One row per track."""
    times = np.array([point.time for point in points])
    there = states.there
    first, last = there.argmax(axis=1), there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    table = pd.DataFrame({
        "track_id": np.arange(len(there)) + 1, "dendrite_id": dendrite, "position_um": along_um,
        "z_um": states.zyx_um[:, 0], "y_um": states.zyx_um[:, 1], "x_um": states.zyx_um[:, 2],
        "first_seen": times[first], "last_seen": times[last], "sessions_present": there.sum(axis=1),
        "sessions_decided": states.decided.sum(axis=1),
        "class": [track_class(row_there[row_decided], times[row_decided], parameters.transient_days)
                  for row_there, row_decided in zip(there, states.decided, strict=True)],
    })
    for number, point in enumerate(points):
        table[f"state_{number + 1}_{point.name}"] = states.state[:, number]
    return table


def track_class(there: np.ndarray, times: np.ndarray, transient_days: float) -> str:
    """What became of a spine, from the time points that tell.

    Parameters
    ----------
    there
        Whether it was there, bool, shape ``(n,)``.
    times
        When, rising, shape ``(n,)``.
    transient_days
        A spine that came and went within a shorter time is transient.
    """
    if len(there) < 2 or not there.any():
        return UNDECIDED
    first, last = int(there.argmax()), len(there) - 1 - int(there[::-1].argmax())
    if not there[first:last + 1].all():
        return RECURRENT
    if there.all():
        return STABLE
    if there[0]:
        return LOST
    if there[-1]:
        return GAINED
    return TRANSIENT if first == last or times[last] - times[first] < transient_days else GAINED_AND_LOST


def summary_rows(points: Sequence[TimePoint], registered: Sequence[int], states: States, dendrite: np.ndarray,
                 line_seen: np.ndarray, reference: TimePoint, doubt: np.ndarray, parameters: TimelapseParameters
                 ) -> pd.DataFrame:
    """One row per pair of neighbouring time points and dendrite, and one for all dendrites together.

    Parameters
    ----------
    points, registered
        Time points, and the numbers of those that lie in the frame of the reference.
    states, dendrite
        State of every track, and its dendrite of the reference; tracks without one are left out.
    line_seen
        As of :func:`deepd3_ij.timelapse.states.observable_line`.
    reference
        The time point whose dendrites count.
    doubt
        Expected number of wrong links of each track into each time point, float64, shape ``(tracks, time points)``.
    parameters
        Recall and precision, if the user gave them.
    """
    rows = []
    missed = missed_shares(states)
    numbers = np.unique(reference.lines.tree)
    for one, other in pairwise(registered):
        both = states.decided[:, one] & states.decided[:, other]
        seen = line_seen[:, one] & line_seen[:, other]
        counts = []
        for number in numbers:
            own = dendrite == number
            first, second = states.there[own & both, one], states.there[own & both, other]
            unclear = own & ~both & states.observable[:, one] & states.observable[:, other] \
                & (states.there[:, one] | states.there[:, other])
            length = float(reference.lines.length_um[seen & (reference.lines.tree == number)].sum())
            counts.append((int((first & ~second).sum()), int((second & ~first).sum()), int((first & second).sum()),
                           int(unclear.sum()), length, float(doubt[own & both, other].sum())))
        table = np.array(counts, dtype=np.float64).reshape(-1, 6)
        days = points[other].time - points[one].time
        pair = {"session": one + 1, "next_session": other + 1, "time_point": points[one].name,
                "next_time_point": points[other].name, "days": days}
        error = (missed[one] + missed[other]) / 2
        rows.append({**pair, "dendrite_id": ALL_DENDRITES, **_rates(table.sum(axis=0), days, error, parameters),
                     **_interval(table)})
        rows += [{**pair, "dendrite_id": str(number), **_rates(row, days, error, parameters),
                  "density_change_low": math.nan, "density_change_high": math.nan}
                 for number, row in zip(numbers, table, strict=True)]
    return pd.DataFrame(rows)


def missed_shares(states: States) -> np.ndarray:
    """Share of spines that are missing at each time point though they are there before and after it.

    Most of them were overlooked. The first and the last time point have no such spines; they get the mean of the
    others, or 0 if there are none.

    Returns
    -------
    numpy.ndarray
        float64, shape ``(time points,)``.
    """
    there, decided = states.there & states.decided, states.decided
    shares = np.full(there.shape[1], np.nan)
    for number in range(1, there.shape[1] - 1):
        around = there[:, :number].any(axis=1) & there[:, number + 1:].any(axis=1) & decided[:, number]
        if around.any():
            shares[number] = 1 - there[around, number].mean()
    known = shares[np.isfinite(shares)]
    return np.where(np.isfinite(shares), shares, known.mean() if len(known) else 0.0)


def _rates(row: np.ndarray, days: float, missed: float, parameters: TimelapseParameters) -> dict[str, object]:
    lost, gained, stable, undecided, length_um, doubt = row
    first, second = stable + lost, stable + gained
    if parameters.recall is not None and parameters.precision is not None:
        expected = 1 - parameters.recall * parameters.precision
    else:
        expected = min(1.0, missed + _ratio(2 * doubt, first + second))
    return {"spines": int(first), "next_spines": int(second), "gained": int(gained), "lost": int(lost),
            "stable": int(stable), "undecided": int(undecided), "observable_um": length_um,
            "turnover": _ratio(gained + lost, first + second), "relative_gain": _ratio(gained, first),
            "relative_loss": _ratio(lost, first),
            "gained_per_100um_and_day": _ratio(100 * gained, length_um * days),
            "lost_per_100um_and_day": _ratio(100 * lost, length_um * days),
            "density_per_um": _ratio(first, length_um), "next_density_per_um": _ratio(second, length_um),
            "density_change_per_um": _ratio(gained - lost, length_um), "expected_turnover_of_errors": expected}


def _interval(table: np.ndarray) -> dict[str, float]:
    """95 % interval of the change of density, by drawing dendrites: spines of one dendrite are not independent."""
    table = table[table[:, 4] > 0]
    low = high = math.nan
    if len(table) > 1:
        drawn = table[np.random.default_rng(0).integers(0, len(table), (BOOTSTRAPS, len(table)))].sum(axis=1)
        low, high = np.percentile((drawn[:, 1] - drawn[:, 0]) / drawn[:, 4], (2.5, 97.5))
    return {"density_change_low": float(low), "density_change_high": float(high)}


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan
