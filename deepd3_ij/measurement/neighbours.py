"""Distances between spines along the dendrites that they stand on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from deepd3_ij.measurement.dendrites import Dendrites
from deepd3_ij.measurement.geometry import SpineGeometry
from deepd3_ij.measurement.skeleton import CentreLine


class Gaps(NamedTuple):
    """Distances in µm between the points at which spines spring from the centre lines; NaN without such a neighbour.

    ``previous_um`` and ``next_um`` lead to the neighbours on the same branch, ``nearest_um`` to the nearest spine on
    any branch of the dendrite.
    """

    previous_um: np.ndarray
    next_um: np.ndarray
    nearest_um: np.ndarray


def gaps_between(geometry: SpineGeometry, dendrites: Dendrites) -> Gaps:
    """Measure the gaps between neighbouring spines.

    Parameters
    ----------
    geometry
        Where the spines spring from.
    dendrites
        The dendrites.

    Returns
    -------
    Gaps
        float64, shape ``(n,)`` each.
    """
    gaps = Gaps(*np.full((3, len(geometry)), np.nan))
    known = geometry.node >= 0
    for identity in np.unique(geometry.dendrite_id[known]):
        line = dendrites.centre_lines[identity - 1]
        branch = line.branch_of_points
        own = np.flatnonzero(known & (geometry.dendrite_id == identity))
        nodes = geometry.node[own]
        for one in np.unique(branch[nodes]):
            here = own[branch[nodes] == one]
            here = here[np.argsort(geometry.position_um[here], kind="stable")]
            between = np.diff(geometry.position_um[here])
            gaps.previous_um[here[1:]] = between
            gaps.next_um[here[:-1]] = between
        elsewhere = _nearest_on_tree(line, nodes)
        gaps.nearest_um[own] = np.fmin(np.fmin(gaps.previous_um[own], gaps.next_um[own]), elsewhere)
    return gaps


def _nearest_on_tree(line: CentreLine, nodes: np.ndarray) -> np.ndarray:
    """Distance of each spine to the nearest one of another branch of the tree; NaN where a nearer one is on its own.

    The points of the tree are shared out to the spines nearest to them; the nearest spine of another is on the other
    side of the border of its share.
    """
    parents, branch = line.parents, line.branch_of_points
    nearest = np.full(len(nodes), np.nan)
    sources, inverse = np.unique(nodes, return_inverse=True)
    if len(np.unique(branch[nodes])) < 2:
        return nearest
    child = np.flatnonzero(parents >= 0)
    length = np.maximum(np.linalg.norm(line.zyx_um[child] - line.zyx_um[parents[child]], axis=1), 1e-9)
    count = len(line.zyx_um)
    tree = csr_matrix((length, (child, parents[child])), shape=(count, count))
    distance, _, owner = dijkstra(tree, directed=False, indices=sources, min_only=True, return_predecessors=True)
    one, other = owner[child], owner[parents[child]]
    border = (one != other) & (one >= 0) & (other >= 0)
    border &= branch[np.where(border, one, 0)] != branch[np.where(border, other, 0)]
    across = (distance[child] + length + distance[parents[child]])[border]
    best = np.full(count, np.inf)
    np.minimum.at(best, one[border], across)
    np.minimum.at(best, other[border], across)
    found = best[sources][inverse]
    return np.where(np.isfinite(found), found, nearest)
