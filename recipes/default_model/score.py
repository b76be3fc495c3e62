"""Score a model on held-out simulated scenes of several voxel sizes and on the marked two-photon sessions.

    python -m recipes.default_model.score MODEL [--real DATA] [--sessions 0 2 4] [--scenes 4] [--resampled]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy import ndimage

from deepd3_ij import label_stack
from deepd3_ij.files.swc import read_swc
from deepd3_ij.measurement.evaluation import Scores, evaluate, pool
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.parameters import EvaluationParameters, SimulationParameters
from deepd3_ij.rois import build_rois_3d
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.segmentation import predict
from deepd3_ij.simulation import simulate
from deepd3_ij.stack import voxel_size_um
from deepd3_ij.training.simulated_samples import HELD_OUT_SEED

VOXELS_UM = ((0.12, 1.0), (0.06, 0.5), (0.08, 0.3), (0.10, 0.5), (0.15, 1.0))


def found_spines(stack: xr.DataArray, model: DeepD3Model) -> tuple[SpinePoints, xr.Dataset, np.ndarray]:
    """Detect with the card's parameters; positions are centroids of 3-D ROIs."""
    size = voxel_size_um(stack)
    prediction = predict(stack, model)
    labels = build_rois_3d(prediction).labels.values
    regions = label_statistics(labels)
    return SpinePoints(regions.ids, regions.centroids_zyx, z_um=size[0], xy_um=size[1]), prediction, labels


def simulated(model: DeepD3Model, xy_um: float, z_um: float, scenes: int) -> dict[str, float]:
    """Dice of the dendrites and F1 of the visible spines; doubtful structures do not count."""
    both = total = 0
    counts = []
    for number in range(scenes):
        side = round(30 / xy_um)
        scene = simulate(SimulationParameters(planes=round(11 / z_um), height_px=side, width_px=side, xy_um=xy_um,
                                              z_um=z_um), HELD_OUT_SEED + 5000 + number)
        points, prediction, labels = found_spines(scene.stack, model)
        certain = ~scene.doubtful_dendrite.values
        dendrite = (prediction["dendrite"].values > 0.5) & certain
        both += 2 * int((dendrite & scene.dendrite.values).sum())
        total += int(dendrite.sum() + scene.dendrite.values.sum())
        truth = label_statistics(scene.spine.values)
        on_doubtful = np.isin(points.ids, np.unique(labels[scene.doubtful_spine.values]))
        limits = EvaluationParameters(match_z_planes=2.0 / z_um)
        real = SpinePoints(truth.ids, truth.centroids_zyx, z_um=z_um, xy_um=xy_um)
        scores = evaluate(points, real, parameters=limits)
        forgiven = np.isin(scores.false_positive_ids, points.ids[on_doubtful]).sum()
        counts.append(dataclasses.replace(scores.scores, false_positives=scores.scores.false_positives - int(forgiven)))
    joined = pool(counts)
    return {"dendrite_dice": both / max(1, total), "spine_recall": joined.recall, "spine_precision": joined.precision,
            "spine_f1": joined.f1, "spines": joined.truth}


def marked(model: DeepD3Model, folder: Path, session: int, xy_factor: float = 1.0, z_factor: float = 1.0) -> Scores:
    """Score one session, resampled to other voxel sizes if factors are given."""
    import tifffile

    image = tifffile.imread(folder / f"rr30a_tp{session}_x000-340.tif")
    tracing = read_swc(folder / f"rr30a_tp{session}_dendrites.swc")
    low, high = max(0, int(tracing.xyz[:, 2].min()) - 5), int(tracing.xyz[:, 2].max()) + 6
    image = image[low:high].astype(np.float32)
    if (xy_factor, z_factor) != (1.0, 1.0):
        image = ndimage.zoom(image, (1 / z_factor, 1 / xy_factor, 1 / xy_factor), order=1, grid_mode=True,
                             mode="nearest")
    xy_um, z_um = 0.12 * xy_factor, 1.0 * z_factor
    points, _, _ = found_spines(label_stack(image, xy_um=xy_um, z_um=z_um), model)
    shift = np.array([0.5 / z_factor - 0.5, 0.5 / xy_factor - 0.5, 0.5 / xy_factor - 0.5])
    scaled = (points.zyx_px - shift) * (z_factor, xy_factor, xy_factor) + (low, 0, 0)
    points = SpinePoints(points.ids, scaled, z_um=1.0, xy_um=0.12)
    table = pd.read_csv(folder / f"rr30a_tp{session}_spines.csv")
    table = table[table["isBad"] != 1]
    truth = SpinePoints(table["idx"].to_numpy(), table[["z_slice0", "head_y_px", "head_x_px"]].to_numpy(float),
                        z_um=1.0, xy_um=0.12)
    return evaluate(points, truth, tracing).scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--sessions", type=int, nargs="+", default=[0, 2, 4])
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--resampled", action="store_true")
    given = parser.parse_args()
    model = load_model(given.model)
    for xy_um, z_um in VOXELS_UM if given.scenes else ():
        print(json.dumps({"simulated": [xy_um, z_um], **simulated(model, xy_um, z_um, given.scenes)}), flush=True)
    sizes = ((1.0, 1.0), (0.75, 0.5), (1.25, 1.0), (0.6, 1.0)) if given.resampled else ((1.0, 1.0),)
    for xy_factor, z_factor in sizes if given.real else ():
        scores = [marked(model, given.real, session, xy_factor, z_factor) for session in given.sessions]
        print(json.dumps({"xy_um": 0.12 * xy_factor, "z_um": z_factor, "sessions": given.sessions,
                          "f1": [round(s.f1, 3) for s in scores], "pooled": pool(scores).to_dict()}), flush=True)


if __name__ == "__main__":
    main()
