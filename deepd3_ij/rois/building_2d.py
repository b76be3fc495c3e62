"""2-D ROIs, plane by plane."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage

from deepd3_ij.compiled import compiled
from deepd3_ij.errors import StackError
from deepd3_ij.parameters import Choice, Roi2DParameters
from deepd3_ij.probabilities import probability_slabs, resolve_for
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.chamfer import chamfer_distance
from deepd3_ij.rois.labels import COPIES, LabelStatistics, label_statistics, renumber
from deepd3_ij.rois.roiset import RoiSet, rois_of_runs
from deepd3_ij.rois.splitting import flood_markers
from deepd3_ij.rois.voxels import Voxels
from deepd3_ij.runs import Runs, runs_of_slab
from deepd3_ij.slabs import SlabSource, slab_bounds, slabs_of


def build_rois_2d(
    prediction: xr.Dataset, parameters: Choice[Roi2DParameters] = None, progress: Progress = no_progress
) -> RoiSet:
    """Build ROIs in single planes.

    Parameters
    ----------
    prediction
        Dataset with the maps ``dendrite`` and ``spine``.
    parameters
        How ROIs are built: all parameters, or those that differ from what the prediction's model recommends, by name.
    progress
        Called after every plane; may raise ``Cancelled``.

    Returns
    -------
    RoiSet
        ROIs whose ids are unique through all planes, ascending with the plane. Cleaning leaves gaps in the ids.

    Raises
    ------
    StackError
        A map is missing or holds no probabilities.
    """
    resolved = resolve_for(Roi2DParameters, parameters, prediction)
    chosen = resolved.parameters
    runs = find_spines_2d(probability_slabs(prediction, "spine"), chosen, progress)
    found = rois_of_runs(runs, prediction, dimensions=2, resolved=resolved)
    if not chosen.clean_rois:
        return found
    kept = _kept(found.statistics, probability_slabs(prediction, "dendrite"), chosen)
    return rois_of_runs(runs.labelled(np.where(np.isin(runs.labels, kept), runs.labels, 0)), prediction, dimensions=2,
                        resolved=resolved)


def label_spines_2d(spine: np.ndarray, parameters: Roi2DParameters, progress: Progress = no_progress) -> np.ndarray:
    """Label the 8-connected regions above the threshold in every plane, split by shape on request.

    Parameters
    ----------
    spine
        float32 probabilities, shape ``(z, y, x)``.
    parameters
        ``spine_threshold``, ``watershed``, ``mask_size_px`` and ``min_distance_px``.
    progress
        Called after every plane.

    Returns
    -------
    numpy.ndarray
        int32 labels 1…n; numbering goes on from plane to plane. Without watershed, ids are in raster
        order of the regions' first pixels.
    """
    return find_spines_2d(slabs_of(spine), parameters, progress).volume()


def find_spines_2d(spine: SlabSource, parameters: Roi2DParameters, progress: Progress = no_progress) -> Runs:
    """The same as :func:`label_spines_2d` slab by slab, as labelled runs."""
    depth, height, width = spine.shape
    found: list[tuple[Voxels, np.ndarray]] = []
    count = 0
    progress(0, depth, "Find 2-D ROIs")
    for first, last in slab_bounds(spine.shape, COPIES):
        for z, plane in enumerate(spine.read(first, last), first):
            mask = plane > np.float32(parameters.spine_threshold)
            if mask.any():
                # scipy numbers in raster order.
                regions, _ = ndimage.label(mask, np.ones((3, 3)), output=np.int32)
                if parameters.watershed:
                    regions = split_plane(regions, parameters.mask_size_px, parameters.min_distance_px)
                rows, begins, ends = runs_of_slab(mask[np.newaxis], False, z * height)
                voxels = Voxels((height, width), rows, begins, ends, plane[mask])
                found.append(voxels.labelled(regions[mask] + np.int32(count)))
                count += int(regions.max())
            progress(z + 1, depth, "Find 2-D ROIs")
    rows, begins, ends = (np.concatenate([np.empty(0, np.int64), *(getattr(voxels, name) for voxels, _ in found)])
                          for name in ("rows", "begins", "ends"))
    labels = np.concatenate([np.empty(0, np.int32), *(of_run for _, of_run in found)])
    return Runs.of_rows((depth, height, width), rows, begins.astype(np.int32), ends.astype(np.int32)).labelled(labels)


def split_plane(regions: np.ndarray, mask_size: int, min_distance_px: int) -> np.ndarray:
    """Split the regions of a plane at their waists.

    Markers are the local maxima of the distance to the background, at least ``min_distance_px`` rows
    or columns apart; a region without one (small, or close to a larger one) gets its own highest
    pixel. Watershed as in :func:`deepd3_ij.rois.splitting.flood_markers`.

    Parameters
    ----------
    regions
        int32 labels of the 8-connected regions, shape ``(y, x)``.
    mask_size
        Chamfer mask of the distance, 3 or 5; 0 for the exact distance.
    min_distance_px
        Smallest spacing of markers.

    Returns
    -------
    numpy.ndarray
        int32 labels from 1; every pixel of a region belongs to a piece.
    """
    from skimage.feature import peak_local_max

    mask = regions > 0
    if mask.all():
        return regions
    distance = ndimage.distance_transform_edt(mask) if mask_size == 0 else chamfer_distance(mask, mask_size)
    peaks = peak_local_max(distance, min_distance=min_distance_px, footprint=np.ones((3, 3), bool),
                           threshold_abs=0, exclude_border=False)
    chosen = np.zeros(mask.shape, bool)
    chosen[tuple(peaks.T)] = True
    count = int(regions.max())
    marked = np.zeros(count + 1, bool)
    marked[regions[chosen]] = True
    lacking = np.flatnonzero(~marked[1:]) + 1
    if len(lacking):
        chosen[tuple(np.array(ndimage.maximum_position(distance, regions, lacking)).T)] = True
    markers, _ = ndimage.label(chosen, np.ones((3, 3)))
    return flood_markers(distance, markers, mask)


def clean_rois_2d(labels: np.ndarray, dendrite: np.ndarray, parameters: Roi2DParameters) -> np.ndarray:
    """Remove small ROIs and ROIs far from any dendrite; the others keep their ids.

    A ROI is kept when it has at least ``min_area_px`` pixels and when dendrite (above ``near_dendrite_threshold``) lies
    nearer than ``max_dendrite_distance_px`` to its centroid (whole pixels, rounded down), in its plane.
    Cleaning twice changes nothing more.

    Parameters
    ----------
    labels
        int32 labels, shape ``(z, y, x)``, each in one plane; not changed.
    dendrite
        float32 probabilities of the same shape.
    parameters
        See above.

    Returns
    -------
    numpy.ndarray
        int32 labels.

    Raises
    ------
    StackError
        The shapes differ.
    """
    if labels.shape != dendrite.shape:
        raise StackError(f"ROIs and dendrite map differ in shape: {labels.shape} and {dendrite.shape} (z, y, x).")
    kept = _kept(label_statistics(labels), slabs_of(dendrite), parameters)
    return renumber(labels, kept, kept)


def _kept(rois: LabelStatistics, dendrite: SlabSource, parameters: Roi2DParameters) -> np.ndarray:
    """Ids of the ROIs that :func:`clean_rois_2d` keeps."""
    centres = np.floor(rois.centroids_zyx).astype(np.int64)
    near = np.zeros(len(rois), np.bool_)
    for first, last in slab_bounds(dendrite.shape, COPIES):
        within = (centres[:, 0] >= first) & (centres[:, 0] < last)
        near[within] = _near_dendrite(dendrite.read(first, last), centres[within] - (first, 0, 0),
                                      np.float32(parameters.near_dendrite_threshold),
                                      parameters.max_dendrite_distance_px)
    return rois.ids[near & (rois.voxels >= parameters.min_area_px)]


@compiled
def _near_dendrite(dendrite: np.ndarray, centres: np.ndarray, threshold: np.float32, radius_px: int) -> np.ndarray:
    """Whether dendrite lies in the open disk around each centre, in the centre's plane."""
    near = np.zeros(len(centres), np.bool_)
    height, width = dendrite.shape[1], dendrite.shape[2]
    for i in range(len(centres)):
        z, centre_y, centre_x = centres[i, 0], centres[i, 1], centres[i, 2]
        for y in range(max(0, centre_y - radius_px), min(height, centre_y + radius_px + 1)):
            for x in range(max(0, centre_x - radius_px), min(width, centre_x + radius_px + 1)):
                if (dendrite[z, y, x] > threshold
                        and (y - centre_y) ** 2 + (x - centre_x) ** 2 < radius_px ** 2):
                    near[i] = True
                    break
            if near[i]:
                break
    return near
