"""Corrections of spines by the menu's commands, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.fiji.java import java_class

Run = Callable[..., str]


def prediction() -> Any:
    """Three spines: 1 and 2 lie side by side, 3 elsewhere."""
    spine = np.zeros((5, 40, 60), np.float32)
    spine[1:4, 10:16, 10:16] = 0.95
    spine[1:4, 10:16, 18:24] = 0.95
    spine[1:4, 26:31, 40:46] = 0.9
    dendrite = np.zeros_like(spine)
    dendrite[:, 20:23] = 0.9
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=0.1, z_um=0.5, source="a.tif"), {})


@pytest.fixture
def image(session: Any, run_script: Run) -> Any:
    image = session.push(prediction())
    assert run_script("Build 3D ROIs...", image=image) == "done"
    assert labels(session, image).max() == 3
    return image


def labels(session: Any, image: Any) -> np.ndarray:
    return np.asarray(session.pull_rois(image).labels.values)


def ids(session: Any, image: Any) -> list[int]:
    return sorted(set(np.unique(labels(session, image)).tolist()) - {0})


def test_a_spine_is_deleted_in_all_planes_and_comes_back(session: Any, run_script: Run, image: Any) -> None:
    before = labels(session, image)
    assert run_script("Delete Spines...", image=image, spines="2") == "done"
    np.testing.assert_array_equal(labels(session, image), np.where(before == 2, 0, before))
    assert run_script("Undo Spine Correction", image=image) == "done"
    np.testing.assert_array_equal(labels(session, image), before)
    assert "no correction" in run_script("Undo Spine Correction", image=image)


def test_spines_are_merged_and_split_again(session: Any, run_script: Run, image: Any) -> None:
    before = labels(session, image)
    assert run_script("Merge Spines...", image=image, spines="1, 2") == "done"
    np.testing.assert_array_equal(labels(session, image), np.where(before == 2, 1, before))
    assert run_script("Split Spine...", image=image, spines="1", line="17,0;17,40") == "done"
    after = labels(session, image)
    assert ids(session, image) == [1, 3, 4]
    np.testing.assert_array_equal(after > 0, before > 0)
    assert len(np.unique(after[before == 1])) == len(np.unique(after[before == 2])) == 1


def test_a_drawn_outline_becomes_a_spine_through_the_planes(session: Any, run_script: Run, image: Any) -> None:
    assert run_script("Delete Spines...", image=image, spines="3") == "done"
    assert run_script("Add Spine...", image=image, outline="39,25;47,25;47,32;39,32", plane=3) == "done"
    after = labels(session, image)
    assert ids(session, image) == [1, 2, 3]
    assert (after[2, 25:32, 39:47] == 3).all()  # as drawn
    for plane in (1, 3):
        np.testing.assert_array_equal(after[plane] == 3, prediction()["spine"].values[plane] == np.float32(0.9))
    assert not (after[[0, 4]] == 3).any()


def test_the_selection_of_the_image_is_the_outline(session: Any, run_script: Run, image: Any) -> None:
    image.setPosition(1, 5, 1)
    image.setRoi(java_class("ij.gui.Roi")(2, 3, 4, 5))
    assert run_script("Add Spine...", image=image, grow=False) == "done"
    found = labels(session, image)
    assert (found[4, 3:8, 2:6] == 4).all()
    assert (found == 4).sum() == 20


@pytest.mark.parametrize(("command", "fields", "said"), [
    ("Delete Spines...", {"spines": "9"}, "no spine 9"),
    ("Delete Spines...", {"spines": "one"}, "spines is 'one'"),
    ("Delete Spines...", {}, "No spine is selected"),
    ("Merge Spines...", {"spines": "1"}, "at least two"),
    ("Split Spine...", {"spines": "1,2"}, "choose one"),
    ("Split Spine...", {"spines": "1", "line": "0,39;59,39"}, "does not cross"),
    ("Add Spine...", {"outline": "1,2,3"}, "no list of corners"),
    ("Add Spine...", {"outline": "1,1;5,1;5,5", "plane": "77"}, "accepted: 1 to 5"),
    ("Add Spine...", {"outline": "100,100;105,100;105,105"}, "inside of the image"),
    ("Add Spine...", {"outline": "11,11;14,11;14,14;11,14", "plane": "3"}, "free"),
])
def test_a_correction_that_makes_no_sense_is_refused(session: Any, run_script: Run, image: Any, command: str,
                                                     fields: dict[str, str], said: str) -> None:
    before = labels(session, image)
    assert said in run_script(command, image=image, **fields)
    np.testing.assert_array_equal(labels(session, image), before)


@pytest.mark.parametrize("answer", ["ask", "merge"])
def test_building_again_keeps_what_was_corrected(session: Any, run_script: Run, image: Any, answer: str) -> None:
    assert run_script("Delete Spines...", image=image, spines="2") == "done"
    assert run_script("Add Spine...", image=image, outline="50,2;56,2;56,8;50,8", plane=1, grow=False) == "done"
    corrected = labels(session, image)
    for _ in range(2):
        assert run_script("Build 3D ROIs...", image=image, corrections=answer) == "done"
        np.testing.assert_array_equal(labels(session, image) > 0, corrected > 0)
    assert run_script("Undo Spine Correction", image=image) == "done"
    np.testing.assert_array_equal(labels(session, image) > 0, corrected > 0)


def test_building_again_can_replace_what_was_corrected(session: Any, run_script: Run, image: Any) -> None:
    before = labels(session, image)
    assert run_script("Delete Spines...", image=image, spines="2") == "done"
    corrected = labels(session, image)
    assert run_script("Build 3D ROIs...", image=image, corrections="replace") == "done"
    np.testing.assert_array_equal(labels(session, image), before)
    assert run_script("Undo Spine Correction", image=image) == "done"
    np.testing.assert_array_equal(labels(session, image), corrected)


def test_an_export_replaces_nothing_without_being_told(run_script: Run, image: Any, tmp_path: Path) -> None:
    table = tmp_path / "a_spines.csv"
    table.write_text("of the user\n")
    said = run_script("Export DeepD3 Tables...", image=image, folder=str(tmp_path))
    assert "is there already" in said
    assert "overwrite=true" in said
    assert table.read_text() == "of the user\n"
    assert run_script("Export DeepD3 Tables...", image=image, folder=str(tmp_path), overwrite=True) == "done"
    assert len(table.read_text().splitlines()) == 4
    assert "is there already" in run_script("Export All DeepD3 Results...", image=image, folder=str(tmp_path))
    assert "is there already" not in run_script("Save DeepD3 Results...", image=image, folder=str(tmp_path))
    assert "is there already" in run_script("Save DeepD3 Results...", image=image, folder=str(tmp_path))


def test_rois_of_another_stack_are_not_measured(session: Any, run_script: Run, image: Any) -> None:
    other = session.push(label_prediction(
        np.zeros((5, 40, 60), np.float32), np.zeros((5, 40, 60), np.float32),
        label_stack(np.zeros((5, 40, 60), np.float32), xy_um=0.1, z_um=0.5, source="b.tif"), {}))
    overlay = other.getOverlay() or java_class("ij.gui.Overlay")()
    for roi in image.getOverlay().toArray():
        overlay.add(roi)
    other.setOverlay(overlay)
    said = run_script("Measure Dendrites and Spines...", image=other)
    assert "has no ROIs" in said
    assert "of 'a.tif' left out" in said


def test_hidden_rois_are_not_lost(session: Any, run_script: Run, image: Any) -> None:
    before = labels(session, image)
    assert run_script("Show or Hide Spine ROIs", image=image) == "done"
    assert image.getOverlay().size() == 0
    assert run_script("Delete Spines...", image=image, spines="2") == "done"
    assert run_script("Show or Hide Spine ROIs", image=image) == "done"
    np.testing.assert_array_equal(labels(session, image), np.where(before == 2, 0, before))
