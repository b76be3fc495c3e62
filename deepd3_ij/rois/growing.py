"""Regions that grow from probability peaks."""

from __future__ import annotations

import numpy as np

from deepd3_ij.compiled import compiled
from deepd3_ij.parallel import in_blocks

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
    parts = in_blocks(lambda begin, end: _positions(spine, threshold, begin, end), spine.shape[0])
    positions = np.concatenate(parts)
    return positions[np.argsort(-spine.reshape(-1)[positions], kind="stable")]


@compiled
def _positions(spine: np.ndarray, threshold: np.float32, begin: int, end: int) -> np.ndarray:
    found = np.empty(4096, np.int64)
    n = 0
    _, height, width = spine.shape
    for z in range(begin, end):
        for y in range(height):
            row = spine[z, y]
            in_row = 0
            for x in range(width):
                in_row += row[x] >= threshold
            if in_row == 0:
                continue
            if n + in_row > len(found):
                larger = np.empty(2 * (n + in_row), np.int64)
                larger[:n] = found[:n]
                found = larger
            for x in range(width):
                if row[x] >= threshold:
                    found[n] = (z * height + y) * width + x
                    n += 1
    return found[:n].copy()


def grow_regions(
    spine: np.ndarray,
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
    spine
        float32 probabilities, shape ``(z, y, x)``.
    seeds
        Positions in the flattened map, in the order in which they may grow.
    voxel_size_um
        Size of a voxel in µm along z, y and x.
    area_threshold, seed_delta, distance_um
        See above and :class:`deepd3_ij.parameters.Roi3DParameters`.

    Returns
    -------
    labels : numpy.ndarray
        int32, regions numbered from 1 in the order of their seeds.
    count : int
        Number of regions.
    """
    labels = np.zeros(spine.shape, np.int32)
    z_um, y_um, x_um = voxel_size_um
    # 6 × 0.15 is a little less than 0.9 in floating point; nothing that matters lies that near to the limit.
    limit_um = distance_um * (1 - _ROUNDING)
    count = _grow(spine, seeds, z_um, y_um, x_um, np.float32(area_threshold), seed_delta, limit_um, labels)
    return labels, count


@compiled
def _grow(
    spine: np.ndarray, seeds: np.ndarray, z_um: float, y_um: float, x_um: float,
    threshold: np.float32, delta: float, distance_um: float, labels: np.ndarray,
) -> int:
    depth, height, width = spine.shape
    stack = np.empty((1024, 3), np.int32)
    count = 0
    for seed in seeds:
        seed_x = seed % width
        seed_y = (seed // width) % height
        seed_z = seed // (width * height)
        if labels[seed_z, seed_y, seed_x] != 0:
            continue
        peak = spine[seed_z, seed_y, seed_x]
        if not (peak > threshold and distance_um > 0):
            continue
        count += 1
        tolerance = delta * peak
        labels[seed_z, seed_y, seed_x] = count
        stack[0, 0], stack[0, 1], stack[0, 2] = seed_z, seed_y, seed_x
        waiting = 1
        while waiting > 0:
            waiting -= 1
            z0, y0, x0 = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2]
            if waiting + 26 > len(stack):
                larger = np.empty((2 * len(stack), 3), np.int32)
                larger[:waiting] = stack[:waiting]
                stack = larger
            for z in range(max(z0 - 1, 0), min(z0 + 2, depth)):
                for y in range(max(y0 - 1, 0), min(y0 + 2, height)):
                    for x in range(max(x0 - 1, 0), min(x0 + 2, width)):
                        p = spine[z, y, x]
                        if not (p > threshold and abs(p - peak) <= tolerance) or labels[z, y, x] != 0:
                            continue
                        away_z = (z - seed_z) * z_um
                        away_y = (y - seed_y) * y_um
                        away_x = (x - seed_x) * x_um
                        if np.sqrt(away_z ** 2 + away_y ** 2 + away_x ** 2) >= distance_um:
                            continue
                        labels[z, y, x] = count
                        stack[waiting, 0], stack[waiting, 1], stack[waiting, 2] = z, y, x
                        waiting += 1
    return count
