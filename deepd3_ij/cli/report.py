"""What commands print when they are done."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deepd3_ij.pipeline import Analysis


def print_analysis(analysis: Analysis) -> None:
    """One line per finding."""
    spines, dendrites = analysis.measurements.spines, analysis.measurements.dendrites
    length_um = float(dendrites["length_um"].sum())
    print(f"{len(spines)} spines on {len(dendrites)} dendrites, {length_um:.1f} µm of dendrite")
    if length_um > 0:
        print(f"density {spines['dendrite_id'].gt(0).sum() / length_um:.2f} spines per µm")
    if len(spines) == 0:
        highest = float(analysis.prediction["spine"].max())
        print(f"No spine was found; the highest spine probability is {highest:.2f}. "
              "Is the voxel size right? Try lower thresholds or another model.", file=sys.stderr)


def print_files(files: Sequence[Path]) -> None:
    """Where the results are."""
    for file in files:
        print(file)
