"""Score a network on simulated stacks that it was not trained on."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.measurement.evaluation import match_points
from deepd3_ij.parameters import EvaluationParameters, Roi3DParameters
from deepd3_ij.rois.building_3d import label_spines_3d
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.training.backends import compiled
from deepd3_ij.training.fitting import Validation
from deepd3_ij.training.simulated_samples import ScenePlanes

AREA_THRESHOLDS = (0.15, 0.3, 0.5)
MIN_PEAKS = (0.4, 0.6, 0.8, 0.9)
MIN_VOLUMES_UM3 = (0.05, 0.15, 0.3)

Map = npt.NDArray[np.float32]


class PlanePredictor:
    """Predicts scaled planes with a network; made once per network, since it is compiled."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self._compute = compiled(network)

    def __call__(self, image: npt.NDArray[np.uint16]) -> tuple[Map, Map]:
        """Dendrite and spine probabilities of uint16 planes ``(z, y, x)`` scaled to 0…65535."""
        height, width = image.shape[1:]
        pad = ((0, 0), (0, -height % 16), (0, -width % 16))
        planes: Map = np.pad(image.astype(np.float32) / 65535 * 2 - 1, pad, mode="reflect")
        maps = [self._compute(planes[start:start + 4, :, :, None]) for start in range(0, len(planes), 4)]
        dendrite, spine = (np.concatenate([pair[k] for pair in maps])[:, :height, :width, 0] for k in (0, 1))
        return dendrite, spine


def dice(found: npt.NDArray[np.bool_], target: npt.NDArray[np.int8]) -> tuple[int, int]:
    """Twice the overlap, and the sum of both sizes, over the voxels that count."""
    found = found & (target >= 0)
    return 2 * int((found & (target == 1)).sum()), int(found.sum() + (target == 1).sum())


def count_matches(
    spine: Map, scene: ScenePlanes, xy_um: float, parameters: Roi3DParameters
) -> tuple[int, int, int]:
    """Matched, missed and false ROIs of one scene; ROIs on doubtful spines do not count as false."""
    voxel = (scene.z_um, xy_um, xy_um)
    labels = label_spines_3d(spine, voxel, parameters)
    regions = label_statistics(labels)
    centres = regions.centroids_zyx
    truth = scene.spots
    planar = np.hypot(centres[:, None, 1] - truth[None, :, 1], centres[:, None, 2] - truth[None, :, 2]) * xy_um
    axial = np.abs(centres[:, None, 0] - truth[None, :, 0]) * scene.z_um
    rows, _ = match_points(planar, axial, EvaluationParameters(match_xy_um=0.8, match_z_planes=2.0))
    doubtful = np.zeros(int(labels.max()) + 1, bool)
    doubtful[labels[scene.spine == -1]] = True
    false = int((~doubtful[np.delete(regions.ids, rows)]).sum())
    return len(rows), len(truth) - len(rows), false


class SceneValidation:
    """Dice of both maps and F1 of spine ROIs on held-out scenes."""

    def __init__(self, scenes: Sequence[ScenePlanes], xy_um: float) -> None:
        self.scenes = scenes
        self.xy_um = xy_um
        self._predict: PlanePredictor | None = None

    def __call__(self, network: Any) -> Validation:
        if self._predict is None or self._predict.network is not network:
            self._predict = PlanePredictor(network)
        overlap = np.zeros((2, 2))
        counts = np.zeros(3)
        for scene in self.scenes:
            dendrite, spine = self._predict(scene.image)
            overlap[0] += dice(dendrite > 0.5, scene.dendrite)
            overlap[1] += dice(spine > 0.4, scene.spine)
            smallest = max(3, round(0.05 / (self.xy_um ** 2 * scene.z_um)))
            counts += count_matches(spine, scene, self.xy_um, Roi3DParameters(
                mode="connected", area_threshold=0.3, min_peak=0.6, min_voxels=smallest, max_voxels=100_000))
        dendrite_dice, spine_dice = overlap[:, 0] / np.maximum(overlap[:, 1], 1)
        matched, missed, false = counts
        f1 = 2 * matched / max(1, 2 * matched + missed + false)
        return Validation(float(dendrite_dice + spine_dice + f1) / 3, {
            "dendrite_dice": float(dendrite_dice), "spine_dice": float(spine_dice), "spine_f1": float(f1)})


@dataclass(frozen=True)
class Calibration:
    """Thresholds that suit a network, as a card's ``recommended``, and the scores that they give."""

    recommended: dict[str, Any]
    scores: dict[str, float]


def calibrate(network: Any, validation: SceneValidation) -> Calibration:
    """Find the ROI thresholds with the best F1 over annotated scenes.

    Tried are connected components with all combinations of `AREA_THRESHOLDS`, `MIN_PEAKS` and
    `MIN_VOLUMES_UM3`. Of combinations with the same F1 the middle one is taken.
    """
    predict = PlanePredictor(network)
    maps = [predict(scene.image) for scene in validation.scenes]
    tried: dict[tuple[float, float, float], float] = {}
    for area, peak, volume in itertools.product(AREA_THRESHOLDS, MIN_PEAKS, MIN_VOLUMES_UM3):
        if peak <= area:
            continue
        counts = np.zeros(3)
        for (_, spine), scene in zip(maps, validation.scenes, strict=True):
            smallest = max(1, round(volume / (validation.xy_um ** 2 * scene.z_um)))
            counts += count_matches(spine, scene, validation.xy_um, Roi3DParameters(
                mode="connected", area_threshold=area, min_peak=peak, min_voxels=smallest, max_voxels=1_000_000_000))
        matched, missed, false = counts
        tried[area, peak, volume] = 2 * matched / max(1.0, 2 * matched + missed + false)
    best = [key for key, value in tried.items() if value >= max(tried.values()) - 1e-9]
    area, peak, volume = best[len(best) // 2]
    overlap = np.sum([dice(dendrite > 0.5, scene.dendrite)
                      for (dendrite, _), scene in zip(maps, validation.scenes, strict=True)], axis=0)
    recommended = {"Roi3DParameters": {"mode": "connected", "area_threshold": area, "min_peak": peak},
                   "min_volume_um3": volume, "max_volume_um3": 20.0}
    return Calibration(recommended, {"spine_f1": float(tried[area, peak, volume]),
                                     "dendrite_dice": float(overlap[0] / max(1, overlap[1]))})
