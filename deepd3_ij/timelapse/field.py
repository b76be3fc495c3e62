"""Smooth local displacements that rigid motion leaves: a Gaussian mean of what linked spines moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REST = 0.5
"""Weight of no displacement, as of a spine that did not move at all."""


@dataclass(frozen=True, eq=False)
class LocalField:
    """Displacement as a function of the place.

    Attributes
    ----------
    knots_um
        Places where a displacement is known, z, y, x, float64, shape ``(n, 3)``.
    displacement_um
        Displacement there, float64, shape ``(n, 3)``.
    sigma_um
        Standard deviation of the Gaussian whose mean is taken.
    """

    knots_um: np.ndarray
    displacement_um: np.ndarray
    sigma_um: float

    def __call__(self, zyx_um: np.ndarray) -> np.ndarray:
        """Displacement at positions, float64, shape ``(n, 3)``."""
        if not len(self.knots_um):
            return np.zeros_like(zyx_um, dtype=np.float64)
        square = ((zyx_um[:, None] - self.knots_um[None]) ** 2).sum(axis=2)
        weight = np.exp(-0.5 * square / self.sigma_um ** 2)
        return np.asarray(weight @ self.displacement_um / (weight.sum(axis=1, keepdims=True) + REST))

    def inverse(self, zyx_um: np.ndarray) -> np.ndarray:
        """Places that the displacement carries to these positions, by fixed points."""
        places = zyx_um.copy()
        for _ in range(4):
            places = zyx_um - self(places)
        return places
