"""Put the network of a checkpoint and its card into the model file that the package brings.

    python -m recipes.default_model.assemble runs/finetuned/checkpoint.npz
"""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

from deepd3_ij.model.card import ModelCard
from deepd3_ij.model.saving import save_network
from deepd3_ij.training.fitting import load_checkpoint_network

TARGET = Path(__file__).resolve().parents[2] / "deepd3_ij" / "model" / "bundled" / "deepd3_ij_8F.keras"

# Every threshold was tuned on one session and scored on the two others, which the weights had not seen either.
SCORES = {
    "two_photon_f1": {
        "fine-tuned on tp0": {"tp2": 0.677, "tp4": 0.777, "pooled": 0.742},
        "fine-tuned on tp2": {"tp0": 0.674, "tp4": 0.740, "pooled": 0.713},
        "fine-tuned on tp4": {"tp0": 0.587, "tp2": 0.702, "pooled": 0.636},
        "fine-tuned, all together": 0.704,
        "simulation only, tuned on tp0": {"tp2": 0.638, "tp4": 0.729, "pooled": 0.695},
        "simulation only, tuned on tp2": {"tp0": 0.644, "tp4": 0.724, "pooled": 0.691},
        "simulation only, tuned on tp4": {"tp0": 0.528, "tp2": 0.588, "pooled": 0.553},
        "simulation only, all together": 0.660,
    },
    "simulated": {"dendrite_dice": 0.806, "spine_f1": 0.688, "voxel_um": "0.12 x 1.0"},
}


def main() -> None:
    card = ModelCard(
        name="deepd3_ij_8F",
        description="Small network for two-photon and confocal stacks, 0.06-0.2 um per pixel: trained on simulated"
                    " stacks, fine-tuned on three in-vivo two-photon sessions with spine markers. "
                    "See docs/model-card.md.",
        resolution_um=0.12,
        z_um=1.0,
        filters=8,
        licence="BSD-3-Clause",
        created=datetime.date.today().isoformat(),
        training={
            "simulated": "4500 batches of 16 tiles of 128 x 128 px from the simulator, seed 1, "
                         "mixed bfloat16, 62 minutes",
            "fine_tuning": "200 batches, 35 % of the tiles from tp0, tp2, tp4 of PyMapManager-Data rr30a "
                           "(MIT), seed 2",
            "commands": ["recipes/default_model/train.py", "recipes/default_model/finetune.py",
                         "recipes/default_model/assemble.py"],
        },
        scores=SCORES,
        recommended={
            "PredictionParameters": {"z_sigma_um": 0.7},
            "CleaningParameters": {"spine_distance_um": 3.0},
            "Roi3DParameters": {"mode": "connected", "area_threshold": 0.15, "min_peak": 0.7},
            "min_volume_um3": 0.72,
            "max_volume_um3": 20.0,
        },
    )
    TARGET.parent.mkdir(exist_ok=True)
    save_network(load_checkpoint_network(Path(sys.argv[1])), TARGET, card)
    print(TARGET)


if __name__ == "__main__":
    main()
