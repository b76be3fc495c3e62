"""Thickness of dendrites from their light, and how they branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import theilslopes

from deepd3_ij.measurement.optics import FWHM_PER_SIGMA
from deepd3_ij.measurement.skeleton import CentreLine
from deepd3_ij.measurement.straightened import Imaging, StraightBranch, gaussian_width, tube_radius_um
from deepd3_ij.parameters import MeasureParameters

SPACING_UM = 0.5
AVERAGED_UM = 1.0
LEAST_RESOLVED = 0.5
"""A mean of diameters needs this share of its places to be wider than the blur."""
ROOT_UM = 3.0


@dataclass(frozen=True, eq=False)
class DiameterProfile:
    """Diameters of a branch every 0.5 µm.

    Attributes
    ----------
    position_um
        Lengths along the tree, float64, shape ``(n,)``.
    diameter_um
        Diameters, same shape; NaN where the branch is not wider than the blur.
    """

    position_um: np.ndarray
    diameter_um: np.ndarray


def diameter_profiles(
    branches: Sequence[StraightBranch], parameters: MeasureParameters, imaging: Imaging
) -> list[DiameterProfile]:
    """Diameters along the branches of a dendrite, across it in the plane (light blurs too much along z).

    Parameters
    ----------
    branches
        The dendrite's; places of ROIs are left out.
    parameters
        ``psf_xy_um``. Without it, diameters are full widths at half maximum, blur included.
    imaging
        How the stack was taken.

    Returns
    -------
    list of DiameterProfile
        One per branch.
    """
    return [_profile(branch, parameters.psf_xy_um, imaging) for branch in branches]


def _profile(branch: StraightBranch, psf_xy_um: float | None, imaging: Imaging) -> DiameterProfile:
    along = branch.position_um
    places = np.arange(along[0], along[-1] + SPACING_UM / 2, SPACING_UM)
    light = branch.own_light
    diameters = np.full(len(places), np.nan)
    for row, place in enumerate(places):
        near = np.abs(along - place) <= AVERAGED_UM / 2
        known = np.isfinite(light[near])
        with np.errstate(invalid="ignore"):
            column = np.where(known.any(axis=0), np.nansum(light[near], axis=0), np.nan) / known.sum(axis=0)
        sigma = gaussian_width(branch.across_um, column)[0]
        if psf_xy_um is None:
            diameters[row] = sigma * FWHM_PER_SIGMA
            continue
        tangent = branch.tangent_zyx[near, 1:].mean(axis=0)
        diameters[row] = 2 * tube_radius_um(float(sigma), imaging.blur_across_um(psf_xy_um, tangent))
    return DiameterProfile(places, diameters)


def thickness(profiles: list[DiameterProfile]) -> Mapping[str, float]:
    """Describe a dendrite by its diameters.

    Parameters
    ----------
    profiles
        Of its branches, the longest path first.

    Returns
    -------
    mapping
        ``mean_diameter_um``; ``taper_um_per_um``: change of the diameter per µm along the longest path, the median of
        the slopes between all pairs (Theil–Sen); ``surface_um2`` and ``tube_volume_um3`` of a chain of frusta. NaN
        where fewer than half of the places are wider than the blur.
    """
    names = ("mean_diameter_um", "taper_um_per_um", "surface_um2", "tube_volume_um3")
    diameters = np.concatenate([profile.diameter_um for profile in profiles]) if profiles else np.empty(0)
    if not len(diameters) or np.isfinite(diameters).mean() < LEAST_RESOLVED:
        return dict.fromkeys(names, np.nan)
    longest = profiles[0]
    known = np.isfinite(longest.diameter_um)
    slope = theilslopes(longest.diameter_um[known], longest.position_um[known])[0] if known.sum() > 2 else np.nan
    surface, volume = np.sum([frusta(profile) for profile in profiles], axis=0)
    return dict(zip(names, (float(np.nanmean(diameters)), float(slope), float(surface), float(volume)), strict=True))


def frusta(profile: DiameterProfile) -> tuple[float, float]:
    """Surface of the sides (µm²) and volume (µm³) of a chain of frusta; unknown diameters are interpolated."""
    known = np.isfinite(profile.diameter_um)
    if not known.any():
        return 0.0, 0.0
    radius = np.interp(profile.position_um, profile.position_um[known], profile.diameter_um[known]) / 2
    one, other, height = radius[:-1], radius[1:], np.diff(profile.position_um)
    surface = np.pi * (one + other) * np.hypot(height, one - other)
    volume = np.pi / 3 * height * (one ** 2 + one * other + other ** 2)
    return float(surface.sum()), float(volume.sum())


def branch_orders(line: CentreLine) -> np.ndarray:
    """Centrifugal order of each point of a centre line, int64.

    It is 1 from the thicker end of the longest path on, and one more behind every place where the dendrite branches.
    """
    parents = line.parents
    starts = line.branch_starts
    last = int(np.append(starts[1:], len(parents))[0]) - 1
    away = np.abs(line.position_um[:last + 1, None] - line.position_um[[0, last]])
    ends = [line.radius_um[:last + 1][away[:, end] <= ROOT_UM].mean() for end in (0, 1)]
    root = 0 if ends[0] >= ends[1] else last
    neighbours: list[list[int]] = [[] for _ in parents]
    for child, parent in enumerate(parents):
        if parent >= 0:
            neighbours[child].append(int(parent))
            neighbours[int(parent)].append(child)
    orders = np.zeros(len(parents), dtype=np.int64)
    orders[root] = 1
    waiting = [root]
    while waiting:
        here = waiting.pop()
        onwards = [other for other in neighbours[here] if not orders[other]]
        for other in onwards:
            orders[other] = orders[here] + (len(onwards) > 1)
            waiting.append(other)
    return orders
