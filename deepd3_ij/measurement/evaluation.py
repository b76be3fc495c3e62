"""How well detected spines agree with annotated ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.parameters import EvaluationParameters


@dataclass(frozen=True)
class Scores:
    """Counts of an evaluation and what follows from them.

    Attributes
    ----------
    truth, detected
        Number of annotated and of detected spines.
    matched
        Number of pairs.
    false_positives
        Unmatched detections that count.
    ignored
        Unmatched detections far from every traced dendrite.
    """

    truth: int
    detected: int
    matched: int
    false_positives: int
    ignored: int

    @property
    def missed(self) -> int:
        """Annotated spines without a detection."""
        return self.truth - self.matched

    @property
    def recall(self) -> float:
        """Share of the annotated spines that were found; NaN without annotated spines."""
        return _ratio(self.matched, self.truth)

    @property
    def precision(self) -> float:
        """Share of the counting detections that are annotated; NaN without any."""
        return _ratio(self.matched, self.matched + self.false_positives)

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision; NaN if nothing was annotated and nothing counted."""
        return _ratio(2 * self.matched, 2 * self.matched + self.missed + self.false_positives)

    def to_dict(self) -> dict[str, int | float | None]:
        """Values for JSON; what is not defined is None."""
        rates = {name: None if math.isnan(value) else value for name, value in
                 (("recall", self.recall), ("precision", self.precision), ("f1", self.f1))}
        return {**rates, "truth": self.truth, "detected": self.detected, "matched": self.matched,
                "missed": self.missed, "false_positives": self.false_positives, "ignored": self.ignored}


@dataclass(frozen=True)
class Match:
    """A detected spine and its annotated partner.

    Attributes
    ----------
    detected_id, truth_id
        Their ids.
    xy_um
        Distance in the plane in µm.
    z_planes
        Plane of the detection minus plane of the annotation.
    """

    detected_id: int
    truth_id: int
    xy_um: float
    z_planes: float


@dataclass(frozen=True)
class Evaluation:
    """Result of :func:`evaluate`.

    Attributes
    ----------
    scores
        Counts, recall, precision, F1.
    matches
        Pairs, in the order of the detections.
    missed_ids, false_positive_ids, ignored_ids
        Ids of the annotated spines without a partner, of the detections that count as false, and of those that
        do not count.
    """

    scores: Scores
    matches: tuple[Match, ...]
    missed_ids: tuple[int, ...]
    false_positive_ids: tuple[int, ...]
    ignored_ids: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        return {**self.scores.to_dict(),
                "matches": [vars(match) for match in self.matches],
                "missed_ids": list(self.missed_ids),
                "false_positive_ids": list(self.false_positive_ids),
                "ignored_ids": list(self.ignored_ids)}


def evaluate(
    detected: SpinePoints,
    truth: SpinePoints,
    dendrites: Tracing | None = None,
    parameters: EvaluationParameters | None = None,
) -> Evaluation:
    """Match detected with annotated spines one to one and count.

    Of all one-to-one pairings within ``xy_um`` in the plane and ``z_planes`` along z (both ends included), one with
    the most pairs is taken, and of these the one with the smallest sum of distances in the plane (Hungarian
    algorithm: Kuhn, Naval Research Logistics Quarterly 2 (1955) 83–97, as in :mod:`scipy.optimize`).

    Parameters
    ----------
    detected, truth
        Positions. Their voxel sizes may differ; planes are those of ``truth``.
    dendrites
        Traced dendrites in µm. With them, an unmatched detection counts as a false positive only if some point of a
        traced segment lies within ``within_um`` in the plane and ``trace_z_planes`` along z; the others are ignored,
        because not every dendrite of an image need have been annotated.
    parameters
        Limits; the defaults if None.

    Returns
    -------
    Evaluation
    """
    chosen = parameters or EvaluationParameters()
    found, real = _planes_and_um(detected, truth.z_um), _planes_and_um(truth, truth.z_um)
    distance_um = np.hypot(found[:, None, 1] - real[None, :, 1], found[:, None, 2] - real[None, :, 2])
    planes = found[:, None, 0] - real[None, :, 0]
    rows, columns = match_points(distance_um, np.abs(planes), chosen)
    unmatched = np.setdiff1d(np.arange(len(detected)), rows)
    counts = np.ones(len(unmatched), dtype=bool)
    if dendrites is not None:
        counts = distance_to_tracing_um(found[unmatched], dendrites, z_um=truth.z_um,
                                        z_planes=chosen.trace_z_planes) <= chosen.within_um
    matches = tuple(Match(int(detected.ids[row]), int(truth.ids[column]), float(distance_um[row, column]),
                          float(planes[row, column])) for row, column in zip(rows, columns, strict=True))
    scores = Scores(truth=len(truth), detected=len(detected), matched=len(matches),
                    false_positives=int(counts.sum()), ignored=int((~counts).sum()))
    missed = np.setdiff1d(np.arange(len(truth)), columns)
    return Evaluation(scores=scores, matches=matches, missed_ids=_plain(truth.ids[missed]),
                      false_positive_ids=_plain(detected.ids[unmatched[counts]]),
                      ignored_ids=_plain(detected.ids[unmatched[~counts]]))


def pool(scores: Sequence[Scores]) -> Scores:
    """Scores of several sessions together: counts are added, so larger sessions weigh more."""
    return Scores(*(sum(getattr(score, name) for score in scores)
                    for name in ("truth", "detected", "matched", "false_positives", "ignored")))


def match_points(
    distance_um: np.ndarray, planes: np.ndarray, parameters: EvaluationParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows with columns: first as many as possible, then with the smallest sum of distances.

    Parameters
    ----------
    distance_um, planes
        Distances in the plane (µm) and along z (planes, not negative), float64, shape ``(rows, columns)``.
    parameters
        Limits of a pair.

    Returns
    -------
    tuple of numpy.ndarray
        Rows (ascending) and columns of the pairs, int64.
    """
    allowed = (distance_um <= parameters.match_xy_um) & (planes <= parameters.match_z_planes)
    # An allowed pair gains more than all distances together can cost, so that the number of pairs comes first.
    # The tiny share of z decides between candidates that lie at the same place of different planes.
    cost = distance_um + 1e-6 * planes
    gain = 1.0 + min(allowed.shape) * (cost[allowed].max() if allowed.any() else 0.0)
    rows, columns = linear_sum_assignment(np.where(allowed, cost - gain, 0.0))
    kept = allowed[rows, columns]
    return rows[kept], columns[kept]


def distance_to_tracing_um(
    points: np.ndarray, tracing: Tracing, *, z_um: float, z_planes: float = math.inf
) -> np.ndarray:
    """Distance in the plane from points to the nearest part of a tracing that is near in z.

    Parameters
    ----------
    points
        float64, shape ``(n, 3)``: plane, y in µm, x in µm.
    tracing
        Nodes in µm; distances are to the segments between nodes (and to single nodes without segments).
    z_um
        Distance between planes in µm.
    z_planes
        Only parts of segments at most so many planes above or below the point are looked at.

    Returns
    -------
    numpy.ndarray
        Distances in µm, float64, shape ``(n,)``; infinite where no part of the tracing is near enough in z.
    """
    nodes = tracing.xyz[:, ::-1] / np.array([z_um, 1.0, 1.0])
    begin, end = tracing.segments.T
    alone = np.setdiff1d(np.arange(len(tracing)), tracing.segments)
    start = nodes[np.concatenate([begin, alone])]
    step = nodes[np.concatenate([end, alone])] - start
    nearest = np.empty(len(points))
    for index, point in enumerate(points):
        low, high = _part_within(start[:, 0] - point[0], step[:, 0], z_planes)
        offset = point[1:] - start[:, 1:]
        length2 = (step[:, 1:] ** 2).sum(axis=1)
        along = (offset * step[:, 1:]).sum(axis=1) / np.where(length2 > 0, length2, 1.0)
        place = np.minimum(np.maximum(along, low), high)
        distance = np.hypot(*(offset - place[:, None] * step[:, 1:]).T)
        nearest[index] = np.where(low <= high, distance, np.inf).min(initial=np.inf)
    return nearest


def _part_within(offset: np.ndarray, step: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Part (low, high) of the segments ``offset + t * step``, 0 <= t <= 1, within ±limit; low > high if none."""
    flat = step == 0
    divisor = np.where(flat, 1.0, step)
    ends = np.stack([(-limit - offset) / divisor, (limit - offset) / divisor])
    inside = np.abs(offset) <= limit
    low = np.where(flat, np.where(inside, 0.0, 1.0), np.maximum(ends.min(axis=0), 0.0))
    high = np.where(flat, np.where(inside, 1.0, 0.0), np.minimum(ends.max(axis=0), 1.0))
    return low, high


def _planes_and_um(points: SpinePoints, plane_um: float) -> np.ndarray:
    """Positions as plane (of the given thickness), y in µm, x in µm."""
    return points.zyx_um / np.array([plane_um, 1.0, 1.0])


def _plain(ids: np.ndarray) -> tuple[int, ...]:
    return tuple(int(identity) for identity in ids)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
