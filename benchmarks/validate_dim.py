"""Spines of simulated stacks that are dim and noisy and moved while they were scanned, with the default model.

    python -m benchmarks.validate_dim [--scenes 8]

Stacks of 15 × 320 × 320 voxels, 0.12 × 1 µm. The usual ones are as noisy as stacks in vivo; in dim ones a photon
gives a larger pulse and light scatters more, in moved ones the tissue jumps from plane to plane and sways within
planes. Every spine with a signal-to-noise ratio of 7 counts; ROIs on doubtful ones do not count as false.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np

from deepd3_ij import build_rois_3d, clean, predict
from deepd3_ij.measurement.evaluation import match_points
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.parameters import EvaluationParameters, SimulationParameters
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.simulation import SimulatedScene, simulate
from deepd3_ij.training.simulated_samples import HELD_OUT_SEED

XY_UM, Z_UM = 0.12, 1.0
SIZE = {"planes": 15, "height_px": 320, "width_px": 320}
DIM = {"gain": 36.0, "background": 8.0, "halo": 0.12, "head_peak": 100.0}
MOVED = {"plane_shift_um": 0.12, "line_shift_um": 0.06}
KINDS = {"usual": {}, "dim": DIM, "moved": MOVED, "dim and moved": {**DIM, **MOVED}}
VOLUMES_UM3 = (0.72, 0.36, 0.1)
"""Smallest ROIs: as recommended, half of it, and what small spines need."""
_FIRST_SEED = HELD_OUT_SEED + 9000


@dataclass
class Counts:
    """Found, missed and false ROIs."""

    found: int = 0
    missed: int = 0
    false: int = 0

    def row(self) -> str:
        """Recall and precision."""
        return f"{self.found / max(1, self.found + self.missed):.2f} {self.found / max(1, self.found + self.false):.2f}"


def count(scene: SimulatedScene, model: DeepD3Model, totals: dict[float, Counts], prediction: dict[str, Any]) -> None:
    """Find the spines of a scene as `analyze` does, and add them up for each smallest volume."""
    voxel_um3 = Z_UM * XY_UM ** 2
    maps = clean(predict(scene.stack, model, prediction))
    labels = build_rois_3d(maps, {"min_voxels": max(1, round(min(VOLUMES_UM3) / voxel_um3))}).labels.values
    found, truth = label_statistics(labels), label_statistics(scene.spine.values)
    doubtful = np.isin(found.ids, np.unique(labels[scene.doubtful_spine.values]))
    for volume_um3, counts in totals.items():
        large = found.voxels >= round(volume_um3 / voxel_um3)
        offset = found.centroids_zyx[large][:, None] - truth.centroids_zyx[None]
        rows, _ = match_points(np.hypot(offset[..., 1], offset[..., 2]) * XY_UM, np.abs(offset[..., 0]),
                               EvaluationParameters())
        unmatched = np.ones(int(large.sum()), bool)
        unmatched[rows] = False
        counts.found += len(rows)
        counts.missed += len(truth.ids) - len(rows)
        counts.false += int((unmatched & ~doubtful[large]).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--align", choices=("yes", "no"), help="Align planes; as the model recommends without it.")
    given = parser.parse_args()
    model = load_model(given.model)
    typed = {} if given.align is None else {"align_planes": given.align == "yes"}
    print("recall and precision", *(f"| from {volume} µm³" for volume in VOLUMES_UM3))
    for name, light in KINDS.items():
        totals = {volume: Counts() for volume in VOLUMES_UM3}
        for number in range(given.scenes):
            count(simulate(SimulationParameters(**SIZE, **light), _FIRST_SEED + number), model, totals, typed)
        spines = totals[VOLUMES_UM3[0]].found + totals[VOLUMES_UM3[0]].missed
        print(f"{name} ({spines} spines)", *(f"| {counts.row()}" for counts in totals.values()), flush=True)


if __name__ == "__main__":
    main()
