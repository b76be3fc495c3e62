"""Shapes of spines, as measured, against the truth of simulated stacks.

Run with ``python benchmarks/validate_shapes.py``. Two suites of stacks of 21 × 256 × 256 voxels (0.5 × 0.1 × 0.1 µm)
are made: *default* is the simulator's usual imaging (8 bit, few photons), *clean* has 16 bit, eleven times more
photons, no smear along lines and the same dye in every spine. Each is measured with the ROIs and maps of the truth,
and with those of the bundled model, where a ROI stands for the true spine with most of its voxels. The tables are
printed; ``--figures DIR`` also draws measured against true.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.drawing import drawing_library
from deepd3_ij.measurement import measure
from deepd3_ij.parameters import MeasureParameters, SimulationParameters
from deepd3_ij.pipeline import analyze
from deepd3_ij.rois import RoiSet
from deepd3_ij.simulation import SimulatedScene, simulate
from deepd3_ij.stack import label_prediction

DEFAULT = SimulationParameters(planes=21, height_px=256, width_px=256, xy_um=0.1, z_um=0.5)
SUITES = {"default": DEFAULT,
          "clean": dataclasses.replace(DEFAULT, bits=16, gain=2.0, line_smear=0.0, spine_dye_spread=0.0)}
SOURCES = ("truth", "model")
FROM_A_LIMIT_DEG = 20.0
LONG_NECK_UM = 0.6
WIDE_HEAD_UM = 0.5
SHAFT_UM = (1.5, 4.0)
FIRST_SEED = 300


def compared(suite: str, source: str, scenes: int) -> pd.DataFrame:
    """One row per ROI of a true spine: what was measured, and the truth with ``true_`` before its names."""
    return pd.concat([_of_scene(simulate(SUITES[suite], FIRST_SEED + number), source) for number in range(scenes)],
                     ignore_index=True)


def _of_scene(scene: SimulatedScene, source: str) -> pd.DataFrame:
    parameters = MeasureParameters(psf_xy_um=scene.parameters.psf_xy_um, psf_z_um=scene.parameters.psf_z_um)
    if source == "truth":
        maps = (scene.dendrite.values.astype(np.float32), (scene.spine.values > 0).astype(np.float32))
        rois = RoiSet(scene.spine)
        measured = measure(rois, label_prediction(*maps, scene.stack, {}), scene.stack, parameters)
    else:
        analysis = analyze(scene.stack)
        rois = analysis.rois
        measured = measure(rois, analysis.prediction, scene.stack, parameters)
    table = measured.spines.assign(true_id=_true_ids(rois, scene))
    truth = scene.spines.rename(columns=lambda name: f"true_{name}")
    rows = table.merge(truth, on="true_id").sort_values("voxels").drop_duplicates("true_id", keep="last")
    rows = rows.assign(true_shaft_area_um2=_shaft_areas(rows, scene.neurites))
    turned = _tangents(rows, scene.neurites) * _tangents(rows, measured.tracing)
    sign = np.sign(turned.sum(axis=1))
    return rows.assign(sign=sign, sides_agree=_sides_agree(rows, sign))


def _true_ids(rois: RoiSet, scene: SimulatedScene) -> list[int]:
    """True spine with most voxels of each ROI, 0 if none, in the order of the ROIs."""
    pairs = pd.DataFrame({"roi": rois.labels.values.ravel(), "true": scene.spine.values.ravel()}).query("roi > 0")
    votes = pairs.query("true > 0").value_counts().reset_index().drop_duplicates("roi").set_index("roi")["true"]
    return [int(votes.get(roi, 0)) for roi in np.unique(pairs["roi"])]


def _shaft_areas(rows: pd.DataFrame, tracing: Tracing) -> np.ndarray:
    """Mean cross section, µm², of the piece of shaft that a spine's light is compared with."""
    radius = tracing.radius
    axis = rows[["true_base_x_um", "true_base_y_um", "true_base_z_um"]].to_numpy()
    trees = _trees(tracing)
    areas = np.full(len(axis), np.nan)
    for number, point in enumerate(axis):
        away = np.linalg.norm(tracing.xyz - point, axis=1)
        near, far = SHAFT_UM
        piece = (trees == trees[away.argmin()]) & (away >= near) & (away <= far)
        areas[number] = np.pi * (radius[piece] ** 2).mean() if piece.any() else np.nan
    return areas


def _trees(tracing: Tracing) -> np.ndarray:
    """Number of its tree for each node."""
    root = np.arange(len(tracing.ids))
    parent = np.where(tracing.parents > 0, np.searchsorted(tracing.ids, tracing.parents), root)
    while (parent[parent] != parent).any():
        parent = parent[parent]
    return parent


def _tangents(rows: pd.DataFrame, tracing: Tracing) -> np.ndarray:
    """Direction of the tracing, from parent to child, next to the true axis points."""
    child = np.flatnonzero(tracing.parents > 0)
    parent = np.searchsorted(tracing.ids, tracing.parents[child])
    middles = (tracing.xyz[child] + tracing.xyz[parent]) / 2
    axis = rows[["true_base_x_um", "true_base_y_um", "true_base_z_um"]].to_numpy()
    nearest = np.array([np.argmin(((middles - point) ** 2).sum(axis=1)) for point in axis], dtype=np.int64)
    return np.asarray((tracing.xyz[child] - tracing.xyz[parent])[nearest])


def _sides_agree(rows: pd.DataFrame, sign: np.ndarray) -> np.ndarray:
    swapped = {"left": "right", "right": "left"}
    true = [side if same > 0 else swapped.get(side, side) for side, same in zip(rows["true_side"], sign, strict=True)]
    return np.asarray(rows["side"] == true)


def _sideways(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["true_side"].isin(["left", "right"])]


def _distance(rows: pd.DataFrame, first: str, second: str) -> pd.Series:
    return np.hypot(rows[f"{first}y_um"] - rows[f"{second}y_um"], rows[f"{first}x_um"] - rows[f"{second}x_um"])


def _errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Errors and true values of the quantities that are compared, NaN where a row does not count."""
    sideways = rows["true_side"].isin(["left", "right"])
    length = _distance(rows, "true_tip_", "true_surface_")
    # The head covers the last fifth of its radius of the neck.
    neck = rows["true_neck_length_um"] - 0.1 * rows["true_head_diameter_um"]
    neck = neck.where(sideways & (rows["true_neck_length_um"] > 0))
    light = rows["true_head_volume_um3"] * rows["true_dye_factor"] / rows["true_shaft_area_um2"]
    wide = rows["true_head_extent_um"].where(rows["true_head_diameter_um"] >= WIDE_HEAD_UM)
    return rows.assign(
        base_error=_distance(rows, "base_", "true_surface_"),
        true_length_xy=length.where(sideways), length_error=(rows["length_xy_um"] - length).where(sideways),
        true_neck=neck, neck_error=rows["neck_length_um"] - neck,
        true_relative=light, light_error=np.log(rows["volume_relative"].where(rows["volume_relative"] > 0) / light),
        relative_error=rows["volume_relative"] - light,
        true_wide=wide, diameter_error=rows["head_diameter_um"] - wide)


def _within(error: pd.Series, deviation: pd.Series) -> str:
    both = error.notna() & deviation.notna()
    return f"{100 * (error[both].abs() < deviation[both]).mean():.0f} %" if both.any() else "–"


def _spread(error: pd.Series) -> float:
    return float((error - error.median()).abs().median())


def summary(rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Each quantity of the table, and what was found."""
    rows = _errors(rows)
    yield "spines", f"{len(rows)}"
    base = rows["base_error"].dropna()
    yield "base, in the plane: median, 90 % (µm)", f"{base.median():.2f}, {base.quantile(0.9):.2f}"
    length = rows["length_error"].dropna()
    yield "`length_xy_um`, sideways: bias, MAD (µm)", f"{length.median():+.2f}, {_spread(length):.2f}"
    long = rows[(rows["true_neck_length_um"] > LONG_NECK_UM) & rows["true_neck"].notna()]
    yield f"necks > {LONG_NECK_UM} µm with a split", f"{100 * long['neck_length_um'].notna().mean():.0f} %"
    neck = rows["neck_error"].dropna()
    yield "`neck_length_um`: bias, MAD (µm)", f"{neck.median():+.2f}, {_spread(neck):.2f}"
    yield "… within its standard error", _within(rows["neck_error"], rows["neck_length_se_um"])
    light = rows["light_error"].dropna()
    if len(light):
        yield "`volume_relative`, log: bias, robust SD", f"{light.median():+.2f}, {1.4826 * _spread(light):.2f}"
        yield "… within its standard error", _within(rows["relative_error"], rows["volume_relative_se"])
    wide = rows["diameter_error"].dropna()
    if len(wide):
        yield f"`head_diameter_um`, ≥ {WIDE_HEAD_UM} µm: bias, MAD (µm)", f"{wide.median():+.2f}, {_spread(wide):.2f}"
        yield "… within its standard error", _within(rows["diameter_error"], rows["head_diameter_se_um"])
    clear = rows[(rows["true_azimuth_deg"].abs() % 90 - 45).abs() > FROM_A_LIMIT_DEG]
    known = clear[clear["side"] != ""]
    yield "`side`, more than 20° from a limit", f"{100 * known['sides_agree'].mean():.0f} %"


def markdown(results: dict[tuple[str, str], pd.DataFrame]) -> str:
    """All summaries side by side."""
    columns = {key: list(summary(rows)) for key, rows in results.items()}
    heads = ["quantity", *(f"{suite}, {source} ROIs" for suite, source in columns)]
    lines = [heads, ["---"] * len(heads)]
    lines += [[found[0][0], *(value for _, value in found)] for found in zip(*columns.values(), strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(results: dict[tuple[str, str], pd.DataFrame], file: Path) -> None:
    """Scatter plots of measured against true, one row per suite and source of ROIs."""
    panels: dict[str, tuple[str, Callable[[pd.DataFrame], pd.Series]]] = {
        "length in the plane, µm": ("true_length_xy", lambda rows: rows["length_xy_um"]),
        "neck length, µm": ("true_neck", lambda rows: rows["neck_length_um"]),
        "light of the head, µm of shaft": ("true_relative", lambda rows: rows["volume_relative"]),
        "head diameter, µm": ("true_head_extent_um", lambda rows: rows["head_diameter_um"])}
    panels = {title: (true, measured) for title, (true, measured) in panels.items()
              if any(measured(rows).notna().any() for rows in results.values())}
    figure = drawing_library("figure").Figure(figsize=(4 * len(panels), 3.6 * len(results)), layout="constrained")
    axes = figure.subplots(len(results), len(panels), squeeze=False)
    for line, ((suite, source), rows) in zip(axes, results.items(), strict=True):
        table = _errors(rows)
        for axis, (title, (true, measured)) in zip(line, panels.items(), strict=True):
            x, y = table[true], measured(table)
            known = x.notna() & y.notna()
            axis.scatter(x[known], y[known], s=8, alpha=0.5, color="#5e35b1", linewidths=0)
            limit = float(np.nanquantile(np.concatenate([x[known], y[known], [0.1]]), 0.99)) * 1.05
            axis.plot([0, limit], [0, limit], color="0.4", linewidth=0.8)
            axis.set(xlim=(0, limit), ylim=(min(0.0, -0.05 * limit), limit), xlabel=f"true {title}", ylabel="measured",
                     title=f"{suite}, {source} ROIs (n = {int(known.sum())})")
            axis.set_aspect("equal")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=8, help="stacks in each suite")
    parser.add_argument("--figures", type=Path, help="folder for spine-shapes.png")
    parser.add_argument("--rois", choices=(*SOURCES, "both"), default="both", help="whose ROIs are measured")
    arguments = parser.parse_args()
    sources = SOURCES if arguments.rois == "both" else (arguments.rois,)
    results = {(suite, source): compared(suite, source, arguments.scenes) for source in sources for suite in SUITES}
    print(markdown(results))
    if arguments.figures is not None:
        draw(results, arguments.figures / "spine-shapes.png")


if __name__ == "__main__":
    main()
