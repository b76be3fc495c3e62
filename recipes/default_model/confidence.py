"""Calibrate the confidence of the bundled model's ROIs on the marked two-photon stacks, and try what else was possible.

    python -m recipes.default_model.confidence --real DATA [--simulated 24] [--write]

DATA holds rr30a_tpN_x000-340.tif, rr30a_tpN_spines.csv and rr30a_tpN_dendrites.swc. Without ``--write`` the figures are
printed and the bundled model stays as it is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij.cli.report import print_reliability
from deepd3_ij.model.loading import load_model
from deepd3_ij.training.confidence_files import judge_annotated_files, write_calibrated
from deepd3_ij.training.confidence_fit import (
    ConfidenceCalibration,
    JudgedRois,
    Reliability,
    calibrate_confidence,
    fit_confidence,
    judge_simulated,
    reliability,
)
from recipes.default_model.assemble import TARGET

BLOCK_UM = 15.0
"""Height of the blocks of the field that are left out, with all spines in them at all times."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--sessions", type=int, nargs="+", default=[0, 1, 2, 3, 4, 5])
    parser.add_argument("--simulated", type=int, default=24)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    model = load_model(TARGET)
    marked = []
    for session in given.sessions:
        start = given.real / f"rr30a_tp{session}"
        marked.append(judge_annotated_files(model, f"{start}_x000-340.tif", f"{start}_spines.csv",
                                            f"{start}_dendrites.swc"))
        print(marked[-1].name, int(marked[-1].is_spine.sum()), "of", len(marked[-1].is_spine), flush=True)
    calibration = report(marked, judge_simulated(model, given.simulated))
    if given.write:
        write_calibrated(model, calibration, TARGET)
        print(TARGET)


def report(marked: Sequence[JudgedRois], simulated: Sequence[JudgedRois]) -> ConfidenceCalibration:
    """Print how well calibrations hold on what they were not fitted to; give the one of the marked stacks."""
    print("\nmarked stacks, one left out at a time")
    calibration = calibrate_confidence(marked)
    print_reliability(calibration)
    print("\nmarked stacks, one block of the field left out at a time, at all times")
    print_reliability(calibrate_confidence(blocks(marked)))
    if simulated:
        print("\nthe marked stacks' calibration on simulated stacks:", _text(_on(simulated, marked)))
        print("simulated stacks, one left out at a time:", _text(calibrate_confidence(simulated).held_out))
        tried = [_confidences(each, [*(other for other in marked if other is not each), *simulated]) for each in marked]
        print("fitted to both, each marked stack left out:", _text(reliability(
            np.concatenate(tried), np.concatenate([each.is_spine for each in marked]))))
    return calibration


def blocks(judged: Sequence[JudgedRois]) -> list[JudgedRois]:
    """The same ROIs, grouped by where they lie instead of when they were seen."""
    spines = pd.concat([each.spines for each in judged], ignore_index=True)
    is_spine, recommended = (np.concatenate([getattr(each, name) for each in judged])
                             for name in ("is_spine", "recommended"))
    block = (spines["y_um"] // BLOCK_UM).astype(int)
    return [JudgedRois(f"y from {number * BLOCK_UM:g} µm", spines[block == number], is_spine[block == number],
                       recommended[block == number]) for number in np.unique(block)]


def _confidences(judged: JudgedRois, others: Sequence[JudgedRois]) -> np.ndarray:
    return fit_confidence(others)(judged.spines)


def _on(judged: Sequence[JudgedRois], fitted_to: Sequence[JudgedRois]) -> Reliability:
    return reliability(np.concatenate([_confidences(each, fitted_to) for each in judged if len(each.is_spine)]),
                       np.concatenate([each.is_spine for each in judged]))


def _text(found: Reliability) -> str:
    return (f"n {found.count}, calibration error {found.error:.3f} ({found.chance:.3f} by chance), area under the "
            f"curve {found.area:.3f}")


if __name__ == "__main__":
    main()
