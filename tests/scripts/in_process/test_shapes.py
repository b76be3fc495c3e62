"""Shapes of spines over their images, and what a person decides about spines, by the menu's commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.measurement import measure
from deepd3_ij.names import ROI_ID, ROI_SHAPE

Run = Callable[..., str]
XY_UM, Z_UM = 0.1, 0.5
ENDS = ["base_z_um", "base_y_um", "base_x_um", "tip_z_um", "tip_y_um", "tip_x_um"]


def prediction() -> Any:
    """Two spines above and below a dendrite along x."""
    spine = np.zeros((5, 60, 60), np.float32)
    spine[1:4, 12:18, 10:16] = 0.95
    spine[2:5, 38:44, 40:46] = 0.9
    dendrite = np.zeros_like(spine)
    dendrite[1:4, 25:32, 2:58] = 0.9
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=XY_UM, z_um=Z_UM, source="a.tif"), {})


@pytest.fixture
def image(session: Any, run_script: Run) -> Any:
    image = session.push(prediction())
    assert run_script("Build 3D ROIs...", image=image) == "done"
    return image


def table(run_script: Run, image: Any, folder: Path) -> pd.DataFrame:
    """The table of spines that is exported, by number."""
    assert run_script("Export DeepD3 Tables...", image=image, folder=str(folder), overwrite=True) == "done"
    return pd.read_csv(folder / "a_spines.csv").set_index("id")


def parts(image: Any, kind: str) -> dict[int, Any]:
    """Parts of the shapes that lie over an image, by spine."""
    return {int(text_of(roi.getProperty(ROI_ID)) or 0): roi for roi in image.getOverlay().toArray()
            if text_of(roi.getProperty(ROI_SHAPE)) == kind}


def corners(line: Any) -> np.ndarray:
    polygon = line.getFloatPolygon()
    return np.array([polygon.xpoints, polygon.ypoints], dtype=np.float64).T[:polygon.npoints]


def test_a_measurement_draws_the_shapes_where_the_table_says(session: Any, run_script: Run, image: Any) -> None:
    before = session.pull_rois(image)
    assert run_script("Measure Dendrites and Spines...", image=image) == "done"
    expected = measure(before, prediction()).spines.set_index("id")
    lines, heads, bases = (parts(image, kind) for kind in ("line", "head", "base"))
    assert set(lines) == set(expected.index) == {1, 2}
    for spine, row in expected.iterrows():
        places = [row[[f"{place}_x_um", f"{place}_y_um"]].to_numpy(float) / XY_UM for place in ("base", "head", "tip")]
        np.testing.assert_allclose(corners(lines[spine]), places, atol=1e-4)
        np.testing.assert_allclose(corners(bases[spine]), places[:1], atol=1e-4)
        drawn = [lines[spine], bases[spine]]
        assert (spine in heads) == bool(np.isfinite(row["head_fwhm_um"]))
        if spine in heads:
            bounds = heads[spine].getFloatBounds()
            middle = [bounds.x + bounds.width / 2 - 0.5, bounds.y + bounds.height / 2 - 0.5]
            np.testing.assert_allclose(middle, places[1], atol=1e-4)
            assert bounds.width == pytest.approx(row["head_fwhm_um"] / XY_UM)
            drawn.append(heads[spine])
        plane = round(row["head_z_um"] / Z_UM) + 1
        for part in drawn:
            assert (int(part.getZPosition()), str(part.getName())) == (plane, f"spine{spine:04d}_z{plane:03d}")
    assert lines[1].getStrokeColor() != lines[2].getStrokeColor()
    np.testing.assert_array_equal(session.pull_rois(image).labels.values, before.labels.values)


def test_shapes_are_hidden_and_shown(run_script: Run, image: Any) -> None:
    assert "Measure Dendrites and Spines..." in run_script("Show or Hide Spine Shapes", image=image)
    outlines = image.getOverlay().size()
    assert run_script("Measure Dendrites and Spines...", image=image) == "done"
    shown = image.getOverlay().size()
    assert shown == outlines + sum(len(parts(image, kind)) for kind in ("line", "head", "base")) >= outlines + 4
    assert run_script("Show or Hide Spine Shapes", image=image) == "done"
    assert image.getOverlay().size() == outlines
    assert run_script("Show or Hide Spine Shapes", image=image) == "done"
    assert image.getOverlay().size() == shown


def test_moving_the_end_of_a_line_and_measuring_again_overrides_base_and_tip(
        run_script: Run, image: Any, tmp_path: Path) -> None:
    assert run_script("Measure Dendrites and Spines...", image=image) == "done"
    before = table(run_script, image, tmp_path)
    line = parts(image, "line")[1]
    moved = corners(line)
    moved[-1] += (3, -2)
    changed = java_class("ij.gui.PolygonRoi")(moved[:, 0].tolist(), moved[:, 1].tolist(), line.getType())
    changed.setProperties(line.getProperties())
    image.setRoi(changed)
    assert run_script("Measure Dendrites and Spines...", image=image) == "done"
    after = table(run_script, image, tmp_path)
    expected = before.loc[1, ENDS].to_numpy(float) + np.array([0, 0, 0, 0, -2, 3]) * XY_UM
    np.testing.assert_allclose(after.loc[1, ENDS].to_numpy(float), expected, atol=1e-5)
    assert after["geometry_source"].to_dict() == {1: "user", 2: "measured"}
    gaps = [name for name in before if "gap" in name or name == "nearest_spine_um"]  # the neighbour's base counts there
    pd.testing.assert_series_equal(after.loc[2].drop(gaps), before.loc[2].drop(gaps))
    np.testing.assert_allclose(corners(parts(image, "line")[1])[-1], moved[-1], atol=1e-3)
    assert run_script("Undo Spine Correction", image=image) == "done"
    image.deleteRoi()
    pd.testing.assert_frame_equal(table(run_script, image, tmp_path), before)


def test_a_line_from_base_to_tip_counts_in_its_planes(run_script: Run, image: Any, tmp_path: Path) -> None:
    assert run_script("Place Spine Base and Tip...", image=image, spines="2", ends="42,32;43,44.5", base_plane=3,
                      tip_plane=4) == "done"
    placed = table(run_script, image, tmp_path).loc[2]
    np.testing.assert_allclose(placed[ENDS].to_numpy(float), [1.0, 3.2, 4.2, 1.5, 4.45, 4.3])
    assert placed["geometry_source"] == "user"
    assert placed["length_xy_um"] == pytest.approx(np.hypot(1.25, 0.1))


def test_what_was_reviewed_is_told_in_the_table(run_script: Run, image: Any, tmp_path: Path) -> None:
    assert "review" not in table(run_script, image, tmp_path)
    assert run_script("Keep Spines...", image=image, spines="2") == "done"
    assert table(run_script, image, tmp_path)["review"].fillna("").to_dict() == {1: "", 2: "kept"}
    assert run_script("Add Spine...", image=image, outline="8,8;16,8;16,16;8,16", plane=3, instead_of=1) == "done"
    again = table(run_script, image, tmp_path)
    assert again["review"].to_dict() == {1: "redrawn", 2: "kept"}
    assert again.loc[1, "min_y_px"] == 8
    assert run_script("Undo Spine Correction", image=image) == "done"
    assert table(run_script, image, tmp_path)["review"].fillna("").to_dict() == {1: "", 2: "kept"}
    assert run_script("Merge Spines...", image=image, spines="1,2") == "done"
    assert "review" not in table(run_script, image, tmp_path).dropna(axis=1, how="all")


@pytest.mark.parametrize(("command", "fields", "said"), [
    ("Keep Spines...", {"spines": "9"}, "no spine 9"),
    ("Place Spine Base and Tip...", {"spines": "1,2"}, "choose one"),
    ("Place Spine Base and Tip...", {"spines": "1"}, "draw a straight one"),
    ("Place Spine Base and Tip...", {"spines": "1", "ends": "3,4"}, "draw a straight one"),
    ("Place Spine Base and Tip...", {"spines": "1", "ends": "3,4;5,6", "tip_plane": "9"}, "accepted: 1 to 5"),
    ("Add Spine...", {"outline": "8,8;16,8;16,16", "plane": "3", "instead_of": "7"}, "no spine 7"),
    ("Review Doubtful Spines...", {}, "needs windows"),
])
def test_what_makes_no_sense_is_refused(session: Any, run_script: Run, image: Any, command: str, fields: dict[str, str],
                                        said: str) -> None:
    before = session.pull_rois(image).labels.values
    assert said in run_script(command, image=image, **fields)
    np.testing.assert_array_equal(session.pull_rois(image).labels.values, before)
