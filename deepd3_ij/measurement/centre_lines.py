"""Centre lines of found dendrites as a tracing, for SNT and other tracing programs."""

from __future__ import annotations

import numpy as np

from deepd3_ij.annotation.tracing import ROOT, Tracing
from deepd3_ij.measurement.dendrites import Dendrites

DENDRITE_TYPE = 3


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
    origin_zyx = np.array(dendrites.origin_um)
    parents, points, radii = [], [], []
    count = 0
    for line in dendrites.centre_lines:
        own = line.parents
        parents.append(np.where(own < 0, ROOT, own + count + 1))
        points.append((line.zyx_um + origin_zyx)[:, ::-1])
        radii.append(line.radius_um)
        count += len(own)
    return Tracing(ids=np.arange(1, count + 1), types=np.full(count, DENDRITE_TYPE, dtype=np.int64),
                   xyz=np.concatenate(points) if points else np.zeros((0, 3)),
                   radius=np.concatenate(radii) if radii else np.zeros(0),
                   parents=np.concatenate(parents).astype(np.int64) if parents else np.zeros(0, dtype=np.int64))
