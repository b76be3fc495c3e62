"""Head and neck of a spine, told apart by the light along it.

The neck ends where the head begins: half way between the place at which the light has risen to half of the head's, and
the place that is as far before the middle of the head as the tip is behind it. Its width is never given: necks are
thinner than light can resolve.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deepd3_ij.measurement.columns import SPLITS
from deepd3_ij.measurement.shaft import AROUND_HEAD_UM, Profile

LEAST_DIP = 0.15
"""The light between base and head has to fall by this share of the head's, and by two standard deviations of noise."""
HALF = 0.5
SHORTEST_NECK_UM = 0.05
MODEL_ERROR_UM = 0.25
"""Standard deviation of neck lengths without noise, measured on simulated spines: heads are no balls, and light tells
base and lean of a spine no better."""


class Neck(NamedTuple):
    """Neck of one spine; NaN where head and neck cannot be told apart."""

    split: str
    length_um: float
    length_se_um: float
    contrast: float
    gap_um: float


def neck_of(profile: Profile, head_um: float, beyond_um: float) -> Neck:
    """Find where head and neck meet.

    Parameters
    ----------
    profile
        Light along the spine.
    head_um
        Length of the way from the base to the middle of the head.
    beyond_um
        Distance from there to the tip.

    Returns
    -------
    Neck
        Its ``split`` is one of ``SPLITS``.
    """
    at_minimum, half_rise, none = SPLITS
    between = (profile.distance_um >= 0) & (profile.distance_um <= head_um) & np.isfinite(profile.light)
    near_head = (np.abs(profile.distance_um - head_um) <= AROUND_HEAD_UM) & np.isfinite(profile.light)
    if between.sum() < 3 or not near_head.any():
        return Neck(none, np.nan, np.nan, np.nan, np.nan)
    gap_um = _unseen_um(profile, between)
    head_light = float(profile.own_light[near_head].mean())
    for split, light, share in ((at_minimum, profile.light, 1 - LEAST_DIP), (half_rise, profile.own_light, HALF)):
        bright, dim = float(light[near_head].max()), float(light[between].min())
        noise = np.hypot(profile.noise(bright), profile.noise(dim))
        if bright <= 0 or head_light <= 0 or dim > share * bright or bright - dim < 2 * noise:
            continue
        own_dim = float(profile.own_light[between].min())
        level = own_dim + HALF * (head_light - own_dim)
        rise_um, slope = _rise(profile.distance_um[between], profile.own_light[between], level)
        length_um = (rise_um + head_um - beyond_um) / 2
        if length_um >= SHORTEST_NECK_UM and slope > 0:
            error_um = float(np.hypot(MODEL_ERROR_UM, profile.noise(level) / slope / 2))
            # Far below 0, the shaft's light beside the spine is not known well enough to take it off.
            contrast = dim / bright if dim >= -2 * noise else np.nan
            return Neck(split, length_um, error_um, contrast, gap_um)
    return Neck(none, np.nan, np.nan, np.nan, gap_um)


def _rise(distance: np.ndarray, light: np.ndarray, level: float) -> tuple[float, float]:
    """Where the light last rises through a level on the way to the head, and how steeply; NaN if it does not."""
    below = np.flatnonzero(light < level)
    if not len(below) or below[-1] == len(light) - 1:
        return np.nan, np.nan
    before = int(below[-1])
    slope = (light[before + 1] - light[before]) / (distance[before + 1] - distance[before])
    wide = slice(max(before - 1, 0), min(before + 3, len(light)))
    away = distance[wide] - distance[wide].mean()
    steady = float(away @ light[wide] / (away @ away))
    return float(distance[before] + (level - light[before]) / slope), steady


def _unseen_um(profile: Profile, between: np.ndarray) -> float:
    """Length of the way between base and head whose own light is lost in the noise."""
    dim = np.array([light < 2 * profile.noise(light) for light in profile.own_light[between]])
    return float((np.diff(profile.distance_um[between]) * dim[1:]).sum())
