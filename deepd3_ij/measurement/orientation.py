"""How a spine stands on its dendrite: angle, azimuth, side.

All vectors are z, y, x in µm. Planes are counted upwards, so that "above" is the side of later planes, and left and
right are those of a picture whose rows run downwards, seen along the dendrite.
"""

from __future__ import annotations

import numpy as np

from deepd3_ij.measurement.columns import SIDES

WIDTH_OF_SIDE_DEG = 45.0
_UPRIGHT = 1e-9


def angle_deg(directions: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """Angle between spines and dendrite, without regard to the dendrite's direction.

    Parameters
    ----------
    directions, tangents
        Vectors z, y, x, float64, shape ``(n, 3)``, of any length.

    Returns
    -------
    numpy.ndarray
        Degrees from 0 to 90, float64, shape ``(n,)``; NaN for vectors without length.
    """
    along = np.abs((directions * tangents).sum(axis=1))
    across = np.linalg.norm(np.cross(directions, tangents), axis=1)
    with np.errstate(invalid="ignore"):
        return np.where((along > 0) | (across > 0), np.degrees(np.arctan2(across, along)), np.nan)


def azimuth_deg(directions: np.ndarray, tangents: np.ndarray) -> np.ndarray:
    """Direction of spines around the dendrite.

    Parameters
    ----------
    directions, tangents
        Vectors z, y, x, float64, shape ``(n, 3)``, of any length.

    Returns
    -------
    numpy.ndarray
        Degrees from −180 to 180, float64, shape ``(n,)``: 0 points to later planes, 90 to the left and −90 to the
        right along the dendrite, ±180 to earlier planes; a right-handed turn around the tangent in the axes x, y, z.
        NaN where the dendrite runs along z or the spine along the dendrite.
    """
    left = np.stack([np.zeros(len(tangents)), -tangents[:, 2], tangents[:, 1]], axis=1)
    flat = np.linalg.norm(left, axis=1)
    length = np.linalg.norm(tangents, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = tangents / length[:, None]
        left = left / flat[:, None]
        up = -unit * unit[:, :1]
        up[:, 0] += 1.0
        up = up / np.linalg.norm(up, axis=1)[:, None]
        to_left, upwards = (directions * left).sum(axis=1), (directions * up).sum(axis=1)
        known = (flat > _UPRIGHT * length) & (np.hypot(to_left, upwards) > 0)
        return np.where(known, np.degrees(np.arctan2(to_left, upwards)), np.nan)


def side_of(azimuth: np.ndarray) -> np.ndarray:
    """Side on which spines lie.

    Parameters
    ----------
    azimuth
        Degrees as :func:`azimuth_deg` gives them, float64, shape ``(n,)``.

    Returns
    -------
    numpy.ndarray
        One of ``SIDES`` each (within 45° of its middle), object, shape ``(n,)``; empty for NaN.
    """
    left, right, above, below = SIDES
    names = np.full(len(azimuth), "", dtype=object)
    names[np.abs(azimuth) <= WIDTH_OF_SIDE_DEG] = above
    names[np.abs(azimuth) >= 180 - WIDTH_OF_SIDE_DEG] = below
    names[(azimuth > WIDTH_OF_SIDE_DEG) & (azimuth < 180 - WIDTH_OF_SIDE_DEG)] = left
    names[(azimuth < -WIDTH_OF_SIDE_DEG) & (azimuth > WIDTH_OF_SIDE_DEG - 180)] = right
    return names
