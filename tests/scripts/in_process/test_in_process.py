"""The menu scripts in a Java that this Python hosts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.fiji.java import java_class
from deepd3_ij.parameters import CleaningParameters, Roi3DParameters
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.in_process import publish
from deepd3_ij.service.menu import menu_folder
from deepd3_ij.service.registry import VERBS

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
    assert run_script("Clean DeepD3 Prediction...", image=image) == "done"
    cleaned, expected = session.pull(image), clean(prediction(), CleaningParameters())
    for name in ("dendrite", "spine"):
        np.testing.assert_array_equal(cleaned[name].values, expected[name].values)
    assert "CleaningParameters" in cleaned.attrs["provenance"]


def test_rois_of_the_scripts_are_read_by_the_session(session: Any, run_script: Run) -> None:
    from deepd3_ij.rois import build_rois_3d

    image = session.push(prediction())
    assert run_script("Build 3D ROIs...", image=image) == "done"
    expected = build_rois_3d(prediction(), Roi3DParameters())
    np.testing.assert_array_equal(session.pull_rois(image).labels.values, expected.labels.values)
    assert len(expected) == 2
    assert run_script("Measure Dendrites and Spines...", image=image) == "done"


def test_parameters_of_the_live_test_count_where_a_field_was_left_alone(session: Any, run_script: Run) -> None:
    from deepd3_ij.fiji.kept_parameters import keep_roi_parameters

    image = session.push(prediction())
    keep_roi_parameters(image, {"area_threshold": 0.92})
    assert run_script("Build 3D ROIs...", image=image) == "done"
    assert len(session.pull_rois(image)) == 1
    assert run_script("Build 3D ROIs...", image=image, area_threshold=0.25) == "done"  # the default, but typed
    assert len(session.pull_rois(image)) == 2


def test_an_image_that_is_no_prediction_is_refused(session: Any, run_script: Run) -> None:
    image = session.push(label_stack(np.zeros((2, 20, 20), np.uint8), xy_um=0.1, z_um=0.5, source="plain.tif"))
    assert "has no prediction" in run_script("Clean DeepD3 Prediction...", image=image)
    assert "has no ROIs" in run_script("Show Spine Labels", image=image)


def test_an_unexpected_error_in_python_keeps_its_message(session: Any, run_script: Run, monkeypatch: Any,
                                                       capfd: Any) -> None:
    def fail(*_: Any, **__: Any) -> Reply:
        raise ZeroDivisionError("the sky fell")

    monkeypatch.setitem(VERBS, "about", fail)
    outcome = run_script("DeepD3 Versions...")
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
    assert run_script("Clean DeepD3 Prediction...", image=image) == "cancelled"
    np.testing.assert_array_equal(session.pull(image)["dendrite"].values, prediction()["dendrite"].values)


def test_publishing_twice_gives_one_service(session: Any) -> None:
    publish(session)
    publish(session)
    objects = session.context.getService(java_class("org.scijava.object.ObjectService"))
    functions = objects.getObjects(java_class("java.util.function.Function").class_)
    assert [str(objects.getName(each)) for each in functions].count("deepd3.service") == 1


def test_the_scripts_of_the_package_are_used_and_its_folder_stays_clean(session: Any, run_script: Run) -> None:
    assert run_script("DeepD3 Versions...") == "done"
    path = java_class("org.python.core.PySystemState")().path
    assert str(path.get(0)) == str(menu_folder() / "jars" / "Lib")
    assert not list(menu_folder().rglob("*.class"))


def test_a_command_or_field_that_does_not_exist_is_named(run_script: Run) -> None:
    assert "known: Add Spine..., " in run_script("Format Disk...")
    assert "no field 'speed'; accepted: image, preset, mode" in run_script("Build 3D ROIs...", speed=1)


def test_a_training_is_stopped_by_esc_and_resumed(session: Any, run_script: Run, monkeypatch: Any,
                                                  tmp_path: Path) -> None:
    from deepd3_ij.training import fitting

    scene = {"planes": 2, "height_px": 96, "width_px": 96, "dendrites": 1, "folder": tmp_path, "count": 1, "seed": 3}
    assert run_script("Simulate DeepD3 Stack...", **scene) == "done"
    stem = tmp_path / "simulated_0003"
    # The stack is the active image, so it need not be named.
    truth = {"dendrites": f"{stem}_true.swc", "spines": f"{stem}_true_spines.tif"}
    assert run_script("Create DeepD3 Training Data...", **truth) == "done"
    assert stem.with_suffix(".d3data").is_file()
    assert run_script("Arrange DeepD3 Training Set...", source=tmp_path, out=tmp_path / "one.d3set") == "done"
    steps = {"training": tmp_path / "one.d3set", "out": tmp_path / "model.keras", "filters": 2, "steps": 4,
             "batch_size": 2, "tile_px": 64, "validate_every": 2}
    step = fitting._Trainer.step

    def slow(trainer: Any, index: int, batch: Any) -> Any:
        if index == 3:
            java_class("ij.IJ").setKeyDown(27)
        return step(trainer, index, batch)

    with monkeypatch.context() as patched:
        patched.setattr(fitting._Trainer, "step", slow)
        patched.setattr(fitting, "_line", lambda log: "training")
        assert run_script("Train DeepD3 Model...", **steps) == "cancelled"
    assert not (tmp_path / "model.keras").exists()
    assert run_script("Train DeepD3 Model...", **steps, resume=True, use=True) == "done"
    table = tmp_path / "simulated_0003_true_spines.csv"
    assert run_script("Evaluate Spine Detection...", detected=table, truth=table) == "done"
    # 'default' is the trained model now.
    image = session.push(label_stack(np.zeros((1, 64, 64), np.uint8), xy_um=0.12, z_um=1.0, source="b.tif"))
    assert run_script("Segment Dendrites and Spines...", image=image) == "done"
    assert json.loads(session.pull().attrs["provenance"])["model"]["name"] == "model"
    assert run_script("DeepD3 Settings...", model="") == "done"


def test_save_and_load_give_the_same_prediction(session: Any, run_script: Run, tmp_path: Path) -> None:
    image = session.push(prediction())
    assert run_script("Save DeepD3 Results...", image=image, folder=tmp_path) == "done"
    assert (tmp_path / "a.prediction").is_file()
    assert run_script("Load DeepD3 Results...", image=image, path=tmp_path / "a.prediction") == "done"


def scene() -> Any:
    """A small stack with spines."""
    from deepd3_ij.parameters import SimulationParameters
    from deepd3_ij.simulation import simulate

    return simulate(SimulationParameters(planes=5, height_px=128, width_px=128, spine_density_per_um=2.0), 1).stack


def test_the_menu_does_the_same_as_the_package_step_by_step_and_at_once(session: Any, run_script: Run) -> None:
    import deepd3_ij as d3

    stack = scene()
    prediction = d3.predict(stack)
    cleaned = d3.clean(prediction)
    steps = d3.build_rois_3d(cleaned).labels.values
    at_once = d3.analyze(stack).rois.labels.values
    image = session.push(stack)
    assert run_script("Segment Dendrites and Spines...", image=image) == "done"
    assert run_script("Clean DeepD3 Prediction...") == "done"
    assert run_script("Build 3D ROIs...") == "done"
    by_menu_steps = session.pull_rois().labels.values
    assert run_script("Analyze Dendrites and Spines...", image=image) == "done"
    by_menu = session.pull_rois().labels.values
    assert steps.max() > 2
    for labels in (at_once, by_menu_steps, by_menu):
        np.testing.assert_array_equal(labels, steps)


def test_what_was_not_typed_is_told_as_the_models_and_what_was_as_typed(session: Any, run_script: Run) -> None:
    image = session.push(scene())
    assert run_script("Analyze Dendrites and Spines...", image=image, area_threshold=0.25, watershed=False) == "done"
    stated = session.pull_rois().provenance
    assert stated["Roi3DParameters"]["area_threshold"] == 0.25  # the table's default, but not the model's
    origins = stated["origins"]["Roi3DParameters"]
    assert (origins["area_threshold"], origins["watershed"], origins["mode"]) == ("typed", "typed", "recommended")
    assert origins["seed_delta"] == "default"
