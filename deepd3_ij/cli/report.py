"""What commands print when they are done."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepd3_ij.cli.console import print_line

if TYPE_CHECKING:
    import xarray as xr

    from deepd3_ij.memory import Plan
    from deepd3_ij.pipeline import Analysis
    from deepd3_ij.training.confidence_fit import ConfidenceCalibration


def print_analysis(analysis: Analysis) -> None:
    """One line per finding."""
    spines, dendrites = analysis.measurements.spines, analysis.measurements.dendrites
    length_um = float(dendrites["length_um"].sum())
    print(f"{_counted(len(spines), 'spine')} on {_counted(len(dendrites), 'dendrite')}, {length_um:.1f} µm of dendrite")
    if length_um > 0:
        print(f"density {spines['dendrite_id'].gt(0).sum() / length_um:.2f} spines per µm")
    print_no_spine(len(spines), analysis.prediction)


def print_plan(planned: Plan, *, asked: bool, quiet: bool) -> None:
    """Say how the work will fit into memory, if it takes slabs or the user gave a limit."""
    if not quiet and (asked or planned.slab_planes < planned.shape[0]):
        print_line(planned.describe(), sys.stderr)


def print_no_spine(spines: int, prediction: xr.Dataset) -> None:
    """Say what to try if nothing was found."""
    if spines == 0:
        spine = prediction["spine"].variable
        highest = max(float(spine[z].values.max()) for z in range(len(spine)))
        print(f"No spine was found; the highest spine probability is {highest:.2f}. "
              "Is the voxel size right? Try lower thresholds or another model.", file=sys.stderr)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def print_files(files: Sequence[Path]) -> None:
    """Where the results are."""
    for file in files:
        print_line(file)


def print_reliability(calibration: ConfidenceCalibration) -> None:
    """How well a confidence holds on stacks that it was not fitted to."""
    print("confidence   ROIs  mean  spines")
    for row in calibration.held_out.rows:
        print(f"{row['low']:.1f} to {row['high']:.1f} {row['count']:7} {row['confidence']:6.2f} {row['spines']:6.2f}")
    parts = [("all stacks", calibration.held_out), *calibration.stacks.items()]
    if calibration.recommended is not None:
        parts.insert(1, ("within the recommended limits", calibration.recommended))
    for name, found in parts:
        print_line(f"{name}: n = {found.count}, calibration error {found.error:.3f} (exact confidences: "
                   f"{found.chance:.3f} by chance, larger in {found.worse:.0%} of draws), Brier score "
                   f"{found.brier:.3f}, area under the curve {found.area:.3f}")
