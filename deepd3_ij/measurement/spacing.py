"""How many spines a dendrite has, and how they are spaced along it, against chance.

Chance is spines at random places of the same tree, no two nearer to each other than two detections can be: nearer ones
would have become one. Positions on a tree are those of its centre line: a branch and the length from the tree's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.skeleton import CentreLine

CONFIDENCE = 0.95
FEWEST_SPINES = 5
HARD_CORE_UM = 0.5
"""Detections nearer to each other than this merge."""
REDRAWS = 199
RADII_UM = np.arange(0.5, 5.01, 0.25)
NAMED_RADIUS_UM = 2.0
MOST_TRIES = 100


def density_interval(count: np.ndarray, length_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact 95 % interval of densities, from the Poisson distribution of counts.

    Parameters
    ----------
    count
        Numbers of spines, shape ``(n,)``.
    length_um
        Lengths, shape ``(n,)``.

    Returns
    -------
    tuple of numpy.ndarray
        Lower and upper limits in 1/µm, float64, shape ``(n,)``.
    """
    tail = (1 - CONFIDENCE) / 2
    low = np.where(count > 0, chi2.ppf(tail, np.maximum(2 * count, 1)) / 2, 0.0)
    return low / length_um, chi2.ppf(1 - tail, 2 * np.asarray(count) + 2) / 2 / length_um


@dataclass(frozen=True, eq=False)
class Tree:
    """Branches of a centre line as lengths.

    Attributes
    ----------
    begins, ends
        Position of the ends of each branch, float64, shape ``(b,)``.
    entries
        Where the way from branch i to branch j enters the branch that both ways have in common, float64, shape
        ``(b, b)``; NaN where that is branch i itself.
    """

    begins: np.ndarray
    ends: np.ndarray
    entries: np.ndarray

    @classmethod
    def of(cls, line: CentreLine) -> Tree:
        starts = line.branch_starts
        lasts = np.append(starts[1:], len(line.zyx_um)) - 1
        parents = line.parents[starts]
        mother = np.where(parents >= 0, line.branch_of_points[parents], -1)
        begins, ends = line.position_um[starts], line.position_um[lasts]
        entries = np.full((len(starts), len(starts)), np.nan)
        for other in range(len(starts)):
            above = _ancestors(mother, other)
            for one in range(len(starts)):
                here, entry = one, np.nan
                while here not in above:
                    here, entry = int(mother[here]), float(begins[here])
                entries[one, other] = entry
        return cls(begins, ends, entries)

    @property
    def length_um(self) -> float:
        """Summed length of the branches."""
        return float((self.ends - self.begins).sum())

    def distances(self, branch: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Distances along the tree between all pairs of places, float64, shape ``(n, n)``."""
        return _distances(branch, position, self.entries)


def places_on(line: CentreLine, points_um: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Branch (int64) and position (float64) of the points of a centre line that are nearest to other points."""
    nearest = line.tree.query(points_um)[1]
    return line.branch_of_points[nearest], line.position_um[nearest]


def spacing(tree: Tree, branch: np.ndarray, position: np.ndarray, seed: int = 0) -> Mapping[str, float]:
    """Describe the spacing of spines.

    Parameters
    ----------
    tree
        The dendrite.
    branch, position
        Place of each spine on it, shape ``(n,)``.
    seed
        Of the random redraws.

    Returns
    -------
    mapping
        ``gap_cv``: standard deviation of the gaps between neighbours on a branch, over their mean;
        ``nearest_gap_ratio``: mean distance to the nearest spine over the 1 / (2 density) of chance, below 1 for
        clusters; ``k_ratio``: number of other spines within 2 µm over that of 199 redraws; ``spacing_p``: share of
        redraws, the spines themselves included, whose numbers within 0.5 to 5 µm differ as much from the mean. NaN for
        fewer than five spines.
    """
    names = ("gap_cv", "nearest_gap_ratio", "k_ratio", "spacing_p")
    count = len(position)
    if count < FEWEST_SPINES or not tree.length_um > 0:
        return dict.fromkeys(names, np.nan)
    gaps = np.concatenate([np.diff(np.sort(position[branch == one])) for one in np.unique(branch)])
    apart = tree.distances(branch, position)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    observed = _pairs_within(apart, RADII_UM)
    generator = np.random.default_rng(seed)
    core = min(HARD_CORE_UM, float(nearest.min()))
    redrawn = np.stack([_pairs_within(_redrawn(tree, count, core, generator), RADII_UM) for _ in range(REDRAWS)])
    every = np.sqrt(np.concatenate([observed[None], redrawn]))  # of equal variance, as L instead of K
    misfit = ((every - every[1:].mean(axis=0)) ** 2).sum(axis=1)
    named = int(np.argmin(np.abs(RADII_UM - NAMED_RADIUS_UM)))
    expected = redrawn[:, named].mean()
    return dict(zip(names, (
        float(gaps.std(ddof=1) / gaps.mean()) if len(gaps) > 1 and gaps.mean() > 0 else np.nan,
        float(nearest.mean() * 2 * count / tree.length_um),
        float(observed[named] / expected) if expected > 0 else np.nan,
        float((misfit >= misfit[0]).mean())), strict=True))


def _ancestors(mother: np.ndarray, branch: int) -> set[int]:
    """A branch and those that lead to it."""
    found = set()
    while branch >= 0:
        found.add(branch)
        branch = int(mother[branch])
    return found


def _redrawn(tree: Tree, count: int, core_um: float, generator: np.random.Generator) -> np.ndarray:
    """Distances between as many spines at random places, infinite from each to itself."""
    lengths = tree.ends - tree.begins
    limits = np.cumsum(lengths)
    drawn = generator.random((count, MOST_TRIES)) * limits[-1]
    apart = _drawn_apart(drawn, limits, tree.begins, lengths, tree.entries, core_um)
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart)


def _pairs_within(apart: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Number of ordered pairs within each radius."""
    bins = np.searchsorted(radii, apart[apart <= radii[-1]])
    return np.cumsum(np.bincount(bins, minlength=len(radii))[:len(radii)]).astype(np.float64)


@compiled
def _apart(one_branch, one, other_branch, other, entries):  # type: ignore[no-untyped-def]  # numba types
    here, there = entries[one_branch, other_branch], entries[other_branch, one_branch]
    if np.isnan(here):
        here = one
    if np.isnan(there):
        there = other
    return abs(one - here) + abs(other - there) + abs(here - there)


@compiled
def _distances(branch, position, entries):  # type: ignore[no-untyped-def]  # numba types
    count = len(branch)
    apart = np.zeros((count, count))
    for one in range(count):
        for other in range(one):
            apart[one, other] = apart[other, one] = _apart(branch[one], position[one], branch[other], position[other],
                                                           entries)
    return apart


@compiled
def _drawn_apart(drawn, limits, begins, lengths, entries, core):  # type: ignore[no-untyped-def]  # numba types
    """Place spines one after the other, each at the first of its drawn places that no other is too near to."""
    count, tries = drawn.shape
    branch, position = np.zeros(count, np.int64), np.zeros(count)
    for spine in range(count):
        for attempt in range(tries):
            one = min(np.searchsorted(limits, drawn[spine, attempt]), len(limits) - 1)
            place = begins[one] + drawn[spine, attempt] - (limits[one] - lengths[one])
            free = True
            for other in range(spine):
                if _apart(one, place, branch[other], position[other], entries) < core:
                    free = False
                    break
            branch[spine], position[spine] = one, place
            if free:
                break
    return _distances(branch, position, entries)
