"""Recall and precision of the presets of 3-D ROIs, on marked two-photon stacks.

Run with ``python benchmarks/validate_presets.py DATA OUT``; DATA holds ``rr30a_tpN_x000-340.tif``, ``…_spines.csv`` and
``…_dendrites.swc``. The bundled model predicts each stack once (kept in OUT), the maps are cleaned, and ROIs built with
each preset are scored by the rule that came with the markers: the steps and the scores of ``analyze`` and ``evaluate``.
Then the values of the sensitive preset are chosen on five time points, as those with the highest recall whose precision
is at most 0.04 below that of the balanced preset, and scored on the sixth.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from deepd3_ij.cleaning import clean
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.opening import read_maps
from deepd3_ij.files.point_tables import read_spine_points
from deepd3_ij.files.swc import read_swc
from deepd3_ij.measurement.evaluation import Scores, evaluate, pool
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.outputs.registry import Results, write_outputs
from deepd3_ij.parameters import ROI_PRESETS
from deepd3_ij.rois import build_rois_3d
from deepd3_ij.segmentation import predict

XY_UM, Z_UM = 0.12, 1.0
PROMINENCES, SIGMAS_UM, SMALLEST_VOXELS = (3.0, 4.0, 5.0), (0.0, 0.1, 0.15), (25, 30, 35, 40, 45, 50)
LARGEST_LOSS = 0.04


def cleaned(data: Path, out: Path, session: int) -> xr.Dataset:
    """The cleaned maps of a time point."""
    stem = f"rr30a_tp{session}_x000-340"
    kept = out / f"{stem}.prediction"
    if not kept.exists():
        stack = open_stack(data / f"{stem}.tif", xy_um=XY_UM, z_um=Z_UM)
        write_outputs(Results(prediction=predict(stack)), out, stem, ("prediction_file",))
    return clean(read_maps([str(kept)]))


def scored(data: Path, session: int, prediction: xr.Dataset, values: dict[str, Any]) -> Scores:
    """ROIs with these values against the markers."""
    rois = build_rois_3d(prediction, values)
    points = SpinePoints(rois.ids, rois.statistics.centroids_zyx, z_um=Z_UM, xy_um=XY_UM)
    truth = read_spine_points(data / f"rr30a_tp{session}_spines.csv", xy_um=XY_UM, z_um=Z_UM)
    return evaluate(points, truth, read_swc(data / f"rr30a_tp{session}_dendrites.swc")).scores


def left_out(grid: dict[tuple[float, float, int], list[Scores]], balanced: list[Scores], session: int
             ) -> tuple[float, float, int]:
    """The values that are chosen on all other time points."""
    def others(scores: list[Scores]) -> Scores:
        return pool([score for number, score in enumerate(scores) if number != session])

    limit = others(balanced).precision - LARGEST_LOSS
    return max((values for values in grid if others(grid[values]).precision >= limit),
               key=lambda values: (others(grid[values]).recall, others(grid[values]).precision))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sessions", type=int, nargs="+", default=list(range(6)))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    predictions = {session: cleaned(given.data, given.out, session) for session in given.sessions}

    def of_all(**values: Any) -> list[Scores]:
        return [scored(given.data, session, prediction, values) for session, prediction in predictions.items()]

    found = {preset: of_all(preset=preset) for preset in ROI_PRESETS}
    grid = {(prominence, sigma_um, smallest): of_all(split_prominence=prominence, split_sigma_um=sigma_um,
                                                     min_voxels=smallest)
            for prominence, sigma_um, smallest in itertools.product(PROMINENCES, SIGMAS_UM, SMALLEST_VOXELS)}
    chosen = [left_out(grid, found["balanced"], number) for number in range(len(predictions))]
    found["sensitive, chosen on the others"] = [grid[values][number] for number, values in enumerate(chosen)]
    rows = [{"preset": preset, "time point": session, "recall": score.recall, "precision": score.precision,
             "f1": score.f1} for preset, scores in found.items()
            for session, score in [*zip(map(str, predictions), scores, strict=True), ("all", pool(scores))]]
    table = pd.DataFrame(rows)
    table.to_csv(given.out / "presets.csv", index=False)
    print(table.pivot(index="time point", columns="preset").round(3).to_string())
    print("chosen (prominence, smoothing in µm, voxels):", *chosen)


if __name__ == "__main__":
    main()
