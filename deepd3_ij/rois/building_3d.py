"""3-D ROIs from the spine map."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import ndimage

from deepd3_ij.parallel import in_blocks
from deepd3_ij.parameters import Choice, Roi3DParameters
from deepd3_ij.probabilities import probability_map, resolve_for
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.growing import find_seeds, grow_regions
from deepd3_ij.rois.labels import consecutive, label_maxima, label_statistics, renumber
from deepd3_ij.rois.roiset import RoiSet, rois_like
from deepd3_ij.rois.splitting import split_by_shape
from deepd3_ij.stack import voxel_size_um


def build_rois_3d(
    prediction: xr.Dataset, parameters: Choice[Roi3DParameters] = None, progress: Progress = no_progress
) -> RoiSet:
    """Build ROIs that span planes.

    Parameters
    ----------
    prediction
        Dataset with the map ``spine`` and a voxel size.
    parameters
        How ROIs are built: all parameters, or those that differ from what the prediction's model recommends, by name.
    progress
        Called before and after each step; may raise ``Cancelled``.

    Returns
    -------
    RoiSet
        ROIs with ids 1…n: by descending seed probability (floodfill) or in raster order of their
        first voxel (connected). Empty if nothing exceeds the thresholds.

    Raises
    ------
    StackError
        The spine map is missing or holds no probabilities.
    """
    resolved = resolve_for(Roi3DParameters, parameters, prediction)
    spine = probability_map(prediction, "spine")
    labels = label_spines_3d(spine, voxel_size_um(prediction), resolved.parameters, progress)
    return rois_like(labels, prediction, dimensions=3, resolved=resolved)


def label_spines_3d(
    spine: np.ndarray,
    voxel_size_um: tuple[float, float, float],
    parameters: Roi3DParameters,
    progress: Progress = no_progress,
) -> np.ndarray:
    """Label the spines of a probability volume: the computation behind :func:`build_rois_3d`.

    The result depends on the arguments alone. On a crop, ROIs that neither reach the crop's faces nor
    compete there with others equal those of the whole volume, apart from their numbers.

    Parameters
    ----------
    spine
        float32 probabilities, shape ``(z, y, x)``.
    voxel_size_um
        Size of a voxel in µm along z, y and x.
    parameters
        How ROIs are built.
    progress
        Called before and after each step.

    Returns
    -------
    numpy.ndarray
        int32 labels, consecutive from 1.
    """
    steps = 4 + parameters.watershed
    progress(0, steps, "Prepare the spine map")
    if parameters.sigma_px > 0:
        spine = _smoothed(spine, parameters.sigma_px)
    progress(1, steps, "Find ROIs")
    if parameters.mode == "floodfill":
        seeds = find_seeds(spine, parameters.peak_threshold)
        labels, _ = grow_regions(spine, seeds, voxel_size_um, area_threshold=parameters.area_threshold,
                                 seed_delta=parameters.seed_delta, distance_um=parameters.distance_um)
    else:
        labels = connected_regions(spine, parameters.area_threshold, parameters.dilation)
    done = 2
    if parameters.watershed:
        progress(done, steps, "Split ROIs")
        labels = split_by_shape(labels, voxel_size_um)
        done += 1
    progress(done, steps, "Filter ROIs")
    labels = filter_regions(labels, spine, parameters)
    progress(steps, steps, "ROIs built")
    return labels


def connected_regions(spine: np.ndarray, area_threshold: float, dilation: int = 0) -> np.ndarray:
    """26-connected components above a threshold, numbered in raster order of their first voxel.

    Parameters
    ----------
    spine
        float32 probabilities, shape ``(z, y, x)``.
    area_threshold
        Probability that a voxel must exceed.
    dilation
        Dilations of the foreground with a full 3×3×3 window before components are found.

    Returns
    -------
    numpy.ndarray
        int32 labels.
    """
    import cc3d

    foreground = spine > np.float32(area_threshold)
    if dilation:
        # Dilating n times with a 3-wide box is one maximum over a box 2 n + 1 wide.
        foreground = ndimage.maximum_filter(foreground.view(np.uint8), size=2 * dilation + 1, mode="constant")
    labels = cc3d.connected_components(foreground.view(np.uint8), connectivity=26,
                                       out_dtype=np.uint32)
    return np.asarray(labels).view(np.int32)


def filter_regions(labels: np.ndarray, spine: np.ndarray, parameters: Roi3DParameters) -> np.ndarray:
    """Keep regions by size, number of planes and peak probability, and number them 1…n in their old order.

    Parameters
    ----------
    labels
        int32 labels, shape ``(z, y, x)``; this array is reused for the result.
    spine
        float32 probabilities of the same shape.
    parameters
        ``min_voxels``, ``max_voxels``, ``min_planes`` and ``min_peak``, all inclusive.

    Returns
    -------
    numpy.ndarray
        ``labels``, renumbered in place.
    """
    regions = label_statistics(labels)
    keep = ((regions.voxels >= parameters.min_voxels) & (regions.voxels <= parameters.max_voxels)
            & (regions.planes >= parameters.min_planes))
    if parameters.min_peak > 0:
        keep &= label_maxima(labels, spine, regions.ids) >= np.float32(parameters.min_peak)
    ids = regions.ids[keep]
    return renumber(labels, ids, consecutive(len(ids)), out=labels)


def _smoothed(spine: np.ndarray, sigma_px: float) -> np.ndarray:
    result = np.empty_like(spine)

    def smooth(begin: int, end: int) -> None:
        for z in range(begin, end):
            ndimage.gaussian_filter(spine[z], sigma_px, output=result[z])

    in_blocks(smooth, len(spine))
    return result
