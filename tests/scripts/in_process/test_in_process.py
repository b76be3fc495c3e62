"""The menu scripts in a Java that this Python hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.fiji.java import java_class
from deepd3_ij.parameters import CleaningParameters, Roi3DParameters
from deepd3_ij.service import steps, verbs
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.in_process import publish

Run = Callable[..., str]


def prediction() -> Any:
    spine = np.zeros((4, 40, 50), np.float32)
    spine[1:3, 10:16, 10:16] = 0.95
    spine[0:2, 26:31, 20:26] = 0.9
    dendrite = np.zeros_like(spine)
    dendrite[:, 18:24] = 0.9
    dendrite[0, 2, 2] = 0.9
    return label_prediction(dendrite, spine, label_stack(spine, xy_um=0.1, z_um=0.5, source="a.tif"), {"a": 1})


def test_cleaning_changes_the_image_as_the_package_does(session: Any, run_script: Run) -> None:
    from deepd3_ij.cleaning import clean

    image = session.push(prediction())
    assert run_script("Clean_Predictions....py", image=image) == "done"
    cleaned, expected = session.pull(image), clean(prediction(), CleaningParameters())
    for name in ("dendrite", "spine"):
        np.testing.assert_array_equal(cleaned[name].values, expected[name].values)
    assert "CleaningParameters" in cleaned.attrs["provenance"]


def test_rois_of_the_scripts_are_read_by_the_session(session: Any, run_script: Run) -> None:
    from deepd3_ij.rois import build_rois_3d

    image = session.push(prediction())
    assert run_script("Build_3D_ROIs....py", image=image) == "done"
    expected = build_rois_3d(prediction(), Roi3DParameters())
    np.testing.assert_array_equal(session.pull_rois(image).labels.values, expected.labels.values)
    assert len(expected) == 2
    assert run_script("Measure_Spines....py", image=image) == "done"


def test_parameters_of_the_live_test_count_where_a_field_was_left_alone(session: Any, run_script: Run) -> None:
    from deepd3_ij.fiji.live_test import store_parameters

    image = session.push(prediction())
    store_parameters(image, Roi3DParameters(area_threshold=0.92))
    run_script("Build_3D_ROIs....py", image=image)
    assert len(session.pull_rois(image)) == 1
    run_script("Build_3D_ROIs....py", image=image, recommended=java_class("java.lang.Boolean")(False))
    assert len(session.pull_rois(image)) == 2


def test_an_image_that_is_no_prediction_is_refused(session: Any, run_script: Run) -> None:
    image = session.push(label_stack(np.zeros((2, 20, 20), np.uint8), xy_um=0.1, z_um=0.5, source="plain.tif"))
    assert "has no prediction" in run_script("Clean_Predictions....py", image=image)
    assert "has no ROIs" in run_script("Show_Labels.py", image=image)


def test_an_unexpected_error_in_python_keeps_its_message(session: Any, run_script: Run, monkeypatch: Any,
                                                       capfd: Any) -> None:
    def fail(*_: Any, **__: Any) -> Reply:
        raise ZeroDivisionError("the sky fell")

    monkeypatch.setitem(verbs.VERBS, "about", fail)
    monkeypatch.setattr(steps, "about", fail)
    outcome = run_script("About_DeepD3....py")
    assert "ZeroDivisionError: the sky fell" in outcome
    assert "Traceback" in "".join(capfd.readouterr())  # without windows the Log is the output stream


def test_esc_stops_and_leaves_the_image_as_it_was(session: Any, run_script: Run, monkeypatch: Any) -> None:
    from deepd3_ij import cleaning

    original = cleaning.clean

    def slow(given: Any, parameters: Any, progress: Any) -> Any:
        java_class("ij.IJ").setKeyDown(27)
        progress(0, 10, "Cleaning")
        return original(given, parameters, progress)

    monkeypatch.setattr(cleaning, "clean", slow)
    image = session.push(prediction())
    assert run_script("Clean_Predictions....py", image=image) == "cancelled"
    np.testing.assert_array_equal(session.pull(image)["dendrite"].values, prediction()["dendrite"].values)


def test_publishing_twice_gives_one_service(session: Any) -> None:
    publish(session)
    publish(session)
    objects = session.context.getService(java_class("org.scijava.object.ObjectService"))
    functions = objects.getObjects(java_class("java.util.function.Function").class_)
    assert [str(objects.getName(each)) for each in functions].count("deepd3.service") == 1


def test_save_and_load_give_the_same_prediction(session: Any, run_script: Run, tmp_path: Path) -> None:
    image = session.push(prediction())
    folder = java_class("java.io.File")(str(tmp_path))
    assert run_script("Save_DeepD3_Results....py", image=image, folder=folder) == "done"
    assert (tmp_path / "a.prediction").is_file()
    loaded = java_class("java.io.File")(str(tmp_path / "a.prediction"))
    assert run_script("Load_DeepD3_Results....py", image=image, path=loaded) == "done"
