"""Fine-tune the simulation-only model on marked two-photon stacks (weak labels), together with simulated scenes.

    python -m recipes.default_model.finetune --start runs/default/checkpoint.npz --real DATA --sessions 0 \
        --folder runs/finetuned0

DATA holds rr30a_tpN_x000-340.tif, rr30a_tpN_spines.csv and rr30a_tpN_dendrites.swc.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

XY_UM, Z_UM = 0.12, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", type=Path, required=True, help="Checkpoint of the simulation-only training.")
    parser.add_argument("--real", type=Path, required=True, help="Folder of the marked stacks.")
    parser.add_argument("--sessions", type=int, nargs="+", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--share", type=float, default=0.35)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--precision", default="mixed_bfloat16")
    given = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["OMP_NUM_THREADS"] = "2"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    from deepd3_ij.parameters import TrainingParameters
    from deepd3_ij.training.fitting import fit, load_checkpoint_network
    from deepd3_ij.training.model_selection import PlanePredictor
    from deepd3_ij.training.simulated_samples import SceneSampler, scale_planes
    from recipes.default_model.weak_labels import MixedSampler, weak_targets

    start = load_checkpoint_network(given.start)
    predict = PlanePredictor(start)
    marked = []
    for session in given.sessions:
        stack = read_marked(given.real, session)
        marked.append(weak_targets(stack, predict(scale_planes(stack.image))[1]))
        print("session", session, "foreground voxels", int((marked[-1].spine == 1).sum()), flush=True)
    parameters = TrainingParameters(filters=8, steps=given.steps, seed=given.seed, precision=given.precision,
                                    learning_rate=given.learning_rate, averaging=0.98, validate_every=given.steps)

    def report(done: int, total: int, message: str) -> None:
        if done % 50 == 0:
            print(done, total, message, flush=True)

    with SceneSampler(given.seed, pool=40, batches_per_scene=8) as simulated:
        fit(MixedSampler(simulated, marked, given.share), parameters, folder=given.folder, initial=start,
            progress=report)


def read_marked(folder: Path, session: int):  # type: ignore[no-untyped-def]  # imports stay inside
    """Read one session: planes near the tracing, averaged over planes as for prediction."""
    import numpy as np
    import pandas as pd
    import tifffile

    from deepd3_ij.files.swc import read_swc
    from deepd3_ij.segmentation.smoothing import smooth_along_z
    from recipes.default_model.weak_labels import MarkedStack

    image = smooth_along_z(tifffile.imread(folder / f"rr30a_tp{session}_x000-340.tif"), 0.7, Z_UM)
    table = pd.read_csv(folder / f"rr30a_tp{session}_spines.csv")
    heads = table.loc[table["isBad"] != 1, ["z_slice0", "head_y_px", "head_x_px"]].to_numpy(float)
    tracing = read_swc(folder / f"rr30a_tp{session}_dendrites.swc")
    trace = tracing.xyz[:, ::-1] / (Z_UM, XY_UM, XY_UM)
    low, high = max(0, int(trace[:, 0].min()) - 4), int(trace[:, 0].max()) + 5
    shift = np.array([low, 0, 0])
    return MarkedStack(image[low:high], heads - shift, trace - shift, XY_UM, Z_UM)


if __name__ == "__main__":
    main()
