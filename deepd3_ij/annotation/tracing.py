"""Traced neurites: nodes with position, radius and parent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

ROOT = -1
"""The parent of a node that begins a tree."""


@dataclass(frozen=True, eq=False)
class Tracing:
    """Nodes of traced neurites, in the order of the file.

    Attributes
    ----------
    ids
        Id of each node, int64, shape ``(n,)``; unique, in any order, gaps allowed.
    types
        Structure code of each node, int64, shape ``(n,)`` (1 soma, 2 axon, 3 basal, 4 apical dendrite, others free).
    xyz
        Positions, float64, shape ``(n, 3)``, columns x, y, z, in the file's unit.
    radius
        Radii, float64, shape ``(n,)``; 0 where the tracing program gave none.
    parents
        Id of each node's parent, int64, shape ``(n,)``; -1 for a root.
    """

    ids: np.ndarray
    types: np.ndarray
    xyz: np.ndarray
    radius: np.ndarray
    parents: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def parent_rows(self) -> np.ndarray:
        """Row of each node's parent, int64, shape ``(n,)``; -1 for a root."""
        row_of = {int(identity): row for row, identity in enumerate(self.ids)}
        row_of[ROOT] = -1
        return np.array([row_of[int(parent)] for parent in self.parents], dtype=np.int64)

    @property
    def segments(self) -> np.ndarray:
        """Rows of the two ends of each segment, int64, shape ``(n, 2)``, columns parent and child; roots have none."""
        rows = self.parent_rows
        child = np.flatnonzero(rows >= 0)
        return np.stack([rows[child], child], axis=1)

    def pixels_to_um(self, *, xy_um: float, z_um: float) -> Tracing:
        """Take x, y, z as pixels and planes and convert them to µm; radii are kept as they are."""
        return replace(self, xyz=self.xyz * np.array([xy_um, xy_um, z_um]))
