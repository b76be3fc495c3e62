"""Training samples from stacks whose spines are only marked by points and dendrites by lines.

The markers say where a spine is, not how far it reaches. A network that has been trained on
simulated stacks draws the outlines: what it finds at a marker becomes foreground, what it finds
near a traced dendrite without a marker becomes background, and a marker without a find gets a disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from deepd3_ij.parameters import Roi3DParameters
from deepd3_ij.rois.building_3d import label_spines_3d
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.training.simulated_samples import Batch, ScenePlanes, SceneSampler, cut_tile, scale_planes

DISK_UM = 0.40
"""Radius of the disk at a marker that the network does not see."""
SURE_UM3 = 0.15
"""A find smaller than this gets the disk, too."""
UNSURE_UM = 0.85
"""Around markers, pixels up to here are neither foreground nor background."""
SAME_SPINE_UM = 1.2
SAME_SPINE_PLANES = 2
DENDRITE_UM = 0.45
UNSURE_DENDRITE_UM = 1.0
NEAR_UM = 2.5
NEAR_PLANES = 3


@dataclass(frozen=True)
class MarkedStack:
    """A stack with markers.

    ``image`` float32 ``(z, y, x)`` at the training resolution, averaged over planes as for
    prediction; ``heads`` ``(n, 3)`` spine heads and ``trace`` ``(m, 3)`` nodes of the traced
    dendrites (at most a pixel apart) as plane, y and x in pixels.
    """

    image: npt.NDArray[np.float32]
    heads: npt.NDArray[np.float64]
    trace: npt.NDArray[np.float64]
    xy_um: float
    z_um: float


def weak_targets(stack: MarkedStack, spine: npt.NDArray[np.float32], threshold: float = 0.3) -> ScenePlanes:
    """Make targets from markers and a network's spine map.

    Parameters
    ----------
    stack
        Image and markers.
    spine
        Spine probabilities of the network that is to be trained on, shape of the image.
    threshold
        Probability above which the network finds a spine.

    Returns
    -------
    ScenePlanes
        Scaled planes with int8 targets; −1 wherever no annotation tells.
    """
    shape = stack.image.shape
    near = _near_lines(shape, stack.trace, NEAR_UM / stack.xy_um, NEAR_PLANES)
    target = np.where(near, 0, -1).astype(np.int8)
    unsure = _disks(shape, stack.heads, UNSURE_UM / stack.xy_um, SAME_SPINE_PLANES)
    target[unsure] = -1

    every = Roi3DParameters(mode="connected", area_threshold=threshold, min_voxels=1, max_voxels=spine.size)
    labels = label_spines_3d(spine, (stack.z_um, stack.xy_um, stack.xy_um), every)
    regions = label_statistics(labels)
    found = np.zeros(len(stack.heads), bool)
    taken = np.zeros(int(labels.max()) + 1, bool)
    large = regions.voxels >= SURE_UM3 / (stack.z_um * stack.xy_um ** 2)
    if len(regions) and len(stack.heads):
        offset = regions.centroids_zyx[:, None] - stack.heads[None]
        distance = np.hypot(offset[..., 1], offset[..., 2]) * stack.xy_um
        distance[np.abs(offset[..., 0]) > SAME_SPINE_PLANES] = np.inf
        for _ in range(len(stack.heads)):
            row, column = np.unravel_index(int(distance.argmin()), distance.shape)
            if distance[row, column] > SAME_SPINE_UM:
                break
            taken[regions.ids[row]] = True
            found[column] = large[row]
            distance[row] = np.inf
            distance[:, column] = np.inf
    target[_disks(shape, stack.heads[~found], DISK_UM / stack.xy_um, 1)] = 1
    in_doubt = (spine > 0.5 * threshold) & near & (target == 0)
    target[(labels > 0) & ~taken[labels] & near & (target == 0)] = 0
    target[in_doubt & ndimage.maximum_filter(taken[labels], (1, 7, 7))] = -1
    target[taken[labels] & (labels > 0)] = 1

    dendrite = np.full(shape, -1, np.int8)
    dendrite[near] = 0
    dendrite[_near_lines(shape, stack.trace, UNSURE_DENDRITE_UM / stack.xy_um, NEAR_PLANES)] = -1
    dendrite[_near_lines(shape, stack.trace, DENDRITE_UM / stack.xy_um, 1)] = 1
    return ScenePlanes(scale_planes(stack.image), dendrite, target, stack.heads, stack.z_um)


def _near_lines(shape: tuple[int, ...], nodes: npt.NDArray[np.float64], radius_px: float, planes: int
                ) -> npt.NDArray[np.bool_]:
    """Voxels within `radius_px` of a node in the plane, at most `planes` away."""
    near = np.zeros(shape, bool)
    which = np.rint(nodes).astype(int)
    for z in range(shape[0]):
        seeds = np.ones(shape[1:], bool)
        close = which[np.abs(which[:, 0] - z) <= planes]
        close = close[((close[:, 1:] >= 0) & (close[:, 1:] < shape[1:])).all(1)]
        if len(close):
            seeds[close[:, 1], close[:, 2]] = False
            near[z] = ndimage.distance_transform_edt(seeds) <= radius_px
    return near


def _disks(shape: tuple[int, ...], centres: npt.NDArray[np.float64], radius_px: float, planes: int
           ) -> npt.NDArray[np.bool_]:
    """Disks around points, repeated on `planes` planes above and below."""
    mask = np.zeros(shape, bool)
    y, x = np.ogrid[:shape[1], :shape[2]]
    for cz, cy, cx in centres:
        z = round(cz)
        mask[max(0, z - planes):z + planes + 1] |= (y - cy) ** 2 + (x - cx) ** 2 <= radius_px ** 2
    return mask


class MixedSampler:
    """Batches of simulated tiles in which a share of tiles comes from marked stacks."""

    def __init__(self, simulated: SceneSampler, marked: list[ScenePlanes], share: float = 0.35) -> None:
        self.simulated = simulated
        self.marked = marked
        self.share = share
        self._spots = [np.argwhere(scene.spine == 1) for scene in marked]
        self._sure = [np.argwhere(scene.spine == 0) for scene in marked]

    def batch(self, index: int, size: int) -> Batch:
        """Make batch `index`, see :meth:`SceneSampler.batch`."""
        batch = self.simulated.batch(index, size)
        rng = np.random.default_rng([self.simulated.seed, 3, index])
        for k in range(round(size * self.share)):
            which = int(rng.integers(len(self.marked)))
            scene = self.marked[which]
            places: Any = self._spots[which] if rng.random() < 0.6 else self._sure[which]
            tile = cut_tile(rng, scene, self.simulated.tile_px, around=places[rng.integers(len(places))])
            for part, plane in zip(batch, tile, strict=True):
                part[k, :, :, 0] = plane
        return batch
