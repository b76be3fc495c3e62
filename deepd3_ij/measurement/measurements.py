"""From ROIs and a prediction to tables of spines and dendrites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.errors import StackError
from deepd3_ij.measurement.centre_lines import tracing_of
from deepd3_ij.measurement.columns import as_table, spine_columns
from deepd3_ij.measurement.confidence import confidences
from deepd3_ij.measurement.dendrites import Dendrites, dendrite_table, find_dendrites
from deepd3_ij.measurement.geometry import Placed
from deepd3_ij.measurement.shapes import dendrite_shape_columns, shape_columns
from deepd3_ij.measurement.spines import roi_voxels, spine_table
from deepd3_ij.measurement.straightened import Imaging, straight_branches
from deepd3_ij.parameters import Choice, MeasureParameters
from deepd3_ij.probabilities import resolve_for
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, provenance_of


@dataclass(frozen=True, eq=False)
class Measurements:
    """Result of :func:`measure`.

    Attributes
    ----------
    spines
        One row per ROI.
    dendrites
        One row per dendrite.
    tracing
        Centre lines of the dendrites, in µm on the prediction's coordinates.
    parameters
        With which it was measured.
    found
        The dendrites with their voxels, None where they are not kept.
    """

    spines: pd.DataFrame
    dendrites: pd.DataFrame
    tracing: Tracing
    parameters: MeasureParameters = field(default_factory=MeasureParameters)
    found: Dendrites | None = None


def measure(
    rois: RoiSet,
    prediction: xr.Dataset,
    stack: xr.DataArray | None = None,
    parameters: Choice[MeasureParameters] = None,
    progress: Progress = no_progress,
    *,
    placed: Mapping[int, Placed] | None = None,
) -> Measurements:
    """Measure spines and dendrites.

    Parameters
    ----------
    rois
        Spine ROIs, 2-D or 3-D.
    prediction
        Probability maps of the same shape.
    stack
        Image of the same shape, for the intensities; may be lazy.
    parameters
        Limits of what is a dendrite, width of the background ring: all parameters, or those that differ from
        what the prediction's model recommends, by name.
    progress
        Called after each piece of dendrite, each plane with intensities and each shape.
    placed
        Bases and tips that a user placed, by the ROI's id; they take the place of those that are measured.

    Returns
    -------
    Measurements
        ``spines`` has the columns ``id``; ``z_um, y_um, x_um`` and ``z_px, y_px, x_px`` (centroid of the voxels,
        0-based); ``planes`` (number of planes with voxels); ``voxels``; ``volume_um3``; ``max_probability,
        mean_probability``; ``dendrite_id`` (the nearest dendrite, 0 if there is none);
        ``distance_to_dendrite_um`` (gap between the surfaces of the ROI and of the dendrite, 0 if they touch or
        overlap, NaN without dendrite); ``position_along_dendrite_um`` (along the dendrite's centre line from one end
        of its longest path to the point nearest to the centroid); ``first_plane … max_x_px`` (bounding box, 0-based,
        both ends included); ``largest_area_um2`` (of the plane with most voxels); ``equivalent_diameter_um`` (of the
        sphere of the same volume); and with a stack ``mean_intensity``; ``background_intensity`` (median of the pixels
        within ``background_um`` of the ROI in its own planes that belong to no ROI and no dendrite; NaN if there are
        none); ``integrated_intensity`` (sum over the ROI less its background); with ``shapes`` those of
        :data:`deepd3_ij.measurement.columns.SHAPE_COLUMNS`, NaN where light or data cannot tell; and ``confidence``,
        the probability that the ROI is a spine, as the model that made the prediction was calibrated, NaN if it was
        not.
        ``dendrites`` is described at :func:`deepd3_ij.measurement.dendrites.dendrite_table`.
        Without ROIs or dendrites the tables are empty, with the same columns and types.

    Raises
    ------
    StackError
        Shapes differ.
    Cancelled
        ``progress`` asked to stop.
    """
    shape = tuple(prediction.sizes[dim] for dim in DIMS)
    for name, other in (("ROIs", rois.labels), ("stack", stack)):
        if other is not None and other.shape != shape:
            raise StackError(f"The {name} have the shape {other.shape} and the prediction {shape} (z, y, x); "
                             "use those that were made from the same stack.")
    chosen = resolve_for(MeasureParameters, parameters, prediction).parameters
    dendrites = find_dendrites(prediction["dendrite"], chosen, progress)
    voxels = roi_voxels(rois)
    spines = spine_table(voxels, prediction["spine"], dendrites, chosen, stack, progress)
    thick_and_spaced: dict[str, np.ndarray] = {}
    if chosen.shapes:
        imaging = None if stack is None else Imaging.of(stack, chosen)
        branches = [] if stack is None or imaging is None else [
            straight_branches(line, stack, rois.labels, imaging) for line in dendrites.centre_lines]
        shapes = shape_columns(voxels, rois, prediction, dendrites, spines["dendrite_id"].to_numpy(), chosen, stack,
                               imaging, branches, placed, progress)
        spines = as_table({**spines, **shapes}, spine_columns(chosen, with_image=stack is not None))
        thick_and_spaced = dendrite_shape_columns(dendrites, spines, chosen, imaging, branches)
    spines["confidence"] = confidences(spines, provenance_of(prediction), dimensions=rois.dimensions)
    table = dendrite_table(dendrites, spines["dendrite_id"].to_numpy(), thick_and_spaced)
    return Measurements(spines=spines, dendrites=table, tracing=tracing_of(dendrites), parameters=chosen,
                        found=dendrites)
