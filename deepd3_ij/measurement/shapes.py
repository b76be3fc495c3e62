"""The shapes of spines: what :mod:`geometry`, :mod:`necks` and :mod:`neighbours` find, as columns of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy.spatial import cKDTree

from deepd3_ij.measurement.classes import classes_of
from deepd3_ij.measurement.columns import QUALITIES, SHAPE_COLUMNS, SIDES, SOURCES, SPLITS
from deepd3_ij.measurement.dendrite_shape import diameter_profiles, thickness
from deepd3_ij.measurement.dendrites import Dendrites
from deepd3_ij.measurement.geometry import Placed, SpineGeometry, find_geometry
from deepd3_ij.measurement.light import head_light
from deepd3_ij.measurement.necks import Neck, neck_of
from deepd3_ij.measurement.neighbours import gaps_between
from deepd3_ij.measurement.orientation import angle_deg, azimuth_deg, side_of
from deepd3_ij.measurement.spacing import Tree, places_on, spacing
from deepd3_ij.measurement.spines import RoiVoxels
from deepd3_ij.measurement.straightened import Imaging, StraightBranch
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, voxel_size_um

BORDER_UM = 0.3
"""A head nearer to the border of the image than this touches it."""
NEIGHBOUR_UM = 0.6
"""Heads nearer to each other than this overlap."""


def shape_columns(
    voxels: RoiVoxels,
    rois: RoiSet,
    prediction: xr.Dataset,
    dendrites: Dendrites,
    dendrite_id: np.ndarray,
    parameters: MeasureParameters,
    stack: xr.DataArray | None = None,
    imaging: Imaging | None = None,
    branches: Sequence[Sequence[StraightBranch]] = (),
    placed: Mapping[int, Placed] | None = None,
    progress: Progress = no_progress,
) -> dict[str, np.ndarray]:
    """Measure the shapes of spines.

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
    parameters
        ``psf_xy_um``, ``psf_z_um`` and ``spine_classes``.
    stack
        Image of the same shape; without it there is geometry only.
    imaging, branches
        How the image was taken, and the branches of each dendrite in it.
    placed
        Bases and tips that a user placed, by the ROI's id.
    progress
        Called after each ROI.

    Returns
    -------
    dict of numpy.ndarray
        Columns of ``SHAPE_COLUMNS``, and ``CLASS_COLUMNS`` if they are asked for, shape ``(n,)`` each.
    """
    voxel_um = np.array(voxel_size_um(prediction))
    origin_um = np.array([float(prediction.coords[dim][0]) for dim in DIMS])
    geometry = find_geometry(voxels, rois, prediction, dendrites, dendrite_id, stack, placed, progress)
    count = len(geometry)
    columns: dict[str, np.ndarray] = {
        name: np.full(count, "", dtype=object) if column.kind == "object" else np.full(count, np.nan)
        for name, column in SHAPE_COLUMNS.items()}
    for part, points in (("base", geometry.base_zyx_um), ("tip", geometry.tip_zyx_um), ("head", geometry.head_zyx_um)):
        columns |= {f"{part}_{dim}_um": points[:, axis] + origin_um[axis] for axis, dim in enumerate(DIMS)}
    straight = geometry.tip_zyx_um - geometry.base_zyx_um
    columns["length_um"] = np.linalg.norm(straight, axis=1)
    columns["length_xy_um"] = np.hypot(straight[:, 1], straight[:, 2])
    columns["path_length_um"] = np.array([_length_um(way, base) for way, base in
                                          zip(geometry.paths, geometry.base_zyx_um, strict=True)], dtype=np.float64)
    stands = geometry.head_zyx_um - geometry.base_zyx_um
    stands = np.where((stands * straight).sum(axis=1, keepdims=True) > 0, stands, straight)
    columns["angle_deg"] = angle_deg(stands, geometry.tangent_zyx)
    # From the axis, since the way from the base is short where a head sits on the shaft.
    columns["azimuth_deg"] = azimuth_deg(geometry.head_zyx_um - geometry.axis_zyx_um, geometry.tangent_zyx)
    columns["side"] = side_of(columns["azimuth_deg"])
    necks = necks_along(geometry, stack is not None)
    columns |= {"neck_length_um": np.array([neck.length_um for neck in necks], dtype=np.float64),
                "neck_length_se_um": np.array([neck.length_se_um for neck in necks], dtype=np.float64),
                "neck_contrast": np.array([neck.contrast for neck in necks], dtype=np.float64),
                "neck_gap_um": np.array([neck.gap_um for neck in necks], dtype=np.float64),
                "head_neck_split": np.array([neck.split for neck in necks], dtype=object)}
    reasons: Mapping[str, np.ndarray] = {}
    if stack is not None and imaging is not None:
        light = head_light(stack, dendrites, branches, geometry, parameters, imaging)
        columns |= light.columns
        reasons = light.reasons
    gaps = gaps_between(geometry, dendrites)
    columns |= {"previous_gap_um": gaps.previous_um, "next_gap_um": gaps.next_um, "nearest_spine_um": gaps.nearest_um}
    measured, by_user = SOURCES
    columns["geometry_source"] = np.where(geometry.by_user, by_user, measured).astype(object)
    columns["quality"] = _qualities(geometry, columns, voxel_um, voxels.shape, stack is not None, reasons)
    return columns | classes_of(columns) if parameters.spine_classes else columns


def _length_um(way: np.ndarray, base: np.ndarray) -> float:
    """Length of a way from axis to tip, from the base on."""
    if not len(way):
        return np.nan
    first = int(np.argmin(np.linalg.norm(way - base, axis=1)))
    return float(np.linalg.norm(np.diff(way[first:], axis=0), axis=1).sum())


def necks_along(geometry: SpineGeometry, with_image: bool) -> list[Neck]:
    """Head and neck of each spine, told apart by its profile; unknown without an image."""
    unknown = Neck("", np.nan, np.nan, np.nan, np.nan)
    if not with_image:
        return [unknown] * len(geometry)
    head_um = np.linalg.norm(geometry.head_zyx_um - geometry.base_zyx_um, axis=1)
    beyond_um = np.linalg.norm(geometry.tip_zyx_um - geometry.head_zyx_um, axis=1)
    return [neck_of(profile, float(head), float(beyond)) if len(profile.light) else unknown
            for profile, head, beyond in zip(geometry.profiles, head_um, beyond_um, strict=True)]


def _qualities(
    geometry: SpineGeometry, columns: Mapping[str, np.ndarray], voxel_um: np.ndarray, shape: tuple[int, ...],
    with_image: bool, from_light: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Reasons for missing or doubtful values."""
    count = len(geometry)
    head = geometry.head_zyx_um
    border = np.minimum(head, (np.array(shape) - 1) * voxel_um - head)
    beside = (border[:, 1:] < BORDER_UM).any(axis=1)
    ends = (border[:, 0] < voxel_um[0]) & (shape[0] > 1)
    known = geometry.dendrite_id > 0
    _, _, above, below = SIDES
    reasons = {
        "touches border": beside | ends,
        "overlaps neighbour": _near_others(head),
        "above or below shaft": np.isin(columns["side"], (above, below)),
        "inside dendrite": known & ~np.isfinite(geometry.base_zyx_um).all(axis=1),
        "no dendrite": ~known,
        "no image": np.full(count, not with_image),
        "no split": columns["head_neck_split"] == SPLITS[-1],
        "one plane": np.full(count, shape[0] == 1),
    }
    for reason, said in from_light.items():
        reasons[reason] = said | reasons.get(reason, False)
    texts = [[reason for reason in QUALITIES if reason in reasons and reasons[reason][row]] for row in range(count)]
    return np.array([";".join(text) for text in texts], dtype=object)


def _near_others(head: np.ndarray) -> np.ndarray:
    """Whether another head is so near that their light overlaps."""
    near = np.zeros(len(head), dtype=np.bool_)
    for pair in cKDTree(head).query_pairs(NEIGHBOUR_UM) if len(head) else ():
        near[list(pair)] = True
    return near


def dendrite_shape_columns(
    dendrites: Dendrites, spines: pd.DataFrame, parameters: MeasureParameters, imaging: Imaging | None = None,
    branches: Sequence[Sequence[StraightBranch]] = (),
) -> dict[str, np.ndarray]:
    """Measure the thickness of dendrites and the spacing of their spines.

    Parameters
    ----------
    dendrites
        The dendrites.
    spines
        Table of spines with their bases.
    parameters
        ``psf_xy_um``.
    imaging, branches
        How the image was taken, and the branches of each dendrite in it; without them there are no diameters.

    Returns
    -------
    dict of numpy.ndarray
        ``mean_diameter_um … spacing_p`` of ``DENDRITE_COLUMNS``, float64.
    """
    base = spines[[f"base_{dim}_um" for dim in DIMS]].to_numpy()
    middle = spines[[f"{dim}_um" for dim in DIMS]].to_numpy()
    points = np.where(np.isfinite(base), base, middle) - np.array(dendrites.origin_um)
    rows: list[dict[str, float]] = []
    for index, line in enumerate(dendrites.centre_lines):
        own = points[(spines["dendrite_id"] == index + 1).to_numpy()]
        profiles = [] if imaging is None else diameter_profiles(branches[index], parameters, imaging)
        branch, position = places_on(line, own) if len(own) else (np.empty(0, np.int64), np.empty(0))
        rows.append({**thickness(profiles), **spacing(Tree.of(line), branch, position, seed=index)})
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]} if rows else {}
