"""Noise of an image, estimated from the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.ndimage import uniform_filter

PLANES_LOOKED_AT = 7
PART_PX = 512
BINS = 20
SURROUNDINGS_PX = 7
LEAST_ALTERNATING = -0.4
FULL_SCALES = tuple(2.0 ** bits - 1 for bits in (8, 10, 11, 12, 13, 14, 16))
"""Largest grey levels of digitisers."""


@dataclass(frozen=True)
class Noise:
    """Noise of single voxels.

    Attributes
    ----------
    floor
        Variance where there is no light.
    per_level
        Growth of the variance with the grey level: the mean pulse of a photon, spread included.
    level
        Grey level without light, as far as the image shows it.
    smear
        Correlation of noise between neighbours along a row: the part of a pulse that runs on into the next pixel.
    """

    floor: float
    per_level: float
    level: float
    smear: float

    def variance(self, values: np.ndarray) -> np.ndarray:
        """Variance of voxels with these expected grey levels."""
        return np.maximum(self.floor + self.per_level * np.maximum(values - self.level, 0.0), 1e-12)

    @property
    def excess(self) -> float:
        """By how much the variance of a sum over neighbours along rows exceeds that of independent voxels."""
        return (1 + self.smear) / (1 - self.smear)

    @property
    def smear_variance_px2(self) -> float:
        """Variance of the smear along rows, in squared pixels: what it adds to the width of everything."""
        return self.smear / (1 - self.smear) ** 2


def noise_of(stack: xr.DataArray) -> Noise:
    """Estimate the noise from second differences across rows, where structures differ little.

    Parameters
    ----------
    stack
        Image ``(z, y, x)``; parts of up to 512 × 512 pixels of seven planes are looked at.

    Returns
    -------
    Noise
        A straight line of the variance over the grey level through its medians in twenty classes of brightness.
    """
    planes = np.unique(np.linspace(0, len(stack) - 1, PLANES_LOOKED_AT).round().astype(int))
    means, squares, products, belows = [], [], [], []
    for z in planes:
        plane = np.asarray(_part(stack.variable[z].values, z / max(len(stack) - 1, 1)), dtype=np.float64)
        if plane.shape[0] < 4 or plane.shape[1] < 2:
            continue
        difference = (plane[:-2] - 2 * plane[1:-1] + plane[2:]) / np.sqrt(6)
        # A wide mean hardly depends on the noise of the difference, which would make bright places look even.
        local = uniform_filter(plane, SURROUNDINGS_PX, mode="nearest")[1:-1]
        means.append(local[:-1, :-1].ravel())
        squares.append(difference[:-1, :-1].ravel() ** 2)
        products.append((difference[:-1, :-1] * difference[:-1, 1:]).ravel())
        belows.append((difference[:-1, :-1] * difference[1:, :-1]).ravel())
    if not means:
        return Noise(0.0, 0.0, 0.0, 0.0)
    mean, square, product, below = map(np.concatenate, (means, squares, products, belows))
    dim = mean <= np.median(mean)
    total = square[dim].sum()
    # Differences of noise alternate from row to row (by −2/3); where they do not, they are structure.
    noisy = total > 0 and below[dim].sum() / total < LEAST_ALTERNATING
    smear = float(np.clip(product[dim].sum() / total, 0.0, 0.9)) if noisy else 0.0
    edges = np.unique(np.quantile(mean, np.linspace(0, 1, BINS + 1)))
    if len(edges) < 3:
        return Noise(float(square.mean()), 0.0, float(mean.mean()), smear)
    group = np.clip(np.searchsorted(edges, mean, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(group, minlength=len(edges) - 1)
    filled = count > 0
    x, y = (np.bincount(group, weights=values, minlength=len(edges) - 1)[filled] / count[filled]
            for values in (mean, square))
    slope, height = np.polyfit(x, y, 1, w=1 / np.maximum(y, y.max() * 1e-3))
    level = float(x[0])
    return Noise(floor=float(max(height + slope * level, 0.0)), per_level=float(max(slope, 0.0)), level=level,
                 smear=smear)


def _part(plane: np.ndarray, share: float) -> np.ndarray:
    """Part of a plane; from plane to plane it moves from one corner to the opposite one."""
    y, x = (round(share * max(size - PART_PX, 0)) for size in plane.shape)
    return plane[y:y + PART_PX, x:x + PART_PX]


def full_scale(stack: xr.DataArray) -> float:
    """Grey level at which the image is saturated: its largest if that is a digitiser's, else infinite."""
    if not np.issubdtype(stack.dtype, np.integer):
        return np.inf
    largest = max(float(stack.variable[z].values.max()) for z in range(len(stack)))
    return largest if largest in FULL_SCALES else np.inf
