"""Where spines begin and end: axis, base, head, tip and the way between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Placed:
    """Base and tip of a spine that a user placed, in µm on the stack's coordinates, z y x."""

    base_zyx_um: tuple[float, float, float]
    tip_zyx_um: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class SpineGeometry:
    """Where spines begin and end.

    All positions are z, y, x in µm from the centre of the volume's first voxel, float64, shape ``(n, 3)``, one row per
    ROI; NaN where there is no dendrite.

    Attributes
    ----------
    dendrite_id
        Dendrite of each, int64, shape ``(n,)``; 0 if none.
    axis_zyx_um
        Point of the dendrite's centre line from which the spine springs.
    tangent_zyx
        Direction of the centre line there, of length 1.
    position_um
        Length along the tree of centre lines to that point, float64, shape ``(n,)``.
    shaft_radius_um
        Apparent half width of the dendrite there, float64, shape ``(n,)``.
    base_zyx_um, head_zyx_um, tip_zyx_um
        Where the spine leaves the shaft's surface, the middle of its head, its farthest end.
    paths
        The way of each from axis to tip in steps of 0.05 µm, float64, shape ``(m, 3)``; empty where there is no
        dendrite.
    by_user
        Whether a user placed base and tip, bool, shape ``(n,)``.
    """

    dendrite_id: np.ndarray
    axis_zyx_um: np.ndarray
    tangent_zyx: np.ndarray
    position_um: np.ndarray
    shaft_radius_um: np.ndarray
    base_zyx_um: np.ndarray
    head_zyx_um: np.ndarray
    tip_zyx_um: np.ndarray
    paths: Sequence[np.ndarray]
    by_user: np.ndarray

    def __len__(self) -> int:
        return len(self.dendrite_id)
