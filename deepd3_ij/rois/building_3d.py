"""3-D ROIs from the spine map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from scipy import ndimage

from deepd3_ij.errors import StackError
from deepd3_ij.parallel import in_blocks
from deepd3_ij.parameters import Choice, Roi3DParameters
from deepd3_ij.probabilities import probability_slabs, resolve_for
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.growing import grow, least_probability, seeds_among
from deepd3_ij.rois.roiset import RoiSet, rois_of_runs
from deepd3_ij.rois.splitting import Split, split_by_prominence, split_by_shape
from deepd3_ij.rois.voxels import Voxels
from deepd3_ij.runs import Runs
from deepd3_ij.slab_tasks import Arrays, Cutting, map_bands
from deepd3_ij.slabs import Band, SlabSource, slabs_of
from deepd3_ij.stack import voxel_size_um

COPIES = 2.5
"""Slabs of 4-byte values that finding ROIs is counted with; 2.1 were measured with smoothing and dilation, else 1."""
_REACH_SIGMAS = 4.5
"""How far a Gaussian average looks, at most: scipy cuts it off at 4 standard deviations, rounded to pixels."""


def build_rois_3d(
    prediction: xr.Dataset, parameters: Choice[Roi3DParameters] = None, progress: Progress = no_progress
) -> RoiSet:
    """Build ROIs that span planes.

    Parameters
    ----------
    prediction
        Dataset with the map ``spine`` and a voxel size; may be lazy.
    parameters
        How ROIs are built: all parameters, or those that differ from what the prediction's model recommends, by name.
    progress
        Called before and after each slab; may raise ``Cancelled``.

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
    spine = probability_slabs(prediction, "spine")
    runs = find_spines_3d(spine, voxel_size_um(prediction), resolved.parameters, progress)
    return rois_of_runs(runs, prediction, dimensions=3, resolved=resolved)


def label_spines_3d(
    spine: np.ndarray,
    voxel_size_um: tuple[float, float, float],
    parameters: Roi3DParameters,
    progress: Progress = no_progress,
) -> np.ndarray:
    """Label the spines of a probability volume: :func:`find_spines_3d` for arrays.

    Parameters
    ----------
    spine
        float32 probabilities, shape ``(z, y, x)``.
    voxel_size_um, parameters, progress
        As for :func:`find_spines_3d`.

    Returns
    -------
    numpy.ndarray
        int32 labels, consecutive from 1.
    """
    return find_spines_3d(slabs_of(spine), voxel_size_um, parameters, progress).volume()


def find_spines_3d(
    spine: SlabSource,
    voxel_size_um: tuple[float, float, float],
    parameters: Roi3DParameters,
    progress: Progress = no_progress,
) -> Runs:
    """Find the spines of a probability volume: the computation behind :func:`build_rois_3d`.

    The result depends on the arguments alone, not on the height of the slabs: a connected piece of what can belong to
    ROIs is worked on when the last of its planes has come. On a crop, ROIs that neither reach the crop's faces nor
    compete there with others equal those of the whole volume, apart from their numbers.

    Parameters
    ----------
    spine
        float32 probabilities.
    voxel_size_um
        Size of a voxel in µm along z, y and x.
    parameters
        How ROIs are built.
    progress
        Called before and after each slab.

    Returns
    -------
    Runs
        The ROIs' voxels, labels consecutive from 1.
    """
    depth, height, width = spine.shape
    waiting = Voxels.none((height, width))
    found: list[_Regions] = []
    progress(0, depth, "Find ROIs")
    dilation = parameters.dilation if parameters.mode == "connected" else 0
    halo_rows = dilation + math.ceil(_REACH_SIGMAS * parameters.sigma_px)
    cutting = Cutting((depth, height, width), COPIES, dilation, halo_rows)
    for band, arrays in map_bands(partial(_voxels_of, spine, parameters, cutting), cutting,
                                  lambda done: progress(done, depth, "Find ROIs")):
        slab = Voxels((height, width), *arrays)
        waiting = waiting.joined(slab) if len(waiting) else slab
        if not band.ends_plane:
            continue
        last = band.last
        regions, waiting = _finished(waiting, last, depth, parameters, voxel_size_um)
        if parameters.split_prominence > 0:
            regions = _pieces_of(regions, split_by_prominence(
                regions.voxels, regions.of_run, depth, voxel_size_um, prominence=parameters.split_prominence,
                sigma_um=parameters.split_sigma_um, progress=progress))
        if parameters.watershed:
            regions = _pieces_of(regions, split_by_shape(regions.voxels, regions.of_run, depth, voxel_size_um,
                                                         progress))
        found.append(_filtered(regions, parameters))
    runs = _numbered(found, (depth, height, width))
    progress(depth, depth, "ROIs built")
    return runs


@dataclass(frozen=True, eq=False)
class _Regions:
    """Regions of which all voxels are known.

    Attributes
    ----------
    voxels, of_run
        Their voxels; the region of each run, int32, from 1.
    peak, position
        Probability of each region's seed (0 where regions have none), and the position of seed or first voxel.
    piece
        Place of each among the pieces of a region that was split, int64.
    """

    voxels: Voxels
    of_run: np.ndarray
    peak: np.ndarray
    position: np.ndarray
    piece: np.ndarray


def _voxels_of(spine: SlabSource, parameters: Roi3DParameters, cutting: Cutting, band: Band) -> Arrays:
    """Voxels of a band that can belong to a ROI: rows, begins, ends and values of :class:`Voxels`."""
    around = band.grown(cutting.halo, cutting.halo_rows)
    planes, within = _smoothed(around.read(spine), parameters.sigma_px), band.within(around)
    own, limit = planes[within], np.float32(parameters.area_threshold)
    if parameters.mode == "floodfill":
        limit = least_probability(parameters.area_threshold, parameters.peak_threshold, parameters.seed_delta)
    elif cutting.halo:
        # Dilating n times with a 3-wide box is one maximum over a box 2 n + 1 wide.
        foreground = ndimage.maximum_filter((planes > limit).view(np.uint8), size=2 * cutting.halo + 1,
                                            mode="constant")
        own, limit = np.where(foreground[within], own, np.float32(-1)), np.float32(-0.5)
    voxels = Voxels.above(own, limit, band.first_row, band.shape[1])
    return voxels.rows, voxels.begins, voxels.ends, voxels.values


def _finished(waiting: Voxels, last: int, depth: int, parameters: Roi3DParameters,
              voxel_size_um: tuple[float, float, float]) -> tuple[_Regions, Voxels]:
    """Regions of the pieces that do not reach into plane ``last - 1``, or of all at the end; and what waits."""
    connected = parameters.mode == "connected"
    later = waiting.of_runs(np.zeros(len(waiting), np.bool_))
    of_run = np.empty(0, np.int32)
    if connected or last < depth:
        of_run, count = waiting.pieces()
        if last < depth:
            is_open = np.zeros(count + 1, np.bool_)
            is_open[of_run[waiting.planes == last - 1]] = True
            later, waiting = waiting.of_runs(is_open[of_run]), waiting.of_runs(~is_open[of_run])
            numbers = np.cumsum(~is_open[1:], dtype=np.int32)
            of_run = numbers[of_run - 1][~is_open[of_run]]
    if connected:
        firsts = np.unique(of_run, return_index=True)[1]
        peak, position = np.zeros(len(firsts), np.float32), waiting.positions(waiting.offsets[firsts])
    else:
        seeds = seeds_among(waiting, parameters.peak_threshold)
        labels, _ = grow(waiting, seeds, voxel_size_um, area_threshold=parameters.area_threshold,
                         seed_delta=parameters.seed_delta, distance_um=parameters.distance_um)
        grown, firsts = np.unique(labels[seeds], return_index=True)
        first_seeds = seeds[firsts[grown > 0]]
        peak, position = waiting.values[first_seeds], waiting.positions(first_seeds)
        waiting, of_run = waiting.labelled(labels)
    return _Regions(waiting, of_run, peak, position, np.zeros(len(peak), np.int64)), later


def _pieces_of(regions: _Regions, split: Split) -> _Regions:
    voxels, of_run, parent = split
    order = np.arange(len(parent)) - np.searchsorted(parent, parent)
    return _Regions(voxels, of_run, regions.peak[parent - 1], regions.position[parent - 1],
                    regions.piece[parent - 1] * (len(voxels.values) + 1) + order)


def _filtered(regions: _Regions, parameters: Roi3DParameters) -> _Regions:
    """Keep regions by size, number of planes and peak probability; limits are inclusive. Values are left out."""
    voxels, of_run = regions.voxels, regions.of_run
    count = len(regions.peak)
    sizes = np.bincount(of_run, weights=voxels.lengths, minlength=count + 1)[1:]
    planes = np.unique(np.stack([of_run, voxels.planes]), axis=1)[0] if len(voxels) else of_run
    spans = np.bincount(planes, minlength=count + 1)[1:]
    keep = (sizes >= parameters.min_voxels) & (sizes <= parameters.max_voxels) & (spans >= parameters.min_planes)
    if parameters.min_peak > 0 and len(voxels):
        peaks = np.full(count + 1, -np.inf, np.float32)
        np.maximum.at(peaks, of_run, np.maximum.reduceat(voxels.values, voxels.offsets))
        keep &= peaks[1:] >= np.float32(parameters.min_peak)
    numbers = np.concatenate([[0], np.cumsum(keep, dtype=np.int32)])
    numbers[1:][~keep] = 0
    kept = numbers[of_run] > 0
    left = Voxels(voxels.plane_px, voxels.rows[kept], voxels.begins[kept], voxels.ends[kept], np.empty(0, np.float32))
    return _Regions(left, numbers[of_run[kept]].astype(np.int32), regions.peak[keep], regions.position[keep],
                    regions.piece[keep])


def _numbered(found: list[_Regions], shape: tuple[int, int, int]) -> Runs:
    """All regions, numbered by falling seed probability, then in raster order, then as they were split."""
    peak, position, piece = (np.concatenate([getattr(part, name) for part in found])
                             for name in ("peak", "position", "piece"))
    if len(peak) > np.iinfo(np.int32).max:
        raise StackError(f"There are {len(peak)} ROIs; accepted: {np.iinfo(np.int32).max}. Give higher thresholds.")
    numbers = np.empty(len(peak), np.int32)
    numbers[np.lexsort((piece, position, -peak))] = np.arange(1, len(peak) + 1)
    before = np.cumsum([0, *(len(part.peak) for part in found)])
    labels = numbers[np.concatenate([part.of_run.astype(np.int64) - 1 + count
                                     for part, count in zip(found, before[:-1], strict=True)])]
    rows, begins, ends = (np.concatenate([getattr(part.voxels, name) for part in found])
                          for name in ("rows", "begins", "ends"))
    order = np.lexsort((begins, rows)) if len(found) > 1 else slice(None)
    return Runs.of_rows(shape, rows[order], begins[order], ends[order]).labelled(labels[order])


def _smoothed(planes: np.ndarray, sigma_px: float) -> np.ndarray:
    if sigma_px <= 0:
        return planes
    result = np.empty_like(planes)

    def smooth(begin: int, end: int) -> None:
        for z in range(begin, end):
            ndimage.gaussian_filter(planes[z], sigma_px, output=result[z])

    in_blocks(smooth, len(planes))
    return result
