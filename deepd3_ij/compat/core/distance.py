"""The guide's ``deepd3.core.distance``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from deepd3_ij.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd


def _computeDistance(p1: ArrayLike, p2: ArrayLike, dxy: float = 0.1, dz: float = 0.5) -> float:
    """Distance of two points (z, y, x) in voxels, in the unit of the pitch."""
    return float(_distanceMatrix(np.atleast_2d(p1), np.atleast_2d(p2), dxy, dz)[0, 0])


def _countOccurences(arr: Iterable[int]) -> dict[int, int]:
    """Count how often each value occurs.

    Parameters
    ----------
    arr
        Whole numbers.

    Returns
    -------
    dict
        Value to count.
    """
    values, counts = np.unique(np.asarray(list(arr)), return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


_countOccurrences = _countOccurences  # so in the guide's index


def _distanceMatrix(pt1: ArrayLike, pt2: ArrayLike, dxy: float = 0.1, dz: float = 0.5) -> np.ndarray:
    """Distances between points in 3-D.

    Parameters
    ----------
    pt1, pt2
        Points ``(n, 3)`` and ``(m, 3)``, columns z, y, x in voxels.
    dxy, dz
        Size of a pixel and distance between planes.

    Returns
    -------
    numpy.ndarray
        float64 ``(n, m)`` in the unit of the pitch.
    """
    first, second = (_points(points, (3,)) for points in (pt1, pt2))
    return np.asarray(cdist(first * (dz, dxy, dxy), second * (dz, dxy, dxy)))


def distanceMatrix(pt1: ArrayLike, pt2: ArrayLike, dxy: float = 0.1, dz: float = 0.5) -> np.ndarray:
    """Distances between points in 2-D (columns y, x) or 3-D (columns z, y, x).

    Both must be of the same kind. (The original puts points without z into plane 1.)

    Parameters
    ----------
    pt1, pt2, dxy, dz
        As in :func:`_distanceMatrix`.

    Returns
    -------
    numpy.ndarray
        float64 ``(n, m)``.
    """
    first, second = (_points(points, (2, 3)) for points in (pt1, pt2))
    if len(first) and len(second) and first.shape[1] != second.shape[1]:
        raise ParameterError(f"pt1 has {first.shape[1]} columns and pt2 {second.shape[1]}; accepted: both 2 (y, x) or "
                             "both 3 (z, y, x).")
    return _distanceMatrix(_with_plane(first), _with_plane(second), dxy, dz)


def findMatches(
    pt1: ArrayLike, pt2: ArrayLike, dxy: float = 0.1, dz: float = 0.5, threshold_distance: float = 1.2
) -> tuple[list[tuple[np.ndarray, np.ndarray]], list[np.ndarray], list[int]]:
    """Match every point with its nearest one, if that is close enough; of several, the closest gets it.

    A point that loses its nearest one gets no other. The guide does not list this function; the matching with the most
    pairs is :func:`deepd3_ij.measurement.evaluation.match_points`.

    Parameters
    ----------
    pt1, pt2, dxy, dz
        As in :func:`distanceMatrix`.
    threshold_distance
        Matched points are nearer than this, in the unit of the pitch.

    Returns
    -------
    matched : list
        Pairs of points.
    unmatched : list
        Points of `pt1` without a partner.
    used : list of int
        Rows of the partners in `pt2`.
    """
    first, second = np.asarray(pt1, dtype=np.float64), np.asarray(pt2, dtype=np.float64)
    if len(first) == 0 or len(second) == 0:
        return [], list(first), []
    distances = distanceMatrix(first, second, dxy, dz)
    nearest, smallest = distances.argmin(axis=1), distances.min(axis=1)
    winners: dict[int, int] = {}
    for row in np.argsort(smallest, kind="stable").tolist():
        if smallest[row] < threshold_distance:
            winners.setdefault(int(nearest[row]), row)
    partner = {row: other for other, row in sorted(winners.items(), key=lambda item: item[1])}
    matched = [(first[row], second[other]) for row, other in partner.items()]
    return matched, [point for row, point in enumerate(first) if row not in partner], list(partner.values())


def createMatchMap(matched: Iterable[tuple[ArrayLike, ArrayLike]], safety: float = 1.2) -> pd.DataFrame:
    """Table of matched points, their midpoint and a radius around it.

    Parameters
    ----------
    matched
        Pairs of points (z, y, x), or (y, x) in plane 0.
    safety
        Factor of the radius.

    Returns
    -------
    pandas.DataFrame
        Columns Z1, Z2, Y1, Y2, X1, X2, CZ, CY, CX, R (in-plane distance × `safety`, px).
    """
    import pandas as pd

    pairs = np.array([[_with_plane(_points(np.atleast_2d(point), (2, 3)))[0] for point in pair] for pair in matched])
    first, second = pairs.reshape(-1, 2, 3).transpose(1, 0, 2)
    table = {f"{axis}{number}": points[:, column] for column, axis in enumerate("ZYX")
             for number, points in ((1, first), (2, second))}
    table |= {f"C{axis}": ((first + second) / 2)[:, column] for column, axis in enumerate("ZYX")}
    return pd.DataFrame({**table, "R": safety * np.hypot(*(first - second)[:, 1:].T)})


def _points(points: ArrayLike, columns: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, 3))
    if array.ndim != 2 or array.shape[1] not in columns:
        raise ParameterError(f"The points have shape {array.shape}; accepted: (n, {' or '.join(map(str, columns))}).")
    return array


def _with_plane(points: np.ndarray) -> np.ndarray:
    return np.insert(points, 0, 0, axis=1) if points.shape[1] == 2 else points
