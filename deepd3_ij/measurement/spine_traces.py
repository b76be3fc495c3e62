"""Spines as twigs of traced dendrites, for SNT and other tracing programs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from deepd3_ij.annotation.tracing import ROOT, Tracing

SPINE_TYPE = 7
"""Structure code of a spine's nodes; from 5 on, codes are free."""
NEEDED = tuple(f"{place}_{dim}_um" for place in ("base", "tip") for dim in "xyz")
"""Columns of the table of spines from which twigs are made."""


@dataclass(frozen=True, eq=False)
class SpineTraces:
    """A tracing with spines.

    Attributes
    ----------
    tracing
        The dendrites' nodes as they were, then two of :data:`SPINE_TYPE` for each spine: base and tip.
    drawn
        Ids of the spines that are in it, in their order, int64.
    left_out
        Ids of those without a dendrite, a base or a tip, int64.
    """

    tracing: Tracing
    drawn: np.ndarray
    left_out: np.ndarray


def with_spines(tracing: Tracing, spines: pd.DataFrame) -> SpineTraces:
    """Add spines to the centre lines of their dendrites.

    Parameters
    ----------
    tracing
        Centre lines in µm, one tree per dendrite, in the order of the dendrites' ids.
    spines
        Table of spines, in µm on the same coordinates.

    Returns
    -------
    SpineTraces
        The base is a child of the nearest node of the spine's dendrite, the tip one of the base. Their radii are 0,
        which stands for "not known".
    """
    places = spines[list(NEEDED)].to_numpy(dtype=np.float64)
    dendrite = spines["dendrite_id"].to_numpy()
    tree = np.cumsum(tracing.parents == ROOT)
    drawn = np.isfinite(places).all(axis=1) & np.isin(dendrite, tree)
    base, tip = places[drawn, :3], places[drawn, 3:]
    anchors = np.empty(len(base), dtype=np.int64)
    for identity in np.unique(dendrite[drawn]):
        own = np.flatnonzero(tree == identity)
        chosen = dendrite[drawn] == identity
        anchors[chosen] = tracing.ids[own[cKDTree(tracing.xyz[own]).query(base[chosen])[1]]]
    first = tracing.ids.max(initial=0) + 1
    ids = first + np.arange(2 * len(base))
    nodes = np.stack([base, tip], axis=1).reshape(-1, 3)
    parents = np.stack([anchors, ids[::2]], axis=1).ravel()
    joined = Tracing(ids=np.concatenate([tracing.ids, ids]),
                     types=np.concatenate([tracing.types, np.full(len(ids), SPINE_TYPE)]),
                     xyz=np.concatenate([tracing.xyz, nodes]),
                     radius=np.concatenate([tracing.radius, np.zeros(len(ids))]),
                     parents=np.concatenate([tracing.parents, parents]))
    identities = spines["id"].to_numpy(dtype=np.int64)
    return SpineTraces(joined, identities[drawn], identities[~drawn])
