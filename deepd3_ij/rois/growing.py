"""Regions that grow from probability peaks."""

from __future__ import annotations

import numpy as np

from deepd3_ij.compiled import compiled
from deepd3_ij.parallel import in_blocks
from deepd3_ij.rois.voxels import Voxels
from deepd3_ij.runs import Runs

_ROUNDING = 1e-9


def find_seeds(spine: np.ndarray, peak_threshold: float) -> np.ndarray:
    """Voxels from which regions may grow, the most probable first, equals in raster order.

    Parameters
    ----------
    spine
        float32 probabilities, shape ``(z, y, x)``.
    peak_threshold
        Smallest probability of a seed.

    Returns
    -------
    numpy.ndarray
        int64 positions in the flattened map, shape ``(n,)``.
    """
    threshold = np.float32(peak_threshold)
    parts = in_blocks(lambda begin, end: np.flatnonzero(spine[begin:end] >= threshold) + begin * spine[0].size,
                      spine.shape[0])
    positions = np.concatenate(parts)
    return positions[np.argsort(-spine.reshape(-1)[positions], kind="stable")]


def seeds_among(voxels: Voxels, peak_threshold: float) -> np.ndarray:
    """The same as :func:`find_seeds` as places in the values of some voxels."""
    places = np.flatnonzero(voxels.values >= np.float32(peak_threshold))
    return places[np.argsort(-voxels.values[places], kind="stable")]


def grow_regions(
    spine: np.ndarray,
    seeds: np.ndarray,
    voxel_size_um: tuple[float, float, float],
    *,
    area_threshold: float,
    seed_delta: float,
    distance_um: float,
) -> tuple[np.ndarray, int]:
    """Grow a region from every seed that no earlier region has taken, in a volume; see :func:`grow`.

    Parameters
    ----------
    spine
        float32 probabilities, shape ``(z, y, x)``.
    seeds
        Positions in the flattened map, in the order in which they may grow.
    voxel_size_um, area_threshold, seed_delta, distance_um
        As for :func:`grow`.

    Returns
    -------
    labels : numpy.ndarray
        int32, regions numbered from 1 in the order of their seeds.
    count : int
        Number of regions.
    """
    voxels = Voxels.above(spine, np.float32(area_threshold))
    places = voxels.places_of(seeds)
    labels, count = grow(voxels, places[places >= 0], voxel_size_um, area_threshold=area_threshold,
                         seed_delta=seed_delta, distance_um=distance_um)
    found, of_run = voxels.labelled(labels)
    depth, height, width = spine.shape
    return Runs.of_rows((depth, height, width), found.rows, found.begins, found.ends).labelled(of_run).volume(), count


def least_probability(area_threshold: float, peak_threshold: float, seed_delta: float) -> np.float32:
    """Limit that every voxel of a region exceeds, whatever its seed.

    A region's voxels differ from its seed, which has at least ``peak_threshold``, by at most ``seed_delta`` times the
    seed's probability. So regions can only meet within a connected piece above this limit.
    """
    return max(np.float32(area_threshold), np.float32((1 - seed_delta) * peak_threshold - 1e-6))


def grow(
    voxels: Voxels,
    seeds: np.ndarray,
    voxel_size_um: tuple[float, float, float],
    *,
    area_threshold: float,
    seed_delta: float,
    distance_um: float,
) -> tuple[np.ndarray, int]:
    """Grow a region from every seed that no earlier region has taken.

    A voxel joins the region of a seed when it is connected with it over the 26 neighbours through voxels that
    are free, have a probability above ``area_threshold`` which differs from the seed's by at most
    ``seed_delta`` times the seed's, and lie nearer to the seed than ``distance_um``; a voxel at just this
    distance does not join, whatever rounding makes of it. These conditions
    depend on the voxel and the seed alone, so the order of visits within a region does not matter. A seed
    that fails them itself makes no region and uses up no number.

    Parameters
    ----------
    voxels
        All voxels that can belong to a region.
    seeds
        Places in their values, in the order in which they may grow.
    voxel_size_um
        Size of a voxel in µm along z, y and x.
    area_threshold, seed_delta, distance_um
        See above and :class:`deepd3_ij.parameters.Roi3DParameters`.

    Returns
    -------
    labels : numpy.ndarray
        Region of each voxel, int32, numbered from 1 in the order of their seeds; 0 for none.
    count : int
        Number of regions.
    """
    labels = np.zeros(len(voxels.values), np.int32)
    z_um, y_um, x_um = voxel_size_um
    # 6 × 0.15 is a little less than 0.9 in floating point; nothing that matters lies that near to the limit.
    limit_um = distance_um * (1 - _ROUNDING)
    count = _grow(voxels.rows, voxels.begins, voxels.ends, voxels.offsets, voxels.values, voxels.row_starts(),
                  voxels.first_plane, voxels.plane_px[0], seeds, z_um, y_um, x_um, np.float32(area_threshold),
                  seed_delta, limit_um, labels)
    return labels, count


@compiled
def _grow(
    rows: np.ndarray, begins: np.ndarray, ends: np.ndarray, offsets: np.ndarray, values: np.ndarray,
    starts: np.ndarray, first_plane: int, height: int, seeds: np.ndarray, z_um: float, y_um: float, x_um: float,
    threshold: np.float32, delta: float, distance_um: float, labels: np.ndarray,
) -> int:
    stack = np.empty((1024, 2), np.int64)
    first_row = first_plane * height
    last_plane = first_plane + (len(starts) - 1) // height
    count = 0
    for seed in seeds:
        if labels[seed] != 0:
            continue
        peak = values[seed]
        if not (peak > threshold and distance_um > 0):
            continue
        count += 1
        tolerance = delta * peak
        labels[seed] = count
        seed_run = np.searchsorted(offsets, seed, side="right") - 1
        seed_x = begins[seed_run] + seed - offsets[seed_run]
        seed_z, seed_y = rows[seed_run] // height, rows[seed_run] % height
        stack[0, 0], stack[0, 1] = rows[seed_run], seed_x
        waiting = 1
        while waiting > 0:
            waiting -= 1
            z0, y0, x0 = stack[waiting, 0] // height, stack[waiting, 0] % height, stack[waiting, 1]
            if waiting + 26 > len(stack):
                larger = np.empty((2 * len(stack), 2), np.int64)
                larger[:waiting] = stack[:waiting]
                stack = larger
            for z in range(max(z0 - 1, first_plane), min(z0 + 2, last_plane)):
                for y in range(max(y0 - 1, 0), min(y0 + 2, height)):
                    row = z * height + y
                    # The first run of this row that ends beyond x0 - 1.
                    run, high = starts[row - first_row], starts[row - first_row + 1]
                    last = high
                    while run < high:
                        middle = (run + high) // 2
                        if ends[middle] <= x0 - 1:
                            run = middle + 1
                        else:
                            high = middle
                    while run < last and begins[run] <= x0 + 1:
                        for x in range(max(x0 - 1, begins[run]), min(x0 + 2, ends[run])):
                            place = offsets[run] + x - begins[run]
                            p = values[place]
                            if not (p > threshold and abs(p - peak) <= tolerance) or labels[place] != 0:
                                continue
                            away_z = (z - seed_z) * z_um
                            away_y = (y - seed_y) * y_um
                            away_x = (x - seed_x) * x_um
                            if np.sqrt(away_z ** 2 + away_y ** 2 + away_x ** 2) >= distance_um:
                                continue
                            labels[place] = count
                            stack[waiting, 0], stack[waiting, 1] = row, x
                            waiting += 1
                        run += 1
    return count
