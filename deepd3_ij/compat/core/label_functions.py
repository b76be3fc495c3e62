"""Label functions of ``core.analysis``."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from deepd3_ij.compat.pitch import Dimensions, pitch_of
from deepd3_ij.errors import ParameterError
from deepd3_ij.probabilities import checked_probabilities
from deepd3_ij.rois.growing import find_seeds, grow_regions
from deepd3_ij.rois.labels import checked_labels, consecutive, label_maxima, label_statistics, renumber


def centroid3D(im: np.ndarray) -> tuple[float, float, float]:
    """Centroid of a binary volume.

    Parameters
    ----------
    im
        Binary volume ``(z, y, x)``.

    Returns
    -------
    tuple of float
        Mean z, y, x in voxels; (0, 0, 0) for an empty volume.
    """
    found = label_statistics(np.asarray(im) != 0)
    z, y, x = found.centroids_zyx[0].tolist() if len(found) else (0.0, 0.0, 0.0)
    return z, y, x


def centroids3D_from_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments and planes of every label; row 0 is the background.

    Parameters
    ----------
    labels
        Integer labels ``(z, y, x)``, 0…N.

    Returns
    -------
    first_order : numpy.ndarray
        Sums of z, y, x, float64 ``(N + 1, 3)``; divide by the second result for centroids. (The original sums in
        single precision, which is inexact for the background.)
    zero_order : numpy.ndarray
        Number of voxels, float64 ``(N + 1,)``.
    planes : numpy.ndarray
        1 where a label occurs in a plane, int32 ``(N + 1, planes)``.
    """
    volume = checked_labels(np.asarray(labels))
    count = int(volume.max(initial=0)) + 1
    first, zero = np.zeros((count, 3)), np.zeros(count)
    planes = np.zeros((count, len(volume)), np.int32)
    rows, columns = (axis.ravel() for axis in np.indices(volume.shape[1:], dtype=np.float64))
    for z, plane in enumerate(volume):
        flat = plane.ravel()
        here = np.bincount(flat, minlength=count)
        zero += here
        first += np.stack([z * here, np.bincount(flat, rows, count), np.bincount(flat, columns, count)], axis=1)
        planes[:, z] = here > 0
    return first, zero, planes


def cleanLabels(labels: np.ndarray, rois_to_delete: ArrayLike) -> np.ndarray:
    """Set labels to background.

    Parameters
    ----------
    labels
        Integer labels ``(z, y, x)``.
    rois_to_delete
        Ids; those that do not occur are ignored.

    Returns
    -------
    numpy.ndarray
        int32; the other labels keep their ids.
    """
    volume = checked_labels(np.asarray(labels))
    ids = label_statistics(volume).ids
    kept = ids[~np.isin(ids, np.asarray(rois_to_delete))]
    return renumber(volume, kept, kept)


def reid(labels: np.ndarray) -> np.ndarray:
    """Number labels 1…n in the order of their old ids; 0 stays background, also where it does not occur.

    Parameters
    ----------
    labels
        Integer labels ``(z, y, x)``.

    Returns
    -------
    numpy.ndarray
        int32.
    """
    volume = checked_labels(np.asarray(labels))
    ids = label_statistics(volume).ids
    return renumber(volume, ids, consecutive(len(ids)))


def getROIsizes(labels: np.ndarray) -> np.ndarray:
    """Number of voxels of every label.

    Parameters
    ----------
    labels
        Integer labels ``(z, y, x)``, 0…N.

    Returns
    -------
    numpy.ndarray
        int64 ``(N + 1,)``; the index is the label, 0 the background. (The original leaves out the last label and
        counts to 65,535 only.)
    """
    return np.bincount(checked_labels(np.asarray(labels)).ravel())


def minMaxProbability(labels: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Smallest and largest probability of every label.

    Parameters
    ----------
    labels
        Integer labels ``(z, y, x)``, 0…N.
    prediction
        Probabilities of the same shape.

    Returns
    -------
    numpy.ndarray
        float64 ``(N + 1, 2)``; the index is the label. Row 0 and labels that do not occur are [1, 0]. (The
        original leaves out the last label.)
    """
    volume = checked_labels(np.asarray(labels))
    values = _map(prediction)
    if volume.shape != values.shape:
        raise ParameterError(f"labels have shape {volume.shape}, the prediction {values.shape}; accepted: one shape.")
    ids = label_statistics(volume).ids
    result = np.tile([1.0, 0.0], (int(volume.max(initial=0)) + 1, 1))
    result[ids, 0] = -label_maxima(volume, -values, ids)
    result[ids, 1] = label_maxima(volume, values, ids)
    return result


def _get_sorted_seeds(stack: np.ndarray, threshold: float = 0.8) -> np.ndarray:
    """Voxels with at least the probability `threshold`, the most probable first, equals in raster order.

    Parameters
    ----------
    stack
        Probabilities ``(z, y, x)``.
    threshold
        Smallest probability of a seed.

    Returns
    -------
    numpy.ndarray
        int64 ``(n, 3)``, columns z, y, x.
    """
    values = _map(stack)
    return np.stack(np.unravel_index(find_seeds(values, threshold), values.shape), axis=1)


def _neighbours(x: int, y: int, z: int) -> list[tuple[int, int, int]]:
    """Give the 26 neighbours (x, y, z) of a voxel, whether or not they lie in the volume."""
    steps = (-1, 0, 1)
    return [(x + i, y + j, z + k) for i in steps for j in steps for k in steps if (i, j, k) != (0, 0, 0)]


def _distance_to_seed(
    seed: tuple[float, float, float], pos: tuple[float, float, float], delta_xy: float = 1, delta_z: float = 1
) -> float:
    """Distance between two voxels.

    Parameters
    ----------
    seed, pos
        Coordinates x, y, z.
    delta_xy, delta_z
        Pitch of x and y, and of z.

    Returns
    -------
    float
        In the unit of the pitch.
    """
    steps = (np.asarray(seed, float) - np.asarray(pos, float)) * (delta_xy, delta_xy, delta_z)
    return float(np.linalg.norm(steps))


def connected_components_3d(
    prediction: np.ndarray, seeds: np.ndarray, delta: float, threshold: float, distance: float, dimensions: Dimensions
) -> tuple[np.ndarray, int]:
    """Grow a region from every seed; see :func:`deepd3_ij.rois.growing.grow_regions`.

    The distance to the seed takes the pitch as documented: xy for rows and columns, z for planes. (The original
    takes the z pitch for columns and the xy pitch for planes, so that results differ where the two differ.)

    Parameters
    ----------
    prediction
        Probabilities ``(z, y, x)``.
    seeds
        Voxels ``(n, 3)``, columns z, y, x, in the order in which they may grow.
    delta
        Largest difference to the seed's probability, relative to it.
    threshold
        Probability that a voxel must exceed.
    distance
        A region stays nearer to its seed than this, in µm.
    dimensions
        ``{'xy': …, 'z': …}`` or ``(xy, z)`` in µm.

    Returns
    -------
    labels : numpy.ndarray
        int32 ``(z, y, x)``, numbered from 1 in the order of the seeds.
    N : int
        Number of regions. (Seeds that fail the conditions themselves use up no number.)
    """
    values = _map(prediction)
    places = np.asarray(seeds, dtype=np.int64).reshape(-1, 3)
    if ((places < 0) | (places >= values.shape)).any():
        raise ParameterError(f"A seed lies outside of the prediction of shape {values.shape}; accepted: columns "
                             "z, y, x, counted from 0.")
    xy_um, z_um = pitch_of(dimensions)
    positions = np.asarray(np.ravel_multi_index(tuple(places.T), values.shape))
    return grow_regions(values, positions, (z_um, xy_um, xy_um),
                        area_threshold=threshold, seed_delta=delta, distance_um=distance)


def _map(prediction: np.ndarray) -> np.ndarray:
    return checked_probabilities(np.asarray(prediction), "prediction")
