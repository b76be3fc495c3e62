"""Centre lines of found dendrites as a tracing, for SNT and other tracing programs."""

from __future__ import annotations

import numpy as np

from deepd3_ij.annotation.tracing import ROOT, Tracing
from deepd3_ij.measurement.dendrites import Dendrites
from deepd3_ij.measurement.skeleton import CentreLine
from deepd3_ij.stack import DIMS

DENDRITE_TYPE = 3
_TOLERANCE_UM = 1e-6


def tracing_of(dendrites: Dendrites) -> Tracing:
    """Turn the centre lines of dendrites into traced neurites.

    Parameters
    ----------
    dendrites
        Result of :func:`deepd3_ij.measurement.dendrites.find_dendrites`.

    Returns
    -------
    Tracing
        One tree per dendrite, in µm on the stack's coordinates; a side branch starts at its node of the
        longest path.
    """
    origin_zyx = np.array([float(dendrites.labels.coords[dim][0]) for dim in DIMS])
    parents, points, radii = [], [], []
    count = 0
    for line in dendrites.centre_lines:
        own = parents_of(line)
        parents.append(np.where(own < 0, ROOT, own + count + 1))
        points.append((line.zyx_um + origin_zyx)[:, ::-1])
        radii.append(line.radius_um)
        count += len(own)
    return Tracing(ids=np.arange(1, count + 1), types=np.full(count, DENDRITE_TYPE, dtype=np.int64),
                   xyz=np.concatenate(points) if points else np.zeros((0, 3)),
                   radius=np.concatenate(radii) if radii else np.zeros(0),
                   parents=np.concatenate(parents).astype(np.int64) if parents else np.zeros(0, dtype=np.int64))


def parents_of(line: CentreLine) -> np.ndarray:
    """Index of each point's parent, -1 for the first; branches follow each other in the arrays of a centre line.

    Along a branch the position grows by the distance between neighbours; where it does not, a new branch starts,
    with a copy of the point that it springs from.
    """
    parents = np.arange(len(line.zyx_um)) - 1
    steps = np.linalg.norm(np.diff(line.zyx_um, axis=0), axis=1)
    starts = np.flatnonzero(np.abs(np.diff(line.position_um) - steps) > _TOLERANCE_UM) + 1
    for start in starts:
        parents[start] = np.linalg.norm(line.zyx_um[:start] - line.zyx_um[start], axis=1).argmin()
    return parents
