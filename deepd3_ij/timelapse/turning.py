"""Time points that were mirrored or turned, to say so if one does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from deepd3_ij.timelapse.timepoint import HEAD_COLUMNS, POSITION_COLUMNS, TimePoint

Turn = Callable[[np.ndarray], np.ndarray]


def _mirrored(axis: int) -> Turn:
    sign = np.ones(3)
    sign[axis] = -1
    return lambda zyx: zyx * sign


def _quarter(times: int) -> Turn:
    cos, sin = ((0, 1), (-1, 0), (0, -1))[times - 1]
    return lambda zyx: np.stack([zyx[:, 0], cos * zyx[:, 1] - sin * zyx[:, 2], sin * zyx[:, 1] + cos * zyx[:, 2]],
                                axis=1)


TURNS: Mapping[str, Turn] = {
    "mirrored from left to right": _mirrored(2), "mirrored from top to bottom": _mirrored(1),
    "upside down in z": _mirrored(0), "turned by 90°": _quarter(1), "turned by 180°": _quarter(2),
    "turned by 270°": _quarter(3),
}


def turned(point: TimePoint, turn: Turn) -> TimePoint:
    """The same time point after a turn about the origin, without maps and image."""
    spines = point.spines.copy()
    for names in (POSITION_COLUMNS, HEAD_COLUMNS):
        if set(names) <= set(spines):
            spines[list(names)] = turn(spines[list(names)].to_numpy(dtype=np.float64))
    corners = turn(point.box_um)
    tracing = replace(point.tracing, xyz=turn(point.tracing.xyz[:, ::-1])[:, ::-1])
    return TimePoint(point.name, point.time, spines, tracing, np.stack([corners.min(axis=0), corners.max(axis=0)]))
