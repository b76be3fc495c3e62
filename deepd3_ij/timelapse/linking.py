"""Which detections are the same spine: one assignment over all time points.

Every detection has at most one successor and one predecessor, and links go forward in time. So the cheapest set of
tracks is one bipartite assignment of "out" ends to "in" ends (as in min-cost flow, Zhang, Li & Nevatia, CVPR 2008, with
all detections kept), which falls apart into the connected components of the graph of possible links.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix, csgraph
from scipy.spatial import cKDTree

from deepd3_ij.parameters import TimelapseParameters

SIGMA_Z_UM = 2.0
LEAST_SIGMA_UM, LEAST_SIGMA_Z_UM = 0.3, 0.6
LEAST_LINKS = 10
TAILS = 2.0
RAYLEIGH_MEDIAN, NORMAL_MEDIAN = 1.1774, 0.6745
"""Medians of the length of a vector in the plane, and of a distance along a line, whose standard deviation is 1."""
SIGMA_LOG_SIZE = 0.6
DIRECTION_WEIGHT = 1.0
OPPOSITE_COST = 4.0
GAP_COST = 2.0
LARGEST_Z_UM = 5.0
SURE_DIRECTION_UM = 0.4
"""From this distance to the shaft on, a spine's direction is known."""
ROUNDS = 60


@dataclass(frozen=True, eq=False)
class Detections:
    """Spines of all time points in the frame of the reference, in the order of their time points.

    Attributes
    ----------
    session
        Number of the time point of each, int64, shape ``(n,)``, not falling.
    row
        Row in the table of its time point, int64, shape ``(n,)``.
    zyx_um
        Position, float64, shape ``(n, 3)``.
    direction
        From the shaft to the spine in the plane (y, x), in µm, float64, shape ``(n, 2)``.
    size
        Size relative to the shaft; NaN where it is not known; float64, shape ``(n,)``.
    """

    session: np.ndarray
    row: np.ndarray
    zyx_um: np.ndarray
    direction: np.ndarray
    size: np.ndarray

    def __len__(self) -> int:
        return len(self.session)


@dataclass(frozen=True, eq=False)
class Links:
    """Chosen links between detections.

    Attributes
    ----------
    first, second
        Earlier and later detection of each link, int64, shape ``(n,)``.
    distance_um
        Distance in the plane, float64, shape ``(n,)``.
    probability
        About how probable the link is, given all that its ends and their neighbours could have, none included; 1 for
        links made by a person; float64, shape ``(n,)``.
    """

    first: np.ndarray
    second: np.ndarray
    distance_um: np.ndarray
    probability: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Spread:
    """How far apart the same spine is found, in the plane and along z: standard deviations in µm."""

    plane_um: float
    z_um: float

    @classmethod
    def usual(cls, parameters: TimelapseParameters) -> Spread:
        """Before anything is known of the data."""
        return cls(parameters.link_sigma_um, SIGMA_Z_UM)

    @classmethod
    def of(cls, detections: Detections, links: Links, parameters: TimelapseParameters) -> Spread:
        """Twice what the links show, as their tails are long, but never more than usual."""
        usual = cls.usual(parameters)
        if len(links) < LEAST_LINKS:
            return usual
        z_um = np.abs(detections.zyx_um[links.first, 0] - detections.zyx_um[links.second, 0])
        plane = TAILS * float(np.median(links.distance_um)) / RAYLEIGH_MEDIAN
        return cls(float(np.clip(plane, min(LEAST_SIGMA_UM, usual.plane_um), usual.plane_um)),
                   float(np.clip(TAILS * float(np.median(z_um)) / NORMAL_MEDIAN, LEAST_SIGMA_Z_UM, usual.z_um)))


def link(detections: Detections, parameters: TimelapseParameters, *, gate_um: float | None = None,
         spread: Spread | None = None, made: np.ndarray | None = None, cut: np.ndarray | None = None) -> Links:
    """Find the cheapest set of links over all time points.

    Parameters
    ----------
    detections
        In the frame of the reference.
    parameters
        Gate, widths, cost of a track's ends, longest gap.
    gate_um
        Another gate in the plane.
    spread
        How far apart the same spine is; the usual if None.
    made, cut
        Links that a person made or cut, as rows of two detections, int64, shape ``(m, 2)``.

    Returns
    -------
    Links
        In the order of the earlier detection.
    """
    gate = parameters.gate_um if gate_um is None else gate_um
    first, second, cost = _candidates(detections, parameters, gate, spread or Spread.usual(parameters))
    free = -2 * math.log(parameters.change_rate)
    forced = np.zeros((0, 2), dtype=np.int64) if made is None else made
    if cut is not None and len(cut):
        kept = ~_is_in(np.stack([first, second], axis=1), cut, len(detections))
        first, second, cost = first[kept], second[kept], cost[kept]
    kept = ~(np.isin(first, forced[:, 0]) | np.isin(second, forced[:, 1]))
    first, second, cost = first[kept], second[kept], cost[kept]
    chosen = _assignment(first, second, cost - free, len(detections))
    sure = _probability(first, second, cost - free, len(detections))[chosen]
    both = np.concatenate([np.stack([first, second], axis=1)[chosen], forced])
    sure = np.concatenate([sure, np.ones(len(forced))])
    order = np.argsort(both[:, 0], kind="stable")
    both, sure = both[order], sure[order]
    offset = detections.zyx_um[both[:, 0], 1:] - detections.zyx_um[both[:, 1], 1:]
    return Links(both[:, 0], both[:, 1], np.hypot(*offset.T), sure)


def tracks_of(links: Links, count: int) -> np.ndarray:
    """Number of the track of each detection, int64, shape ``(count,)``; tracks are numbered by their first one."""
    graph = coo_matrix((np.ones(len(links)), (links.first, links.second)), shape=(count, count))
    found = csgraph.connected_components(graph, directed=False)[1]
    _, begin, track = np.unique(found, return_index=True, return_inverse=True)
    rank = np.empty(len(begin), dtype=np.int64)
    rank[np.argsort(begin)] = np.arange(len(begin))
    return rank[track]


def _candidates(detections: Detections, parameters: TimelapseParameters, gate_um: float, spread: Spread
                ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Possible links and what they cost, in units of −log likelihood."""
    pairs = []
    for session in np.unique(detections.session):
        own = np.flatnonzero(detections.session == session)
        later = np.flatnonzero((detections.session > session)
                               & (detections.session <= session + 1 + parameters.gap))
        if not len(later):
            continue
        near = cKDTree(detections.zyx_um[later, 1:]).query_ball_point(detections.zyx_um[own, 1:], gate_um)
        pairs += [(one, later[each]) for one, found in zip(own, near, strict=True) for each in found]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    first, second = table.T
    offset = detections.zyx_um[first] - detections.zyx_um[second]
    kept = np.abs(offset[:, 0]) <= LARGEST_Z_UM
    first, second, offset = first[kept], second[kept], offset[kept]
    square = (offset[:, 1] ** 2 + offset[:, 2] ** 2) / spread.plane_um ** 2 + (offset[:, 0] / spread.z_um) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.log(detections.size[first]) - np.log(detections.size[second])
    square += np.where(np.isfinite(grown), grown / SIGMA_LOG_SIZE, 0.0) ** 2
    cost = 0.5 * square + _direction_cost(detections.direction[first], detections.direction[second])
    cost += GAP_COST * (detections.session[second] - detections.session[first] - 1)
    return first, second, cost


def _direction_cost(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    known = (lengths[0] >= SURE_DIRECTION_UM) & (lengths[1] >= SURE_DIRECTION_UM)
    cosine = np.where(known, (first * second).sum(axis=1) / np.maximum(lengths[0] * lengths[1], 1e-9), 1.0)
    return DIRECTION_WEIGHT * (1 - cosine) + np.where(cosine < -0.5, OPPOSITE_COST, 0.0)


def _assignment(first: np.ndarray, second: np.ndarray, gain: np.ndarray, count: int) -> np.ndarray:
    """Which links together cost least, bool, shape ``(n,)``; `gain` is negative where a link is better than none."""
    chosen = np.zeros(len(first), dtype=bool)
    useful = np.flatnonzero(gain < 0)
    if not len(useful):
        return chosen
    ends = 2 * count
    graph = coo_matrix((np.ones(len(useful)), (first[useful], second[useful] + count)), shape=(ends, ends))
    part = csgraph.connected_components(graph, directed=False)[1][first[useful]]
    order = np.argsort(part, kind="stable")
    for rows in np.split(useful[order], np.flatnonzero(np.diff(part[order])) + 1):
        outs, out = np.unique(first[rows], return_inverse=True)
        ins, into = np.unique(second[rows], return_inverse=True)
        matrix = np.zeros((len(outs), len(ins)))
        number = np.full(matrix.shape, -1)
        matrix[out, into], number[out, into] = gain[rows], rows
        taken = number[linear_sum_assignment(matrix)]
        chosen[taken[taken >= 0]] = True
    return chosen


def _probability(first: np.ndarray, second: np.ndarray, gain: np.ndarray, count: int) -> np.ndarray:
    """About how probable each link is among all sets of links, by belief propagation on the graph of possible links.

    This is exact where the graph has no loops (Bayati & Nair, Allerton 2006, on the monomer-dimer model).
    """
    weight = np.exp(-gain)
    out, into = np.ones(len(first)), np.ones(len(first))
    for _ in range(ROUNDS):
        before = weight * into
        new = 1 / (1 + np.bincount(first, before, minlength=count)[first] - before)
        before = weight * out
        into = 1 / (1 + np.bincount(second, before, minlength=count)[second] - before)
        out = new
    odds = weight * out * into
    return np.asarray(odds / (1 + odds))


def _is_in(pairs: np.ndarray, wanted: np.ndarray, count: int) -> np.ndarray:
    return np.isin(pairs[:, 0] * count + pairs[:, 1], wanted[:, 0] * count + wanted[:, 1])
