"""The parts of the guide's inference window that need no display."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from deepd3_ij.compat.core.analysis import ROI3D_Creator
from deepd3_ij.compat.inference import gui
from deepd3_ij.compat.inference.interface import position_of
from deepd3_ij.compat.keys import key_name
from deepd3_ij.errors import DeepD3Error, FijiError, ParameterError
from deepd3_ij.files.roi_settings import read_roi_settings, write_roi_settings
from deepd3_ij.parameters import Roi3DParameters


def test_a_slider_keeps_decimals_and_ends_and_tells_changes():
    slider, told = gui.DoubleSlider(decimals=1), []
    slider.doubleValueChanged.connect(told.append)
    assert (slider.value(), slider.singleStep()) == (0, 0.1)
    slider.setMaximum(2)
    slider.setMinimum(-1)
    slider.setSingleStep(0.5)
    for value in (1.26, 99, -99, -99):
        slider.setValue(value)
    assert told == [1.3, 2.0, -1.0]
    slider.setMinimum(3)
    assert (slider.value(), slider.singleStep()) == (3.0, 0.5)


def test_dialogs_begin_with_the_guides_settings_and_close():
    assert gui.Segment("m.h5").model_fn == "m.h5"
    assert gui.Segment().parameters.tiling == "plane"
    assert gui.Cleaning().parameters.spine_iterations == 21
    assert gui.ROI2D().parameters.max_dendrite_distance_px == 30
    for dialog in (gui.Segment(), gui.Cleaning(), gui.ROI2D(), gui.ROI3D()):
        assert not dialog.closed
        assert dialog.close() is True
        assert dialog.closed
        assert str(dialog).splitlines()[:2] == [dialog.title, str(gui.QHLine())]


def test_three_dimensional_settings_have_the_originals_names():
    dialog = gui.ROI3D({"method": "connected components", "minPx": 5, "watershed": True})
    assert dialog.parameters == Roi3DParameters(mode="connected", min_voxels=5, watershed=True)
    assert dialog.settings == {
        "method": "connected components", "areaThreshold": 0.25, "peakThreshold": 0.8, "minPx": 5, "maxPx": 1000,
        "minPlanes": 1, "distanceToSeed": 2.0, "seedDelta": 0.2, "watershed": True}
    with pytest.raises(ParameterError, match="Unknown setting 'minpx'; known: method, areaThreshold"):
        gui.ROI3D({"minpx": 5})


def test_settings_files_are_the_originals(tmp_path):
    parameters = Roi3DParameters(mode="connected", min_voxels=5, seed_delta=0.35)
    write_roi_settings(tmp_path / "a.roi3d_settings", parameters)
    assert sorted(json.loads((tmp_path / "a.roi3d_settings").read_text())) == sorted([
        "method", "areaThreshold", "peakThreshold", "minPx", "maxPx", "minPlanes", "distanceToSeed", "seedDelta",
        "watershed"])
    assert read_roi_settings(tmp_path / "a.roi3d_settings") == parameters


def test_dimensions_are_asked_for_with_the_guides_defaults():
    assert gui.askDimensions().dimensions() == {"xy": 0.094, "z": 0.5}
    assert gui.askDimensions(0.1, 1).dimensions() == {"xy": 0.1, "z": 1.0}
    with pytest.raises(ParameterError):
        gui.askDimensions(0)


@pytest.fixture
def crop():
    rng = np.random.default_rng(2)
    spine = np.zeros((6, 40, 40), np.float32)
    for z, y, x in ((0, 5, 5), (3, 20, 30), (5, 38, 2)):
        spine[max(0, z - 1):z + 2, max(0, y - 3):y + 4, max(0, x - 3):x + 4] = 0.9
    return rng.integers(0, 200, spine.shape).astype(np.uint16), np.zeros_like(spine), spine


def test_the_test_window_gives_the_rois_of_the_full_building_with_the_same_dimensions(crop):
    pixels, dendrite, spine = crop
    dimensions = {"xy": 0.2, "z": 0.3}
    window = gui.testROI(pixels, dendrite, spine, {"minPlanes": 1, "seedDelta": 0.3, "distanceToSeed": 1.0},
                         dimensions)
    creator = ROI3D_Creator(dendrite, spine, areaThreshold=0.2, seedDelta=0.3, distanceToSeed=1.0,
                            dimensions=dimensions)
    assert window.do() == creator.create(10, 1000, 1) > 0
    np.testing.assert_array_equal(window.roi_map, creator.roi_map)
    assert [len(rois) for rois in window.rois.values()] == [len(rois) for rois in creator.rois.values()]
    assert window.settings["minPlanes"] == 1
    assert gui.testROI(pixels, dendrite, spine).settings["minPlanes"] == 3


def test_intensities_can_be_tested_too(crop):
    pixels, dendrite, spine = crop
    window = gui.testROI(pixels, dendrite, spine, {"method": "connected components", "areaThreshold": 0.0,
                                                   "maxPx": 10_000, "minPlanes": 1})
    window.data = "intensity"
    assert window.do() == 1
    np.testing.assert_array_equal(window.roi_map > 0, pixels > pixels.min())


def test_clicks_and_keys_of_any_toolkit_are_understood():
    view, heard = gui.ImageView(np.zeros((4, 5, 6))), []
    view.clicked.connect(heard.append)
    view.doubleClicked.connect(heard.append)
    point = SimpleNamespace(x=lambda: 3, y=lambda: 2)
    view.mousePressEvent((1, 2))
    view.mouseDoubleClickEvent(SimpleNamespace(pos=lambda: point))
    assert heard == [(1, 2), (3, 2)]
    with pytest.raises(ParameterError, match="accepted: \\(x, y\\)"):
        position_of("ab")
    assert [key_name(event) for event in ("Delete", 127, 0x01000007, SimpleNamespace(key=lambda: 66),
                                          SimpleNamespace(getKeyCode=lambda: 39), 0)] == [
        "delete", "delete", "delete", "b", "right", ""]
    view.keyPressEvent("Right")
    assert view.currentIndex == 1
    assert view.plane().shape == (5, 6)


def test_steps_without_a_stack_say_so():
    window = gui.Main()
    for step in (window.segment, window.cleaning, window.roi2d, window.roi3d, window.save, window.zprojection,
                 window.setDimensions, window.exportImageJ, window.setShowROIs, window.importAnnotations):
        with pytest.raises(FijiError, match="no stack yet"):
            step()


def test_an_unknown_cleaning_setting_is_refused():
    with pytest.raises(DeepD3Error, match="Unknown parameter"):
        gui._cleaning({"dilation": 3})
