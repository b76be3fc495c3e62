"""The light along one spine, from the shaft to the tip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from deepd3_ij.errors import ParameterError
from deepd3_ij.measurement.dendrites import find_dendrites
from deepd3_ij.measurement.geometry import Placed, find_geometry
from deepd3_ij.measurement.necks import Neck
from deepd3_ij.measurement.shapes import necks_along
from deepd3_ij.measurement.spines import RoiVoxels, nearest_dendrite, roi_voxels
from deepd3_ij.parameters import Choice, MeasureParameters
from deepd3_ij.probabilities import resolve_for
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.roiset import RoiSet


@dataclass(frozen=True, eq=False)
class SpineProfile:
    """Light along a spine.

    Attributes
    ----------
    distance_um
        From the base along the spine, float64, shape ``(n,)``; negative inside the shaft.
    light
        Less the background, of the same shape; NaN outside of the image.
    head_um, tip_um
        Distances of the middle of the head and of the tip.
    neck
        Head and neck, told apart by this light.
    """

    distance_um: np.ndarray
    light: np.ndarray
    head_um: float
    tip_um: float
    neck: Neck


def spine_profile(
    rois: RoiSet,
    roi_id: int,
    prediction: xr.Dataset,
    stack: xr.DataArray | None = None,
    parameters: Choice[MeasureParameters] = None,
    placed: Placed | None = None,
    progress: Progress = no_progress,
) -> SpineProfile:
    """Measure the light along a spine.

    Parameters
    ----------
    rois
        All spines.
    roi_id
        The one to look at.
    prediction
        Probability maps of the same shape; without an image, theirs is the light.
    stack
        Image of the same shape.
    parameters
        As :func:`deepd3_ij.measurement.measure` takes them.
    placed
        Base and tip, if a user placed them.
    progress
        Called while dendrites are measured.

    Returns
    -------
    SpineProfile

    Raises
    ------
    ParameterError
        There is no such spine, or no dendrite from which a way to it could begin.
    """
    voxels = roi_voxels(rois)
    row = np.flatnonzero(voxels.ids == roi_id)
    if not len(row):
        raise ParameterError(f"There is no spine {roi_id}; accepted: one of {len(rois)} ROIs.")
    chosen = resolve_for(MeasureParameters, parameters, prediction).parameters
    dendrites = find_dendrites(prediction["dendrite"], chosen, progress)
    first = int(voxels.starts[row[0]])
    own = RoiVoxels(voxels.ids[row], np.zeros(1, np.int64), voxels.zyx[first:first + int(voxels.counts[row[0]])],
                    voxels.shape)
    dendrite_id, _ = nearest_dendrite(own, dendrites)
    geometry = find_geometry(own, rois, prediction, dendrites, dendrite_id, stack,
                             None if placed is None else {roi_id: placed})
    profile, path = geometry.profiles[0], geometry.paths[0]
    if not len(path) or not np.isfinite(profile.light).any():
        raise ParameterError(f"There is no light along spine {roi_id}: it has no dendrite, or its base and tip are not "
                             "known; measure with another dendrite threshold, or place them by hand.")
    nearest = int(np.argmin(((path - geometry.head_zyx_um[0]) ** 2).sum(axis=1)))
    return SpineProfile(profile.distance_um, profile.light, float(profile.distance_um[nearest]),
                        float(profile.distance_um[-1]), necks_along(geometry, stack is not None)[0])
