"""What a person decided about links and states, and where that is in the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from deepd3_ij.errors import AnnotationError
from deepd3_ij.timelapse.states import ABSENT, PRESENT
from deepd3_ij.timelapse.timepoint import TimePoint

COLUMNS = ("action", "time_point", "id", "other_time_point", "other_id")
LINK, CUT, BAD = "link", "cut", "bad"
ACTIONS = (LINK, CUT, PRESENT, ABSENT, BAD)
"""link, cut: the spine ``id`` of ``time_point`` is, or is not, ``other_id`` of ``other_time_point``. present, absent:
the spine ``id`` of ``time_point`` is there, or not, at ``other_time_point``. bad: ``id`` of ``time_point`` is no
spine."""


@dataclass(frozen=True, eq=False)
class Edits:
    """Decisions, with rows of detections.

    Attributes
    ----------
    made, cut
        Pairs of detections, the earlier one first, int64, shape ``(n, 2)``.
    judged
        Detection, number of a time point and state there.
    """

    made: np.ndarray
    cut: np.ndarray
    judged: tuple[tuple[int, int, str], ...]


def without_bad(points: Sequence[TimePoint], table: pd.DataFrame | None) -> list[np.ndarray]:
    """Which spines of each time point count, bool; all but those that a person called bad."""
    kept = [np.ones(len(point.spines), dtype=bool) for point in points]
    for row in _rows(table):
        if row[0] == BAD:
            number = _time_point(points, row[1])
            kept[number][_spine(points[number], row[2])] = False
    return kept


def edits_of(points: Sequence[TimePoint], table: pd.DataFrame | None) -> Edits:
    """Find what a person decided in the time points (without bad spines).

    Raises
    ------
    AnnotationError
        An action, time point or spine is not known, or a spine gets two partners at one time point.
    """
    offset = np.cumsum([0] + [len(point.spines) for point in points])
    made: dict[tuple[int, int], None] = {}
    cut: dict[tuple[int, int], None] = {}
    judged: list[tuple[int, int, str]] = []
    for action, name, identity, other_name, other_id in _rows(table):
        if action == BAD:
            continue
        number, other = _time_point(points, name), _time_point(points, other_name)
        detection = int(offset[number]) + _spine(points[number], identity)
        if action in (PRESENT, ABSENT):
            judged.append((detection, other, action))
            continue
        partner = int(offset[other]) + _spine(points[other], other_id)
        if number == other:
            raise AnnotationError(f"A link of two spines of {name} is no link; give two time points that differ.")
        pair = (detection, partner) if number < other else (partner, detection)
        # What was decided last counts.
        (cut if action == LINK else made).pop(pair, None)
        (made if action == LINK else cut)[pair] = None
    for side in zip(*made, strict=True):
        if len(set(side)) < len(side):
            raise AnnotationError("A spine is linked to two spines that are both later, or both earlier; leave one "
                                  "link.")
    return Edits(_pairs(made), _pairs(cut), tuple(judged))


def _pairs(pairs: dict[tuple[int, int], None]) -> np.ndarray:
    return np.array(list(pairs), dtype=np.int64).reshape(-1, 2)


def _rows(table: pd.DataFrame | None) -> list[tuple[str, str, int, str, int]]:
    if table is None or not len(table):
        return []
    for name in COLUMNS:
        if name not in table:
            raise AnnotationError(f"The table of edited links has no column {name}; needed: {', '.join(COLUMNS)}.")
    rows = []
    for number, row in enumerate(table[list(COLUMNS)].itertuples(index=False), start=1):
        action = str(row[0]).strip()
        if action not in ACTIONS:
            raise AnnotationError(f"Row {number} of the edited links has the action {action!r}; accepted: "
                                  f"{', '.join(ACTIONS)}.")
        rows.append((action, str(row[1]), _whole(row[2], number), str(row[3]), _whole(row[4], number)))
    return rows


def _whole(value: Any, number: int) -> int:
    if pd.isna(value):
        return 0
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        raise AnnotationError(f"Row {number} of the edited links has the id {value!r}; accepted: a whole number."
                              ) from None


def _time_point(points: Sequence[TimePoint], name: str) -> int:
    for number, point in enumerate(points):
        if point.name == name:
            return number
    raise AnnotationError(f"The edited links name the time point {name!r}; there are: "
                          f"{', '.join(point.name for point in points)}.")


def _spine(point: TimePoint, identity: int) -> int:
    found = np.flatnonzero(point.spines["id"].to_numpy() == identity)
    if not len(found):
        raise AnnotationError(f"The edited links name spine {identity} of {point.name}, which is not there (it may be "
                              "bad, or built anew); remove that row.")
    return int(found[0])
