"""Links, turnover and survival of followed spines beside those of annotators and of the simulator.

Run with ``python benchmarks/bench_timelapse.py --real FOLDER --analyses FOLDER``: the folder of annotated time points
(``rr30a_tp0_spines.csv`` and so on), and one with their finished analyses (``rr30a_tp0_x000-340.prediction`` and
``.rois``). Without folders, only the simulated series are made.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij import open_stack
from deepd3_ij.files.opening import read_maps, read_rois_of_any_kind
from deepd3_ij.files.swc import read_swc
from deepd3_ij.measurement import measure
from deepd3_ij.measurement.evaluation import match_points
from deepd3_ij.parameters import EvaluationParameters, SimulationParameters, TimeSeriesParameters
from deepd3_ij.simulation_series import SimulatedTimePoint, simulate_timepoints
from deepd3_ij.timelapse import Timelapse, TimePoint, link_timepoints
from deepd3_ij.timelapse.scores import LinkScores, score_links
from deepd3_ij.timelapse.timepoint import box_of

DAYS = (0.0, 4.1, 7.0, 8.0, 8.8, 11.0)
PLANES = (70, 65, 70, 70, 70, 80)
XY_UM = 0.12
FIELD = SimulationParameters(planes=24, height_px=400, width_px=400, dendrites=4, spine_density_per_um=0.6)


def annotated(folder: Path) -> list[TimePoint]:
    """Time points of annotators' markers and centre lines."""
    points = []
    for number, (day, planes) in enumerate(zip(DAYS, PLANES, strict=True)):
        table = pd.read_csv(folder / f"rr30a_tp{number}_spines.csv")
        spines = pd.DataFrame({"id": table["idx"], "z_um": table["z_slice0"].astype(float),
                               "y_um": XY_UM * table["y_px"], "x_um": XY_UM * table["x_px"], "track": table["track"],
                               "head_y": XY_UM * table["head_y_px"], "head_x": XY_UM * table["head_x_px"]})
        box = np.array([[0, 0, 0], [planes - 1, 1023 * XY_UM, 339 * XY_UM]])
        points.append(TimePoint(f"tp{number}", day, spines, read_swc(folder / f"rr30a_tp{number}_dendrites.swc"), box))
    return points


def detected(folder: Path, images: Path) -> list[TimePoint]:
    """Time points of finished analyses."""
    points = []
    for number, day in enumerate(DAYS):
        stem = folder / f"rr30a_tp{number}_x000-340"
        prediction = read_maps([f"{stem}.prediction"])
        rois = read_rois_of_any_kind(f"{stem}.rois", prediction)
        stack = open_stack(images / f"rr30a_tp{number}_x000-340.tif")
        measurements = measure(rois, prediction, stack)
        points.append(TimePoint.from_results(f"tp{number}", day, measurements, prediction, rois, stack))
    return points


def inherited(points: Sequence[TimePoint], markers: Sequence[TimePoint]) -> list[np.ndarray]:
    """Annotators' track of each detection; 0 for one without a marker within 1.2 µm and 2 planes."""
    tracks = []
    for point, truth in zip(points, markers, strict=True):
        found = point.zyx_um
        real = truth.spines[["z_um", "head_y", "head_x"]].to_numpy()
        distance = np.hypot(found[:, None, 1] - real[None, :, 1], found[:, None, 2] - real[None, :, 2])
        rows, columns = match_points(distance, np.abs(found[:, None, 0] - real[None, :, 0]), EvaluationParameters())
        own = np.zeros(len(found), dtype=np.int64)
        own[rows] = truth.spines["track"].to_numpy()[columns]
        tracks.append(own)
    return tracks


def scored(series: Timelapse, truth: np.ndarray) -> LinkScores:
    """Links among spines whose true track is known."""
    links = series.links
    known = (truth[links.first] > 0) & (truth[links.second] > 0)
    kept = type(links)(*(values[known] for values in vars(links).values()))
    return score_links(series.detections, kept, truth)


def of_annotators(markers: Sequence[TimePoint]) -> list[np.ndarray]:
    """Which of the annotators' spines are there, bool, for each time point."""
    tracks = np.unique(np.concatenate([point.spines["track"].to_numpy() for point in markers]))
    there = np.stack([np.isin(tracks, point.spines["track"]) for point in markers], axis=1)
    return list(there.T)


def turnover(one: np.ndarray, other: np.ndarray) -> float:
    """Gained and lost over the sum of both numbers."""
    return float((one ^ other).sum() / (one.sum() + other.sum()))


def real_tables(folder: Path, analyses: Path | None) -> None:
    """Links, then turnover and survival, of markers and of own detections."""
    markers = annotated(folder)
    began = time.perf_counter()
    given = link_timepoints(markers)
    seconds = time.perf_counter() - began
    truth = np.concatenate([point.spines["track"].to_numpy() for point in given.points])
    rows = [("markers given", scored(given, truth))]
    found = None
    if analyses is not None:
        points = detected(analyses, folder)
        tracks = inherited(points, markers)
        found = link_timepoints(points)
        rows.append(("own detections", scored(found, np.concatenate(tracks))))
    print(f"Six annotated time points ({seconds:.1f} s for the markers)\n")
    print("| spines | true links | made | right | precision | recall | F1 | over a gap |")
    print("|---|---|---|---|---|---|---|---|")
    for name, scores in rows:
        print(f"| {name} | {scores.truth} | {scores.made} | {scores.right} | {scores.precision:.3f} | "
              f"{scores.recall:.3f} | {scores.f1:.3f} | {scores.gap_links} |")
    there = of_annotators(markers)
    columns = {"annotators": [turnover(one, other) for one, other in pairwise(there)],
               "markers given": _turnovers(given)}
    fractions = {"annotators": [float((there[0] & each).sum() / there[0].sum()) for each in there],
                 "markers given": _fractions(given)}
    if found is not None:
        columns["own detections"], fractions["own detections"] = _turnovers(found), _fractions(found)
        columns["links alone"] = _naive(found)
        rows_of = found.summary[found.summary["dendrite_id"] == "all"]
        columns["expected of errors"] = rows_of["expected_turnover_of_errors"].tolist()
    print("\n| turnover | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns))
    for number, values in enumerate(zip(*columns.values(), strict=True)):
        cells = " | ".join(f"{value:.3f}" for value in values)
        print(f"| day {DAYS[number]:g} to {DAYS[number + 1]:g} | {cells} |")
    print("\n| still there | " + " | ".join(fractions) + " |\n|---|" + "---|" * len(fractions))
    for number, values in enumerate(zip(*fractions.values(), strict=True)):
        print(f"| day {DAYS[number]:g} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


def _turnovers(series: Timelapse) -> list[float]:
    return series.summary.loc[series.summary["dendrite_id"] == "all", "turnover"].tolist()


def _fractions(series: Timelapse) -> list[float]:
    return series.survival.loc[series.survival["cohort"] == "fraction", "present_fraction"].tolist()


def _naive(series: Timelapse) -> list[float]:
    """What links of independent detections show if the rest is called gained and lost."""
    seen = series.states.detection >= 0
    return [turnover(seen[:, one], seen[:, other]) for one, other in pairwise(range(seen.shape[1]))]


def perfect(series: Sequence[SimulatedTimePoint]) -> list[TimePoint]:
    """Simulated time points as a perfect annotator sees them."""
    points = []
    for number, each in enumerate(series, start=1):
        spines = each.scene.spines[each.scene.spines["visible"]].reset_index(drop=True)
        points.append(TimePoint(f"t{number}", each.day, spines, each.scene.neurites, box_of(each.scene.stack)))
    return points


def simulated_table(seeds: Sequence[int]) -> None:
    """Links and unobservable places of simulated series, truth given."""
    print("\n| simulated field | true links | made | right | F1 | cut off: unobservable | others: unobservable |")
    print("|---|---|---|---|---|---|---|")
    whole = np.zeros(7)
    for seed in seeds:
        series = list(simulate_timepoints(FIELD, TimeSeriesParameters(sessions=3), seed))
        found = link_timepoints(perfect(series))
        scores = scored(found, np.concatenate([point.spines["id"].to_numpy() for point in found.points]))
        own = found.spines[found.spines["id"] > 0].groupby("track_id")["id"].first()
        rows = found.spines.assign(track=found.spines["track_id"].map(own)).merge(
            pd.concat([each.truth for each in series]), on=["track", "session"], suffixes=("", "_true"))
        hidden = rows["state"] == "unobservable"
        cut = rows["cut_off"] & ~rows["visible"]
        depth = rows["session"].map({number: each.scene.stack.shape[0] - 1.0
                                     for number, each in enumerate(series, start=1)})
        across = FIELD.xy_um * (FIELD.width_px - 1)
        others = (rows["z_um_true"].between(2.5, depth - 2.5) & rows["y_um_true"].between(2, across - 2)
                  & rows["x_um_true"].between(2, across - 2))
        counts = np.array([scores.truth, scores.made, scores.right, (hidden & cut).sum(), cut.sum(),
                           (hidden & others).sum(), others.sum()])
        whole += counts
        _print_simulated(str(seed), counts)
    _print_simulated("all", whole)


def _print_simulated(name: str, counts: np.ndarray) -> None:
    truth, made, right, *rest = (int(count) for count in counts)
    print(f"| {name} | {truth} | {made} | {right} | {2 * right / (truth + made):.3f} | {rest[0]} of {rest[1]} | "
          f"{rest[2]} of {rest[3]} |")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, help="folder of annotated time points")
    parser.add_argument("--analyses", type=Path, help="folder of their finished analyses")
    parser.add_argument("--seeds", type=int, default=4, help="number of simulated fields")
    arguments = parser.parse_args()
    if arguments.real is not None:
        real_tables(arguments.real, arguments.analyses)
    if arguments.seeds:
        simulated_table(range(arguments.seeds))


if __name__ == "__main__":
    main()
