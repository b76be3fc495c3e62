"""Training data from a model's own result, as a person corrected it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import ndimage

from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.d3data import NO_DENDRITE, NO_SPINE
from deepd3_ij.parameters import CorrectedDataParameters
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import voxel_size_um

Mask = npt.NDArray[np.bool_]
DENDRITE_DOUBT = 0.3
"""A voxel whose dendrite probability is nearer to the threshold than this does not count."""


@dataclass(frozen=True, eq=False)
class CorrectedMasks:
    """What corrected ROIs teach.

    Attributes
    ----------
    dendrite, spines
        Boolean masks ``(z, y, x)``.
    ignored
        uint8, bits as in :class:`deepd3_ij.files.d3data.D3Data`.
    trusted, deleted
        Numbers of spines that a person drew, changed or confirmed, and of detections that a person deleted.
    """

    dendrite: Mask
    spines: Mask
    ignored: npt.NDArray[np.uint8]
    trusted: int
    deleted: int


def masks_of_corrections(
    prediction: xr.Dataset,
    now: RoiSet,
    before: RoiSet | None,
    confirmed: Iterable[int] = (),
    parameters: CorrectedDataParameters | None = None,
    *,
    excluded: Mask | None = None,
) -> CorrectedMasks:
    """Turn corrected ROIs into masks of which only what a person saw counts.

    Spines that differ from the detection, or were confirmed, are spines; detections that were deleted are none; so is
    what lies near either of them outside of any ROI. Elsewhere only what the model itself takes for background counts
    as such. The dendrites are those of the prediction, without what it is in doubt of.

    Parameters
    ----------
    prediction
        What was corrected.
    now
        ROIs as a person left them.
    before
        ROIs as they were detected; None if that is not known, then only confirmed ones are trusted.
    confirmed
        Ids of `now` that a person looked at and kept.
    parameters
        What is trusted, and how far around it; the defaults if None.
    excluded
        Voxels that do not count in any case, boolean ``(z, y, x)``.

    Returns
    -------
    CorrectedMasks

    Raises
    ------
    AnnotationError
        Nothing was corrected or confirmed while only that is trusted, or nothing is left of it.
    """
    parameters = parameters or CorrectedDataParameters()
    spine, dendrite = prediction["spine"].values, prediction["dendrite"].values
    labels = now.labels.values
    old = labels if before is None else before.labels.values
    changed = old != labels
    touched = np.unique(np.concatenate([labels[changed], old[changed], np.fromiter(confirmed, np.int64)]))
    gone = np.setdiff1d(np.setdiff1d(touched, now.ids), [0])
    real = np.isin(labels, np.intersect1d(touched, now.ids)) & (labels > 0)
    seen = real | changed
    if parameters.trust == "all":
        known, real = np.ones(labels.shape, np.bool_), labels > 0
    elif not seen.any():
        raise AnnotationError("No spine was corrected or confirmed, so nothing is known to be right; correct spines in "
                              "Spine Panel, confirm them there in a review, or trust all ROIs.")
    else:
        others = (labels > 0) & ~real
        near = ndimage.distance_transform_edt(~seen, sampling=voxel_size_um(prediction)) <= parameters.margin_um
        known = ((near | (spine < parameters.background_below)) & ~others) | real
    if excluded is not None:
        known &= ~excluded
    if not (known & seen).any() and parameters.trust != "all":
        raise AnnotationError("All corrected spines lie in what was excluded; exclude less.")
    ignored = np.where(known, 0, NO_SPINE).astype(np.uint8)
    doubtful = np.abs(dendrite - parameters.dendrite_threshold) < min(DENDRITE_DOUBT, parameters.dendrite_threshold)
    if excluded is not None:
        doubtful |= excluded
    ignored[doubtful] |= NO_DENDRITE
    return CorrectedMasks(dendrite > parameters.dendrite_threshold, real, ignored,
                          len(np.intersect1d(np.unique(labels[real]), now.ids)), len(gone))
