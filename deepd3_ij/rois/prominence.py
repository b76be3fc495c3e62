"""Splitting of a region where the spine probability has several prominent peaks."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from deepd3_ij.compiled import compiled

_CERTAIN = 1e-6
"""Probabilities nearer to 0 or 1 than this count as this near; a float32 map does not tell them apart."""


def pieces_of_peaks(
    probability: np.ndarray, mask: np.ndarray, sigma_px: tuple[float, float, float], prominence: float
) -> tuple[np.ndarray, int]:
    """Share a region out among the prominent peaks of its smoothed log-odds.

    Two peaks stay apart when both exceed the highest saddle between them by the prominence at least; all others are
    joined (persistence: Edelsbrunner and Harer, Contemporary Mathematics 453, 2008). Each voxel goes to the piece of
    its highest neighbour of the 26. Only values within the region count, also for the smoothing, so the result is
    the same wherever the region is cut out.

    Parameters
    ----------
    probability
        float32, shape ``(z, y, x)``; read within the mask alone.
    mask
        The voxels of one region that is connected by faces, edges and corners.
    sigma_px
        Standard deviation of the Gaussian along z, y and x in voxels; 0 for none.
    prominence
        In units of the log-odds (natural logarithm), positive.

    Returns
    -------
    tuple
        int32 labels, numbered from 1 in raster order of the peaks, 0 outside of the mask; their number.
    """
    inside = np.clip(probability[mask].astype(np.float64), _CERTAIN, 1 - _CERTAIN)
    values = np.zeros(mask.shape)
    values[mask] = np.log(inside / (1 - inside))
    if any(sigma > 0 for sigma in sigma_px):
        weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma_px, mode="constant")
        values = ndimage.gaussian_filter(values, sigma_px, mode="constant")
        values[mask] /= weight[mask]
    positions = np.flatnonzero(mask)
    own = values.reshape(-1)[positions]
    if own.max() - own.min() < prominence:
        return mask.astype(np.int32), 1
    return _shared_out(values, positions[np.argsort(-own, kind="stable")], mask.shape, prominence)


def _shared_out(values: np.ndarray, order: np.ndarray, shape: tuple[int, ...],
                prominence: float) -> tuple[np.ndarray, int]:
    pieces = np.zeros(shape, np.int32)
    peaks, parents = _flood(values, order, pieces, prominence)
    roots = np.flatnonzero(parents == np.arange(len(parents)))[1:]  # 0 stands for no piece
    numbers = np.zeros(len(parents), np.int32)
    numbers[roots[np.argsort(peaks[roots])]] = np.arange(1, len(roots) + 1)
    return numbers[_roots_of(parents)][pieces], len(roots)


def _roots_of(parents: np.ndarray) -> np.ndarray:
    roots = parents
    while not np.array_equal(roots, parents[roots]):
        roots = parents[roots]
    return roots


@compiled
def _root(parents: np.ndarray, piece: int) -> int:
    while parents[piece] != piece:
        piece = parents[piece]
    return piece


@compiled
def _around(values: np.ndarray, pieces: np.ndarray, parents: np.ndarray, position: int,
            near: np.ndarray) -> tuple[int, int]:
    """Number of different pieces among the 26 neighbours, which go into `near`, and the one of the highest voxel."""
    depth, height, width = pieces.shape
    z, y, x = position // (height * width), position // width % height, position % width
    met, nearest, highest = 0, 0, -np.inf
    for z1 in range(max(z - 1, 0), min(z + 2, depth)):
        for y1 in range(max(y - 1, 0), min(y + 2, height)):
            for x1 in range(max(x - 1, 0), min(x + 2, width)):
                if pieces[z1, y1, x1] > 0:
                    piece = _root(parents, pieces[z1, y1, x1])
                    if values[z1, y1, x1] > highest:
                        nearest, highest = piece, values[z1, y1, x1]
                    if not (near[:met] == piece).any():
                        near[met] = piece
                        met += 1
    return met, nearest


@compiled
def _flood(values: np.ndarray, order: np.ndarray, pieces: np.ndarray,
           prominence: float) -> tuple[np.ndarray, np.ndarray]:
    """Visit voxels from the highest to the lowest; gives the place of each piece's peak and what joined what."""
    flat, heights = pieces.reshape(-1), values.reshape(-1)
    peaks, parents = np.zeros(len(order) + 1, np.int64), np.zeros(len(order) + 1, np.int64)
    tops = np.zeros(len(order) + 1)
    near = np.empty(26, np.int64)
    count = 0
    for position in order:
        met, nearest = _around(values, pieces, parents, position, near)
        if met == 0:
            count += 1
            peaks[count], parents[count], tops[count] = position, count, heights[position]
            nearest = count
        elif met > 1:
            first = near[np.argmax(tops[near[:met]])]
            for one in near[:met]:
                if one != first and tops[one] - heights[position] < prominence:
                    parents[one] = first
        flat[position] = nearest
    return peaks[:count + 1], parents[:count + 1]
