"""Train the model that is shipped with the package, from simulated stacks.

    python -m recipes.default_model.train --folder runs/default --steps 12000 --precision mixed_bfloat16

Can be stopped and started again with --resume.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

RESOLUTION_UM = 0.12
Z_SIGMA_UM = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/default"))
    parser.add_argument("--filters", type=int, default=8)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--precision", default="mixed_bfloat16")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--validation-scenes", type=int, default=12)
    parser.add_argument("--hard-share", type=float, default=0.0, help="Share of dim, and of moved, scenes.")
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    tf.config.threading.set_inter_op_parallelism_threads(given.threads)
    from deepd3_ij.parameters import TrainingParameters
    from deepd3_ij.training.fitting import fit
    from deepd3_ij.training.model_selection import SceneValidation
    from deepd3_ij.training.simulated_samples import HELD_OUT_SEED, SceneSampler, make_scene

    held_out = range(HELD_OUT_SEED, HELD_OUT_SEED + given.validation_scenes)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(make_scene, seed, RESOLUTION_UM, Z_SIGMA_UM) for seed in held_out]
        validation = SceneValidation([job.result() for job in jobs], RESOLUTION_UM)

    def report(done: int, total: int, message: str) -> None:
        if done % 50 == 0:
            print(done, total, message, flush=True)

    parameters = TrainingParameters(filters=given.filters, steps=given.steps, seed=given.seed,
                                    precision=given.precision, learning_rate=given.learning_rate)
    with SceneSampler(given.seed, resolution_um=RESOLUTION_UM, z_sigma_um=Z_SIGMA_UM,
                      hard_share=given.hard_share) as source:
        result = fit(source, parameters, folder=given.folder, validate=validation, resume=given.resume,
                     progress=report)
    result.network.save(given.folder / "best.keras")
    print("best", result.best_step, result.best_score, "seconds", round(result.seconds), flush=True)


if __name__ == "__main__":
    main()
