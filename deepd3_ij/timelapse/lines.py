"""Centre lines of dendrites as points with a direction, a length and a place along their tree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from deepd3_ij.annotation.tracing import Tracing

SPACING_UM = 0.5
"""Longest piece of line that one point stands for."""


@dataclass(frozen=True, eq=False)
class LinePoints:
    """Middles of the short pieces of centre lines.

    Attributes
    ----------
    zyx_um
        Positions, float64, shape ``(n, 3)``.
    tangent
        Unit vectors along the line, float64, shape ``(n, 3)``.
    length_um
        Length of each piece, float64, shape ``(n,)``.
    tree
        Number of the tree of each piece, from 1 in the order of their roots, int64, shape ``(n,)``.
    along_um
        Length along the tree from its root, float64, shape ``(n,)``.
    """

    zyx_um: np.ndarray
    tangent: np.ndarray
    length_um: np.ndarray
    tree: np.ndarray
    along_um: np.ndarray

    def __len__(self) -> int:
        return len(self.zyx_um)

    @property
    def total_um(self) -> float:
        """Length of all pieces together."""
        return float(self.length_um.sum())

    def nearest(self, zyx_um: np.ndarray, z_weight: float) -> tuple[np.ndarray, np.ndarray]:
        """Distance to the nearest point and its row, for each position; distances along z count `z_weight` times.

        Without points, distances are infinite and rows are 0.
        """
        if not len(self):
            return np.full(len(zyx_um), np.inf), np.zeros(len(zyx_um), dtype=np.int64)
        weight = np.array([z_weight, 1.0, 1.0])
        distance, row = cKDTree(self.zyx_um * weight).query(zyx_um * weight)
        return distance, row


def line_points(tracing: Tracing) -> LinePoints:
    """Cut the segments of a tracing into pieces of at most ``SPACING_UM``."""
    zyx = tracing.xyz[:, ::-1]
    tree, along = _trees(tracing, zyx)
    begin, end = tracing.segments.T if len(tracing.segments) else (np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    step = zyx[end] - zyx[begin]
    length = np.linalg.norm(step, axis=1)
    kept = length > 0
    begin, end, step, length = begin[kept], end[kept], step[kept], length[kept]
    pieces = np.maximum(1, np.ceil(length / SPACING_UM)).astype(int)
    row = np.repeat(np.arange(len(length)), pieces)
    part = (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 0.5) / pieces[row]
    return LinePoints(zyx_um=zyx[begin[row]] + part[:, None] * step[row], tangent=(step / length[:, None])[row],
                      length_um=(length / pieces)[row], tree=tree[end[row]],
                      along_um=along[begin[row]] + part * length[row])


def _trees(tracing: Tracing, zyx: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the tree of each node, and its length along the tree from the root."""
    parent = tracing.parent_rows
    tree, along = np.zeros(len(parent), dtype=np.int64), np.zeros(len(parent))
    children: dict[int, list[int]] = {}
    for row, above in enumerate(parent.tolist()):
        children.setdefault(above, []).append(row)
    for number, root in enumerate(children.get(-1, []), start=1):
        waiting = [root]
        while waiting:
            row = waiting.pop()
            tree[row] = number
            if parent[row] >= 0:
                along[row] = along[parent[row]] + np.linalg.norm(zyx[row] - zyx[parent[row]])
            waiting += children.get(row, [])
    return tree, along
