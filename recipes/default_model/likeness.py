"""Measure the stacks that the bundled model was trained on and put the ranges into its card.

    python -m recipes.default_model.likeness --real DATA [--sessions 0 1 3 4 5] [--simulated 40] [--write]

DATA holds rr30a_tpN_x000-340.tif. Of the simulated stacks all voxel sizes and the middle nine tenths of each
other measure count. tp2 moved while
it was scanned, and is left out so that such stacks are told. Without ``--write`` the figures are printed alone.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij import open_stack
from deepd3_ij.model.card import attach_card
from deepd3_ij.model.loading import load_model
from deepd3_ij.segmentation.likeness import measure_quality, ranges_of, unlike
from deepd3_ij.simulation import simulate
from deepd3_ij.training.simulated_samples import varied_parameters
from recipes.default_model.assemble import TARGET

REAL_SESSIONS = range(6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--sessions", type=int, nargs="+", default=[0, 1, 3, 4, 5])
    parser.add_argument("--simulated", type=int, default=40)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    real = {session: measure_quality(open_stack(given.real / f"rr30a_tp{session}_x000-340.tif", xy_um=0.12, z_um=1.0))
            for session in REAL_SESSIONS}
    print(pd.DataFrame(real).T.to_string(float_format="{:.3g}".format))
    for session, quality in real.items():
        others = ranges_of(real[other] for other in given.sessions if other != session)
        print(f"tp{session} against the others:", unlike(quality, others) or "like them")
    simulated = pd.DataFrame([measure_quality(simulate(varied_parameters(np.random.default_rng([seed, 1])), seed).stack)
                              for seed in range(given.simulated)])
    sizes = simulated[["xy_um", "z_um"]]
    ends = [{**simulated.quantile(share).to_dict(), **size.to_dict()}
            for share, size in ((0.05, sizes.min()), (0.95, sizes.max()))]
    ranges = ranges_of([*(real[session] for session in given.sessions), *ends])
    print(ranges)
    if given.write:
        attach_card(TARGET, dataclasses.replace(load_model(TARGET).card, trained_on=ranges))
        print(TARGET)


if __name__ == "__main__":
    main()
