"""The guide's inference window, driven by a script, on a real ImageJ."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from deepd3_ij.compat.inference.gui import ROI3D, Cleaning, Main, Segment
from deepd3_ij.compat.inference.workbench import Workbench
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class
from deepd3_ij.files.hdf5 import read_prediction, read_rois
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.roi_settings import read_roi_settings
from deepd3_ij.parameters import CleaningParameters, PredictionParameters, Roi2DParameters, Roi3DParameters
from tests.imagej.display.conftest import dialog, wait_for
from tests.unit.random_models import save_random

SETTINGS = {"areaThreshold": 0.3, "peakThreshold": 0.6, "seedDelta": 0.5, "distanceToSeed": 1.5, "minPx": 3}


@pytest.fixture
def window(session: Session, tmp_path):
    pixels = np.random.default_rng(3).integers(0, 4000, (4, 64, 96)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "cell.tif", pixels, photometric="minisblack")
    save_random(tmp_path / "model.keras", filters=2, layers=2)
    made = Main(Workbench(session))
    made.open(tmp_path / "cell.tif", dimensions={"xy": 0.12, "z": 0.4})
    yield made
    made.interface.bench.close()


def segmented(window: Main, tmp_path) -> None:
    settings = Segment(tmp_path / "model.keras")
    settings.parameters = PredictionParameters(tiling="plane")
    window.segment(settings)


def test_the_steps_of_the_guide_from_opening_to_files(window: Main, tmp_path) -> None:
    interface = window.interface
    segmented(window, tmp_path)
    raw = interface.bench.prediction
    preview = CleaningParameters(closing=False, dendrite_threshold=0.5, min_dendrite_voxels=20, spine_iterations=1)
    window.previewCleaning(preview)
    assert interface.bench.prediction is raw
    settings = Cleaning()
    settings.parameters = preview
    window.cleaning(settings)
    assert not np.array_equal(interface.bench.prediction["spine"], raw["spine"])
    count = window.roi3d(SETTINGS)
    assert count == len(interface.bench.rois) > 3
    assert read_roi_settings(tmp_path / "cell.roi3d_settings") == ROI3D(SETTINGS).parameters

    window.setShowROIs()
    window.setShowSegmentation(False)
    window.setShowLabels()
    window.setShowMaxProjection(True)
    window.setShowMaxProjection()
    window.setShowLabels(False)
    window.zprojection()
    files = [*window.save(), *window.exportPredictions(tmp_path), *window.exportImageJ(tmp_path),
             *window.exportToFolderStructure(tmp_path), *window.exportRoiMap(tmp_path),
             *window.exportRoiCentroids(tmp_path)]
    assert all(path.exists() for path in files)
    found = read_rois(tmp_path / "cell.rois")
    np.testing.assert_array_equal(found.labels, interface.bench.rois.labels)
    np.testing.assert_array_equal(read_prediction(tmp_path / "cell.prediction")["spine"],
                                  interface.bench.prediction["spine"])
    np.testing.assert_array_equal(open_stack(tmp_path / "cell_roi_map.tif"), found.labels)
    binary, = window.exportRoiMap(tmp_path, binarize=True)
    assert np.unique(tifffile.imread(binary)).tolist() == [0, 255]
    log = (tmp_path / "cell.log").read_text().splitlines()
    assert any("segmented" in line for line in log)

    again = Main(interface.bench)
    again.open(tmp_path / "cell.tif", dimensions={"xy": 0.12, "z": 0.4})
    assert len(again.interface.bench.rois) == count
    assert again.exportRoiCentroids(tmp_path)[0].stat().st_size > 100


def test_the_table_follows_the_plane_and_a_click_selects_the_nearest_roi_that_delete_removes_everywhere(
        window: Main, tmp_path) -> None:
    interface = window.interface
    segmented(window, tmp_path)
    window.roi3d(SETTINGS)
    interface._changeOverlay(2)
    assert int(interface.bench.image.getZ()) == 3
    rois = interface.bench.rois
    assert set(interface.table["ROI_id"]) == set(np.unique(rois.labels.values[2]).tolist()) - {0}
    row = interface.table.iloc[0]
    interface.imageView.mousePressEvent((row["X"], row["Y"]))
    assert interface.selected == [int(row["ROI_id"])]
    wait_for(lambda: interface.getSelection() == [int(row["ROI_id"])])
    interface.keyPressEvent("Delete")
    assert int(row["ROI_id"]) not in interface.bench.need_rois().ids
    assert int(row["ROI_id"]) not in interface.table["ROI_id"].tolist()


def test_settings_of_the_test_reach_roi_building_and_a_double_click_opens_it(window: Main, tmp_path) -> None:
    interface = window.interface
    segmented(window, tmp_path)
    interface.saveSettingsROI3D(SETTINGS)
    assert interface.bench.recommended(Roi3DParameters) == ROI3D(SETTINGS).parameters
    interface.imageView.setCurrentIndex(0)
    interface.imageView.mouseDoubleClickEvent((5, 5))
    assert dialog("Test 3D ROIs") is not None


def test_plane_rois_annotations_and_new_dimensions(window: Main, tmp_path) -> None:
    segmented(window, tmp_path)
    assert window.roi2d(Roi2DParameters(clean_rois=False, spine_threshold=0.6)) > 3
    pd.DataFrame({"X": [5, 900], "Y": [6, 7], "Pos": [1, 1]}).to_csv(tmp_path / "a.csv")
    assert window.importAnnotations(tmp_path / "a.csv") == 1
    window.setDimensions({"xy": 0.2, "z": 1.0})
    assert window.interface.bench.voxel_size() == (0.2, 1.0)
    assert float(window.interface.bench.image.getCalibration().pixelWidth) == pytest.approx(0.2)
    window.interface.updateProgress(1, 2)
    assert java_class("ij.IJ").getInstance() is not None
