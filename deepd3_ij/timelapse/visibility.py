"""What hides spines in an image: a shaft that is hardly seen, another dendrite above or below, saturated light."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from deepd3_ij.measurement.noise import full_scale, noise_of
from deepd3_ij.stack import DIMS, voxel_size_um
from deepd3_ij.timelapse.lines import LinePoints

SPOT_UM = 0.4
"""Width of the blur in the plane: noise counts as it is in the mean of a spot of this width."""
ACROSS_UM = (-0.15, 0.0, 0.15)
HEIGHTS_UM = (-1.0, 0.0, 1.0)
"""A centre line may lie a plane above or below its dendrite's light."""
ALONG_UM = 2.0
LEAST_SHAFT_SD = 5.0
"""A shaft whose light is below so many standard deviations of the noise is too dim to judge its spines."""
COVER_UM, COVER_Z_UM = 0.6, 3.0
"""A dendrite covers what is so near in the plane and so near along z, ..."""
OTHER_UM = 1.5
"""... if it is so far from the place's own dendrite."""
SATURATED_UM, SATURATED_Z_UM, SATURATED_SHARE = 0.4, 1.0, 0.5


def shaft_signal(lines: LinePoints, stack: xr.DataArray) -> np.ndarray:
    """Light of the dendrite at each point of its centre line.

    Returns
    -------
    numpy.ndarray
        In standard deviations of the noise without light, in spots of the blur's size; float64, shape ``(points,)``.
    """
    if not len(lines):
        return np.zeros(0)
    voxel, image = np.array(voxel_size_um(stack)), np.asarray(stack.values)
    origin = np.array([float(stack.coords[dim][0]) for dim in DIMS])
    noise = noise_of(stack)
    flat = np.maximum(np.hypot(lines.tangent[:, 1], lines.tangent[:, 2]), 1e-9)
    normal = np.stack([np.zeros(len(lines)), lines.tangent[:, 2] / flat, -lines.tangent[:, 1] / flat], axis=1)
    near = cKDTree(lines.zyx_um).query_ball_point(lines.zyx_um, ALONG_UM)
    best = np.full(len(lines), -np.inf)
    for height in HEIGHTS_UM:
        places = [(lines.zyx_um + offset * normal + (height, 0, 0) - origin) / voxel for offset in ACROSS_UM]
        light = np.mean([map_coordinates(image, place.T, np.float64, order=1, mode="nearest") for place in places],
                        axis=0)
        best = np.maximum(best, [light[rows].mean() for rows in near])
    pixels = max(math.pi / 4 * SPOT_UM ** 2 / (voxel[1] * voxel[2]), 1.0)
    spread = math.sqrt(float(noise.variance(np.array(noise.level))) * noise.excess / pixels)
    return np.asarray((best - noise.level) / max(spread, 1e-9))


def is_under_another(lines: LinePoints, places_um: np.ndarray) -> np.ndarray:
    """Which places another dendrite than the nearest passes in the plane, near enough along z to cover them.

    Parameters
    ----------
    lines
        Centre lines.
    places_um
        Positions, float64, shape ``(n, 3)``.

    Returns
    -------
    numpy.ndarray
        bool, shape ``(n,)``.
    """
    found = np.zeros(len(places_um), dtype=bool)
    if not len(lines):
        return found
    trees = {int(tree): cKDTree(lines.zyx_um[lines.tree == tree]) for tree in np.unique(lines.tree)}
    _, own = lines.nearest(places_um, 1.0)
    near = cKDTree(lines.zyx_um[:, 1:]).query_ball_point(places_um[:, 1:], COVER_UM)
    for row, candidates in enumerate(near):
        others = np.array(candidates, dtype=np.int64)
        tree = int(lines.tree[own[row]])
        others = others[(lines.tree[others] != tree)
                        & (np.abs(lines.zyx_um[others, 0] - places_um[row, 0]) <= COVER_Z_UM)]
        # Pieces of one dendrite that the map shows with a gap are no others.
        found[row] = len(others) > 0 and bool((trees[tree].query(lines.zyx_um[others])[0] > OTHER_UM).any())
    return found


def is_saturated(stack: xr.DataArray, places_um: np.ndarray) -> np.ndarray:
    """At which places at least half of the voxels are at the largest grey level, bool, shape ``(n,)``."""
    top, image = full_scale(stack), np.asarray(stack.values)
    found = np.zeros(len(places_um), dtype=bool)
    if not math.isfinite(top):
        return found
    voxel, shape = np.array(voxel_size_um(stack)), np.array(image.shape)
    origin = np.array([float(stack.coords[dim][0]) for dim in DIMS])
    reach = np.maximum(np.array([SATURATED_Z_UM, SATURATED_UM, SATURATED_UM]) / voxel, 0.5)
    for row, at in enumerate((places_um - origin) / voxel):
        low = np.clip(np.ceil(at - reach), 0, shape - 1).astype(int)
        high = np.clip(np.floor(at + reach), low, shape - 1).astype(int) + 1
        part = image[tuple(slice(first, last) for first, last in zip(low, high, strict=True))]
        found[row] = (part >= top).mean() >= SATURATED_SHARE
    return found
