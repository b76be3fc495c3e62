"""What corrections of one time point gain at the others, on marked two-photon stacks.

Run with ``python benchmarks/validate_corrections.py DATA OUT``; DATA holds ``rr30a_tpN_x000-340.tif``, ``…_spines.csv``
and ``…_dendrites.swc``. At one time point the bundled model finds spines. By the markers a person would delete the
wrong ones near the traced dendrites and draw the missed ones: that is done for so many of them, the most confident
wrong ones and the missed ones in turn, and the right ones of those beside them are confirmed. Of this the training
data are made that *Use as DeepD3 Training Data…* makes; the model is trained further on them, and scored before and
after at the other time points by the rule that came with the markers. The bundled model knows tp0, tp2 and tp4, so
tp1, tp3 and tp5 count.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.files.d3data import cut_d3data
from deepd3_ij.files.d3set import write_d3set
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.point_tables import read_spine_points
from deepd3_ij.files.swc import read_swc
from deepd3_ij.measurement.evaluation import Evaluation, evaluate, pool
from deepd3_ij.measurement.points import SpinePoints
from deepd3_ij.model.loading import load_model
from deepd3_ij.parameters import CorrectedDataParameters, TrainingParameters
from deepd3_ij.rois import RoiSet, build_rois_3d
from deepd3_ij.rois.editing import grow_outline
from deepd3_ij.segmentation import predict
from deepd3_ij.training.corrections import masks_of_corrections
from deepd3_ij.training.training_run import train_from_set

XY_UM, Z_UM = 0.12, 1.0
HEAD_PX = 3
FINE_TUNING = TrainingParameters(steps=150, learning_rate=2e-4, averaging=0.98, validate_every=50)


def found(folder: Path, session: int, model: str | Path | None) -> tuple[xr.DataArray, xr.Dataset, RoiSet]:
    """Stack, prediction and ROIs of a time point."""
    stack = open_stack(folder / f"rr30a_tp{session}_x000-340.tif", xy_um=XY_UM, z_um=Z_UM)
    prediction = predict(stack, load_model(model))
    return stack, prediction, build_rois_3d(prediction)


def scored(folder: Path, session: int, rois: RoiSet) -> tuple[Evaluation, SpinePoints]:
    """Detected against marked spines."""
    points = SpinePoints(rois.ids, rois.statistics.centroids_zyx, z_um=Z_UM, xy_um=XY_UM)
    truth = read_spine_points(folder / f"rr30a_tp{session}_spines.csv", xy_um=XY_UM, z_um=Z_UM)
    return evaluate(points, truth, read_swc(folder / f"rr30a_tp{session}_dendrites.swc")), truth


def corrected(folder: Path, session: int, prediction: xr.Dataset, rois: RoiSet, count: int
              ) -> tuple[RoiSet, list[int], dict[str, int]]:
    """ROIs after so many corrections by the markers, the ids of those that were confirmed, and what was done."""
    result, truth = scored(folder, session, rois)
    peaks = {int(roi): float(prediction["spine"].values[rois.labels.values == roi].max()) for roi in rois.ids}
    wrong = sorted(map(int, result.false_positive_ids), key=lambda roi: -peaks[roi])
    heads = dict(zip(map(int, truth.ids), truth.zyx_px, strict=True))
    missed = [heads[int(spine)] for spine in result.missed_ids]
    turns = [("delete", roi) for roi in wrong], [("draw", head) for head in missed]
    mixed = [turn for pair in zip(*turns, strict=False) for turn in pair]
    mixed += [turn for kind in turns for turn in kind[len(mixed) // 2:]]
    labels = rois.labels.values.copy()
    y, x = np.ogrid[:labels.shape[1], :labels.shape[2]]
    done = {"delete": 0, "draw": 0}
    for kind, what in mixed[:count]:
        done[kind] += 1
        if kind == "delete":
            labels[labels == what] = 0
            continue
        plane = round(what[0])
        drawn = np.hypot(y - what[1], x - what[2]) <= HEAD_PX
        grown = grow_outline(drawn & (labels[plane] == 0), plane, prediction["spine"].values, labels == 0, 0.1)
        labels[grown] = labels.max() + 1
    confirmed = [match.detected_id for match in result.matches]
    return RoiSet.from_labels(labels, prediction), confirmed, done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--corrected", type=int, default=1, help="Time point that is corrected.")
    parser.add_argument("--scored", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--corrections", type=int, default=20)
    parser.add_argument("--not-confirmed", action="store_true", help="Right spines are not confirmed.")
    parser.add_argument("--steps", type=int, default=FINE_TUNING.steps)
    parser.add_argument("--learning-rate", type=float, default=FINE_TUNING.learning_rate)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    stack, prediction, rois = found(given.data, given.corrected, None)
    now, confirmed, done = corrected(given.data, given.corrected, prediction, rois, given.corrections)
    masks = masks_of_corrections(prediction, now, rois, [] if given.not_confirmed else confirmed,
                                 CorrectedDataParameters())
    print(f"tp{given.corrected}: {len(rois)} ROIs, {done}, trusted {masks.trusted}, deleted {masks.deleted}; "
          f"{np.mean(masks.ignored & 2 == 0):.1%} of the voxels count for spines", flush=True)
    write_d3set(given.out / "corrected.d3set", [cut_d3data(stack, masks.dendrite, masks.spines, ignored=masks.ignored)])
    parameters = dataclasses.replace(FINE_TUNING, steps=given.steps, learning_rate=given.learning_rate)
    trained = train_from_set(given.out / "corrected.d3set", given.out / "corrected.keras", parameters,
                             start="deepd3_ij_8F", resume=True)
    print(f"trained for {trained.fit.seconds:.0f} s", flush=True)
    rows = []
    for session in [*given.scored, given.corrected]:
        for name, model in (("before", None), ("after", trained.keras)):
            own = rois if (model, session) == (None, given.corrected) else found(given.data, session, model)[2]
            scores = scored(given.data, session, own)[0].scores
            rows.append({"time point": session, "model": name, **scores.to_dict(), "scores": scores})
            print(session, name, scores.to_dict(), flush=True)
    table = pd.DataFrame(rows).drop(columns="scores")
    table.to_csv(given.out / "scores.csv", index=False)
    for name in ("before", "after"):
        total = pool([row["scores"] for row in rows if row["model"] == name and row["time point"] in given.scored])
        print(name, total.to_dict())


if __name__ == "__main__":
    main()
