"""ROIs, dendrite and tables of whole analyses with and without computing what is empty, compared voxel by voxel.

Run with ``python benchmarks/validate_skipping.py DATA [--simulated 20]``; DATA holds ``rr30a_tpN_x000-340.tif``. The
field is eight planes of tp0 within 2048 × 2048 pixels of their own dark ones, in random order. Times are processor
seconds of the prediction.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij import analyze, label_stack, open_stack, predict
from deepd3_ij.parameters import CleaningParameters
from deepd3_ij.simulation import simulate
from deepd3_ij.training.simulated_samples import varied_parameters

XY_UM, Z_UM = 0.12, 1.0


def compared(stack: xr.DataArray) -> dict[str, float]:
    """One stack in both ways."""
    results, seconds, share = [], [], 0.0
    for skip in (False, True):
        begin = time.process_time()
        prediction = predict(stack, parameters={"skip_empty": skip})
        seconds.append(time.process_time() - begin)
        if skip:
            share = float((prediction["dendrite"].values == 0).mean())
        results.append(analyze(stack, prediction=prediction))
    whole, skipped = results
    threshold = CleaningParameters().dendrite_threshold
    dendrites = [result.prediction["dendrite"].values > threshold for result in results]
    tables = [(result.measurements.spines, result.measurements.dendrites) for result in results]
    return {"ROIs": len(whole.rois.ids), "skipped": share,
            "ROI voxels changed": int(np.sum(np.asarray(whole.rois.labels) != np.asarray(skipped.rois.labels))),
            "dendrite voxels changed": int(np.sum(dendrites[0] != dendrites[1])),
            "columns changed": sum(not one[name].equals(other[name]) for one, other in zip(*tables, strict=True)
                                   for name in one.columns),
            "s whole": seconds[0], "s skipped": seconds[1]}


def in_dark_field(stack: xr.DataArray, side_px: int = 2048) -> xr.DataArray:
    """A stack in the middle of planes of random pixels from the darker three fifths of its own."""
    generator = np.random.default_rng(0)
    field = np.stack([generator.choice(plane[plane <= np.quantile(plane, 0.6)], (side_px, side_px))
                      for plane in stack.values])
    top, left = ((side_px - stack.sizes[axis]) // 2 for axis in ("y", "x"))
    field[:, top:top + stack.sizes["y"], left:left + stack.sizes["x"]] = stack.values
    return label_stack(field, xy_um=XY_UM, z_um=Z_UM)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--simulated", type=int, default=20)
    given = parser.parse_args()
    real = {f"tp{session}": open_stack(given.data / f"rr30a_tp{session}_x000-340.tif", xy_um=XY_UM, z_um=Z_UM)
            for session in range(6)}
    rows = {name: compared(stack) for name, stack in real.items()}
    rows["field"] = compared(in_dark_field(real["tp0"][20:28]))
    # Other seeds than those that the limit in the card was measured on.
    rows |= {f"simulated {seed}": compared(simulate(varied_parameters(np.random.default_rng([seed, 1])), seed).stack)
             for seed in range(1000, 1000 + given.simulated)}
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
