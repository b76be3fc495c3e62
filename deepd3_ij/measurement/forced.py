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
from deepd3_ij.measurement.geometry import SpineGeometry
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
             heads_um: np.ndarray, parameters: MeasureParameters | None = None) -> PlaceLight:
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
        As of :func:`deepd3_ij.measure`.

    Returns
    -------
    PlaceLight
    """
    chosen = parameters or MeasureParameters()
    dendrites = find_dendrites(prediction["dendrite"], chosen)
    unknown = np.full(len(places_um), np.nan)
    if not len(dendrites) or not len(places_um):
        return PlaceLight(unknown, unknown.copy())
    imaging = Imaging.of(stack, chosen)
    branches = [straight_branches(line, stack, rois, imaging) for line in dendrites.centre_lines]
    origin = np.array([float(prediction.coords[dim][0]) for dim in DIMS])
    geometry = _places_on(dendrites, np.concatenate([places_um, heads_um]) - origin)
    value, error = spot_light(stack, dendrites, branches, geometry, chosen, imaging)
    return PlaceLight(value[:len(places_um)], error[:len(places_um)])


def _places_on(dendrites: Dendrites, heads: np.ndarray) -> SpineGeometry:
    """The shortest way from the nearest dendrite to each place."""
    lines = dendrites.centre_lines
    points = np.concatenate([line.zyx_um for line in lines])
    owner = np.repeat(np.arange(len(lines)) + 1, [len(line.zyx_um) for line in lines])
    radius = np.concatenate([line.radius_um for line in lines])
    tangent = np.concatenate([_tangents(line.zyx_um) for line in lines])
    # A centre line may lie a plane or two beside the light of its dendrite.
    distance, row = cKDTree(points * (1 / 3, 1, 1)).query(heads * (1 / 3, 1, 1))
    near = distance <= FARTHEST_LINE_UM
    axis = points[row]
    away = heads - axis
    length = np.maximum(np.linalg.norm(away, axis=1), 1e-9)
    base = axis + away * np.minimum(radius[row] / length, 1.0)[:, None]
    nothing = np.full(len(heads), np.nan)
    return SpineGeometry(
        dendrite_id=np.where(near, owner[row], 0), axis_zyx_um=axis, tangent_zyx=tangent[row],
        node=np.full(len(heads), -1), position_um=nothing, shaft_radius_um=radius[row], base_zyx_um=base,
        head_zyx_um=heads, tip_zyx_um=heads, paths=(), profiles=(), by_user=np.zeros(len(heads), dtype=bool))


def _tangents(points: np.ndarray) -> np.ndarray:
    if len(points) < 2:
        return np.zeros((len(points), 3))
    steps = np.gradient(points, axis=0)
    return np.asarray(steps / np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-9))
