"""Where spines begin and end: axis, base, head, tip and the way between them.

The head is the middle of the thick part of a ROI. The way from there to the dendrite's centre line is the parabola on
which, less the light of the shaft, most light lies; it may lean and bend, but upright and straight ways are preferred
where the image does not tell. The base is where it crosses the surface of the shaft, which is at half of the shaft's
light: a probability map is wider by a margin that its annotators chose. Without an image the maps take its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.ndimage import distance_transform_edt

from deepd3_ij.measurement.dendrites import Dendrites
from deepd3_ij.measurement.sampling import Volumes, trilinear
from deepd3_ij.measurement.shaft import AROUND_HEAD_UM, SHAFT_UM, STEP_UM, Profile, Shaft, Surroundings
from deepd3_ij.measurement.skeleton import CentreLine
from deepd3_ij.measurement.spines import RoiVoxels
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, voxel_size_um

TANGENT_UM = 1.0
"""Length of centre line, to both sides, from which its direction is taken."""
TIP_LEVEL = 0.5
"""The tip is where the probability has fallen to this share of the head's."""
LEAST_UPRIGHT = 0.5
"""Sine of the angle between spine and shaft that counts at least where the way through the shaft is lengthened."""
HEAD_BESIDE_UM, USUAL_HEAD_UM = 0.5, 0.27
"""A head that is farther from the line between base and tip than the first is not that line's; then it is taken to lie
the second before the tip."""
FARTHEST_TIP_UM = 2.0
"""Farthest distance from the head's middle at which the tip is looked for."""


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
    node
        Index of the point of the centre line next to it, int64, shape ``(n,)``; −1 if there is none.
    position_um
        Length along the tree of centre lines to that point, float64, shape ``(n,)``.
    shaft_radius_um
        Apparent half width of the dendrite there, float64, shape ``(n,)``.
    base_zyx_um, head_zyx_um, tip_zyx_um
        Where the spine leaves the shaft's surface, the middle of its head, its farthest end.
    paths
        The way of each from axis to tip in steps of 0.05 µm, float64, shape ``(m, 3)``; empty where there is no
        dendrite.
    profiles
        Light along these ways; empty where it is not known.
    by_user
        Whether a user placed base and tip, bool, shape ``(n,)``.
    """

    dendrite_id: np.ndarray
    axis_zyx_um: np.ndarray
    tangent_zyx: np.ndarray
    node: np.ndarray
    position_um: np.ndarray
    shaft_radius_um: np.ndarray
    base_zyx_um: np.ndarray
    head_zyx_um: np.ndarray
    tip_zyx_um: np.ndarray
    paths: Sequence[np.ndarray]
    profiles: Sequence[Profile]
    by_user: np.ndarray

    def __len__(self) -> int:
        return len(self.dendrite_id)


def find_geometry(
    voxels: RoiVoxels,
    rois: RoiSet,
    prediction: xr.Dataset,
    dendrites: Dendrites,
    dendrite_id: np.ndarray,
    stack: xr.DataArray | None = None,
    placed: Mapping[int, Placed] | None = None,
    progress: Progress = no_progress,
) -> SpineGeometry:
    """Find base, head and tip of each ROI.

    Parameters
    ----------
    voxels, rois
        The ROIs, and their voxels.
    prediction
        Probability maps of the same shape.
    dendrites
        Dendrites of the same prediction.
    dendrite_id
        Dendrite of each ROI, int64, shape ``(n,)``; 0 if none.
    stack
        Image of the same shape.
    placed
        Bases and tips that a user placed, by the ROI's id.
    progress
        Called after each ROI.

    Returns
    -------
    SpineGeometry
        One row per ROI.
    """
    voxel_um = np.array(voxel_size_um(prediction))
    origin_um = np.array([float(prediction.coords[dim][0]) for dim in DIMS])
    by_hand = {identity: _Ends(np.array(ends.base_zyx_um) - origin_um, np.array(ends.tip_zyx_um) - origin_um)
               for identity, ends in (placed or {}).items()}
    volumes = Volumes(rois.labels, prediction, stack)
    count = len(voxels.ids)
    rows = [_Row.unknown() for _ in range(count)]
    bounds = np.append(voxels.starts, len(voxels.zyx))
    order = np.argsort(voxels.zyx[voxels.starts, 0], kind="stable") if count else np.zeros(0, np.int64)
    progress(0, count, "Measuring shapes")
    for done, row in enumerate(order, start=1):
        own = voxels.zyx[bounds[row]:bounds[row + 1]]
        head = _head(own, volumes, voxel_um)
        identity = int(voxels.ids[row])
        if dendrite_id[row] > 0:
            line = dendrites.centre_lines[dendrite_id[row] - 1]
            rows[row] = _of_spine(identity, head, line, volumes, voxel_um, by_hand.get(identity))
        else:
            rows[row] = _Row.unknown(head)
        progress(done, count, "Measuring shapes")
    return SpineGeometry(
        dendrite_id=dendrite_id, paths=[row.path for row in rows],
        profiles=[row.profile for row in rows],
        node=np.array([row.node for row in rows], dtype=np.int64),
        position_um=np.array([row.position_um for row in rows], dtype=np.float64),
        shaft_radius_um=np.array([row.shaft_radius_um for row in rows], dtype=np.float64),
        by_user=np.array([int(one) in by_hand and len(row.path) > 0 for one, row in zip(voxels.ids, rows, strict=True)],
                         dtype=np.bool_),
        **{name: np.reshape([getattr(row, name) for row in rows], (-1, 3)).astype(np.float64)
           for name in ("axis_zyx_um", "tangent_zyx", "base_zyx_um", "head_zyx_um", "tip_zyx_um")})


class _Ends(NamedTuple):
    """Base and tip from a user, in µm from the first voxel."""

    base: np.ndarray
    tip: np.ndarray


class _Row(NamedTuple):
    """Geometry of one spine."""

    axis_zyx_um: np.ndarray
    tangent_zyx: np.ndarray
    node: int
    position_um: float
    shaft_radius_um: float
    base_zyx_um: np.ndarray
    head_zyx_um: np.ndarray
    tip_zyx_um: np.ndarray
    path: np.ndarray
    profile: Profile

    @classmethod
    def unknown(cls, head: np.ndarray | None = None) -> _Row:
        nowhere = np.full(3, np.nan)
        return cls(nowhere, nowhere, -1, np.nan, np.nan, nowhere, nowhere if head is None else head, nowhere,
                   np.empty((0, 3)), Profile.empty())


def _head(own: np.ndarray, volumes: Volumes, voxel_um: np.ndarray) -> np.ndarray:
    """Middle of the thick part of a ROI, in µm: its voxels weigh as the square of their distance to its surface."""
    low, high = own.min(axis=0), own.max(axis=0) + 1
    inside = np.zeros(high - low + 2, dtype=np.bool_)
    inside[tuple((own - low + 1).T)] = True
    depth = distance_transform_edt(inside, sampling=voxel_um)[tuple((own - low + 1).T)]
    probability = volumes.box("spine", low, high)[tuple((own - low).T)]
    weight = depth ** 2 * np.maximum(probability, 1e-6)
    return np.asarray(weight @ own / weight.sum() * voxel_um)


def _of_spine(
    identity: int, head: np.ndarray, line: CentreLine, volumes: Volumes, voxel_um: np.ndarray, placed: _Ends | None
) -> _Row:
    node = int(line.tree.query(head if placed is None else placed.base)[1])
    foot = line.zyx_um[node]
    tangent = tangent_at(line, node)
    nodes = line.near(node, SHAFT_UM)
    along, across = _frame(tangent, (head - foot)[1:])
    surroundings = Surroundings.of(identity, head, foot, line.zyx_um[nodes], across, volumes, voxel_um)
    shaft = surroundings.shaft()
    radius_um = shaft.half_width_um if np.isfinite(shaft.half_width_um) else float(line.radius_um[node])
    if placed is not None:
        return _from_ends(head, placed, foot, tangent, radius_um, line, node, surroundings, shaft)
    lean, bend_um = surroundings.way(shaft, radius_um, foot[1:], along, head[1:])
    away = (head - foot)[1:]
    along_um = float(away @ along - lean * (away @ across - shaft.middle_um))
    axis = _moved_along(line, nodes, node, along_um) + np.concatenate([[0.0], shaft.middle_um * across])
    away3 = _without_doubtful_depth(head - axis, voxel_um)
    distance_um = float(np.linalg.norm(away3))
    if not distance_um > 0:
        return _Row.unknown(head)
    direction = away3 / distance_um
    upright = float(np.sqrt(max(1.0 - (direction @ tangent) ** 2, LEAST_UPRIGHT ** 2)))
    base = axis + direction * radius_um / upright
    outward = _without_doubtful_depth(head - base, voxel_um)
    outward = direction if not outward @ direction > 0 else outward / np.linalg.norm(outward)
    tip = head + outward * _seen_radius(head, outward, volumes, voxel_um)
    position_um = float(line.position_um[node] + (axis - foot) @ tangent)
    if (tip - base) @ direction <= 0:  # all of it lies inside the shaft
        unknown = _Row.unknown(head)
        return unknown._replace(axis_zyx_um=axis, tangent_zyx=tangent, node=node, position_um=position_um,
                                shaft_radius_um=radius_um)
    way = _way(axis, base, head, tip, np.concatenate([[0.0], bend_um * along]))
    profile = surroundings.profile(shaft, way, float(np.linalg.norm(base - axis)), foot[1:])
    return _Row(axis, tangent, node, position_um, radius_um, base, head, tip, way, profile)


def _from_ends(
    head: np.ndarray, placed: _Ends, foot: np.ndarray, tangent: np.ndarray, radius_um: float, line: CentreLine,
    node: int, surroundings: Surroundings, shaft: Shaft,
) -> _Row:
    """Geometry of a spine whose base and tip a user placed; the head stays where it is if it lies between them."""
    straight = placed.tip - placed.base
    length_um = float(np.linalg.norm(straight))
    if not length_um > 0:
        return _Row.unknown(head)
    along_um = float((head - placed.base) @ straight / length_um)
    beside_um = float(np.linalg.norm(placed.base + along_um / length_um * straight - head))
    if not 0 < along_um < length_um or beside_um > HEAD_BESIDE_UM:
        head = placed.tip - straight / length_um * min(USUAL_HEAD_UM, length_um / 2)
    way = _way(foot, placed.base, head, placed.tip, np.zeros(3))
    profile = surroundings.profile(shaft, way, float(np.linalg.norm(placed.base - foot)), foot[1:])
    position_um = float(line.position_um[node])
    return _Row(foot, tangent, node, position_um, radius_um, placed.base, head, placed.tip, way, profile)


def _frame(tangent: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in the plane along the shaft, and across it to the side of the spine."""
    flat = float(np.hypot(tangent[1], tangent[2]))
    if flat > 0:
        along = tangent[1:] / flat
    else:
        length = float(np.hypot(*away))
        along = np.array([-away[1], away[0]]) / length if length > 0 else np.array([0.0, 1.0])
    across = np.array([along[1], -along[0]])
    return along, -across if across @ away < 0 else across


def _without_doubtful_depth(vector: np.ndarray, voxel_um: np.ndarray) -> np.ndarray:
    """A vector without its part along z if that is less than a plane."""
    return vector if abs(vector[0]) >= voxel_um[0] else vector * (0.0, 1.0, 1.0)


def _way(axis: np.ndarray, base: np.ndarray, head: np.ndarray, tip: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """Points from axis to tip; between base and head a parabola that leaves the straight line by `bend`."""
    if not np.isfinite(base).all():
        return np.empty((0, 3))
    share = np.linspace(0.0, 1.0, max(int(np.ceil(np.linalg.norm(head - base) / STEP_UM)), 1) + 1)[:, None]
    neck = base + share * (head - base) + 4 * share * (1 - share) * bend
    return np.concatenate([_steps(axis, base), neck[:-1], _steps(head, tip), tip[None]])


def _steps(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points on a straight line without its end."""
    count = max(int(np.ceil(np.linalg.norm(end - begin) / STEP_UM)), 1)
    return np.asarray(begin + np.arange(count)[:, None] / count * (end - begin))


def tangent_at(line: CentreLine, node: int) -> np.ndarray:
    """Direction of a centre line around one of its points, of length 1; zeros for a line that is a point."""
    nodes = line.near(node, TANGENT_UM)
    position = line.position_um[nodes] - line.position_um[nodes].mean()
    slope = position @ line.zyx_um[nodes]
    length = np.linalg.norm(slope)
    return np.asarray(slope / length if length > 0 else np.zeros(3))


def _moved_along(line: CentreLine, nodes: np.ndarray, node: int, along_um: float) -> np.ndarray:
    """Point of the centre line at a distance along it from one of its points; straight on beyond `nodes`."""
    position = line.position_um[nodes] - line.position_um[node]
    order = np.argsort(position)
    points = line.zyx_um[nodes][order]
    place = np.array([np.interp(along_um, position[order], column) for column in points.T])
    return np.asarray(place + tangent_at(line, node) * (along_um - np.clip(along_um, position.min(), position.max())))


def _seen_radius(head: np.ndarray, direction: np.ndarray, volumes: Volumes, voxel_um: np.ndarray) -> float:
    """Distance from the head's middle to where the probability falls to half of the head's."""
    distance = np.arange(0.0, FARTHEST_TIP_UM + STEP_UM / 2, STEP_UM)
    points = (head + distance[:, None] * direction) / voxel_um
    low = np.floor(points.min(axis=0)).astype(np.int64)
    high = np.ceil(points.max(axis=0)).astype(np.int64) + 1
    shape = np.array(volumes.rois.shape)
    low, high = np.clip(low, 0, shape - 1), np.clip(high, 1, shape)
    profile = trilinear(volumes.box("spine", low, high), points - low)
    limit = TIP_LEVEL * profile[distance <= AROUND_HEAD_UM].max()
    peak = int(np.argmax(profile[distance <= AROUND_HEAD_UM]))
    below = np.flatnonzero(profile[peak:] < limit)
    if not len(below) or limit <= 0:
        return float(distance[-1]) if limit > 0 else 0.0
    after = peak + int(below[0])
    if after == 0:
        return 0.0
    share = (profile[after - 1] - limit) / (profile[after - 1] - profile[after])
    return float(distance[after - 1] + share * STEP_UM)
