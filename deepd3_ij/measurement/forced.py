"""Light of heads at places where none was detected: forced photometry.

What :mod:`light` measures at the heads of ROIs, measured at places that are told. A place without a spine gives a light
of 0 within its error, and that error says how large a spine could have been overlooked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.spatial import cKDTree

from deepd3_ij.measurement.dendrites import Dendrites, find_dendrites
from deepd3_ij.measurement.geometry import SpineGeometry, tangent_at
from deepd3_ij.measurement.light import spot_light
from deepd3_ij.measurement.straightened import Imaging, straight_branches
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.stack import DIMS

FARTHEST_LINE_UM = 6.0


@dataclass(frozen=True, eq=False)
class PlaceLight:
    """Light at places.

    Attributes
    ----------
    relative, error
        Light of a head there and its standard error, in µm of shaft that hold as much light (``volume_relative`` of
        the spine table), float64, shape ``(n,)``; NaN where it cannot be measured: no dendrite, no shaft beside it, or
        the dendrite itself lies there.
    """

    relative: np.ndarray
    error: np.ndarray


def light_at(stack: xr.DataArray, prediction: xr.Dataset, rois: xr.DataArray | None, places_um: np.ndarray,
             heads_um: np.ndarray, parameters: MeasureParameters) -> PlaceLight:
    """Measure the light at places of a stack.

    Parameters
    ----------
    stack, prediction
        Image and probability maps of the same shape.
    rois
        Label volume of the ROIs that were found; they are no shaft.
    places_um
        Where a head may be, z, y, x on the stack's coordinates, float64, shape ``(n, 3)``.
    heads_um
        Heads that are known; their light beside a place is not taken for the place's, float64, shape ``(m, 3)``.
    parameters
        With which the spines themselves were measured, so that their light and that of the places can be compared.

    Returns
    -------
    PlaceLight
    """
    unknown = PlaceLight(*np.full((2, len(places_um)), np.nan))
    if not len(places_um):
        return unknown
    dendrites = find_dendrites(prediction["dendrite"], parameters)
    if not len(dendrites):
        return unknown
    imaging = Imaging.of(stack, parameters)
    branches = [straight_branches(line, stack, rois, imaging) for line in dendrites.centre_lines]
    origin = np.array([float(prediction.coords[dim][0]) for dim in DIMS])
    geometry = shortest_ways(dendrites, np.concatenate([places_um, heads_um]) - origin)
    value, error = spot_light(stack, dendrites, branches, geometry, parameters, imaging)
    return PlaceLight(value[:len(places_um)], error[:len(places_um)])


def shortest_ways(dendrites: Dendrites, heads: np.ndarray) -> SpineGeometry:
    """The shortest way from the nearest dendrite to each place."""
    lines = dendrites.centre_lines
    points = np.concatenate([line.zyx_um for line in lines])
    owner = np.repeat(np.arange(len(lines)) + 1, [len(line.zyx_um) for line in lines])
    radius = np.concatenate([line.radius_um for line in lines])
    first = np.cumsum([0, *(len(line.zyx_um) for line in lines)])
    # A centre line may lie a plane or two beside the light of its dendrite.
    distance, row = cKDTree(points * (1 / 3, 1, 1)).query(heads * (1 / 3, 1, 1))
    near = distance <= FARTHEST_LINE_UM
    axis = points[row]
    tangent = np.array([tangent_at(lines[own - 1], int(node)) for own, node
                        in zip(owner[row], row - first[owner[row] - 1], strict=True)])
    away = heads - axis
    length = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
    base = axis + away * np.minimum(radius[row] / length, 1.0)[:, None]
    nothing = np.full(len(heads), np.nan)
    return SpineGeometry(
        dendrite_id=np.where(near, owner[row], 0), axis_zyx_um=axis, tangent_zyx=tangent,
        node=np.full(len(heads), -1), position_um=nothing, shaft_radius_um=radius[row], base_zyx_um=base,
        head_zyx_um=heads, tip_zyx_um=heads, paths=(), profiles=(), by_user=np.zeros(len(heads), dtype=bool))
