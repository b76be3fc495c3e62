"""Measure how dark the darkest places are at which the bundled model finds anything, and put a limit into its card.

    python -m recipes.default_model.emptiness --real DATA [--simulated 40] [--write]

DATA holds rr30a_tpN_x000-340.tif. What counts are ROIs and dendrite of whole analyses with the parameters that the
card recommends. The limit is nine tenths of the darkest in any stack. Without ``--write`` the figures are printed
alone.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij import analyze, open_stack
from deepd3_ij.model.card import attach_card
from deepd3_ij.model.loading import load_model
from deepd3_ij.parameters import CleaningParameters, PredictionParameters
from deepd3_ij.segmentation.emptiness import brightness_nearby, darkest_found
from deepd3_ij.segmentation.smoothing import smooth_along_z
from deepd3_ij.simulation import simulate
from deepd3_ij.stack import voxel_size_um
from deepd3_ij.training.simulated_samples import varied_parameters
from recipes.default_model.assemble import TARGET

_SURE = 0.1
"""Least probability of a pixel that counts: closing fills dark gaps of a dendrite without it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--simulated", type=int, default=40)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    stacks = {f"tp{session}": open_stack(given.real / f"rr30a_tp{session}_x000-340.tif", xy_um=0.12, z_um=1.0)
              for session in range(6)}
    for seed in range(given.simulated):
        stacks[f"simulated {seed}"] = simulate(varied_parameters(np.random.default_rng([seed, 1])), seed).stack
    rows = {name: _measured(stack) for name, stack in stacks.items()}
    darkest = min(row["darkest found"] for row in rows.values())
    limit = round(darkest * 0.9, 3)
    for row in rows.values():
        row["kept at the limit"] = float((row.pop("brightness") >= limit).mean())
    print(pd.DataFrame(rows).T.to_string(float_format="{:.3g}".format))
    print(f"darkest {darkest:.4f}, limit {limit}")
    if given.write:
        attach_card(TARGET, dataclasses.replace(load_model(TARGET).card, empty_below=limit))
        print(TARGET)


def _measured(stack: xr.DataArray) -> dict[str, object]:
    """The darkest place with something in a stack, and the brightness near each place."""
    values = {PredictionParameters: {"skip_empty": False, "resample": False}}
    whole = analyze(stack, str(TARGET), values)
    prediction = whole.prediction
    found = np.asarray(whole.rois.labels) > 0
    found |= np.asarray(prediction["dendrite"]) > CleaningParameters().dendrite_threshold
    found &= np.maximum(prediction["dendrite"], prediction["spine"]).values >= _SURE
    sigma_um = load_model(TARGET).card.recommended["PredictionParameters"]["z_sigma_um"]
    planes = smooth_along_z(np.asarray(stack.data), sigma_um, voxel_size_um(stack)[0])
    return {"planes": len(planes), "ROIs": len(whole.rois.ids),
            "darkest found": min(darkest_found(plane, mask) for plane, mask in zip(planes, found, strict=True)),
            "brightness": np.concatenate([brightness_nearby(plane).ravel() for plane in planes])}


if __name__ == "__main__":
    main()
