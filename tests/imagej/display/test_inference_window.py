"""The inference window: the guide's inference chapter, step by step."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij import label_stack, open_stack
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.inference_window import InferenceWindow
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.files.hdf5 import read_rois, write_prediction
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.files.swc import read_swc
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.stack import label_prediction, voxel_size_um
from tests.imagej.display.conftest import dialog, press, wait_for
from tests.tracings import tree_count

SHAPE = (8, 120, 150)
XY_UM, Z_UM = 0.1, 0.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A stack with its prediction beside it: a dendrite, and spines along it."""
    z, y, x = np.mgrid[:SHAPE[0], :SHAPE[1], :SHAPE[2]]
    dendrite = (((z - 4) * 3) ** 2 + (y - 60) ** 2 < 36).astype(np.float32)
    spine = np.zeros(SHAPE, np.float32)
    for number, cx in enumerate(range(15, 150, 30)):
        cy = 50 if number % 2 else 72
        distance = (3 * (z - 4)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2
        spine = np.maximum(spine, np.exp(-distance / 60)).astype(np.float32)
    stack = label_stack(np.round(150 * dendrite + 100 * spine).astype(np.uint8), xy_um=XY_UM, z_um=Z_UM)
    write_stack(tmp_path / "cell.tif", stack)
    write_prediction(tmp_path / "cell.prediction", label_prediction(dendrite, spine, stack, {"model": "test"}))
    return tmp_path


@pytest.fixture
def window(session: Session) -> Iterator[InferenceWindow]:
    window = InferenceWindow(session)
    yield window
    window.close()


def opened(window: InferenceWindow, folder: Path) -> InferenceWindow:
    window.open(folder / "cell.tif")
    return window


def with_rois(window: InferenceWindow, folder: Path) -> InferenceWindow:
    opened(window, folder)
    running = window.run("3D ROI detection…")
    press(dialog("3D ROI detection").getButtons()[0])
    running.join(240)
    assert len(window.bench.rois) == 5
    return window


def manager() -> object:
    return java_class("ij.plugin.frame.RoiManager").getInstance()


def test_a_stack_opens_with_its_prediction_as_a_merged_view(window: InferenceWindow, folder: Path) -> None:
    bench = opened(window, folder).bench
    assert bench.image.getNChannels() == 3
    assert bench.image.isVisible()
    assert str(bench.image.getCalibration().getUnit()) == "micron"
    np.testing.assert_array_equal(window.bench.session.pull(bench.image, channel=2), bench.prediction["spine"])


def test_rois_are_built_by_the_dialog_and_shown_in_manager_and_table(window: InferenceWindow, folder: Path) -> None:
    with_rois(window, folder)
    assert manager().getCount() > 5
    table = window.bench.session.pull_table(f"Spines of {window.bench.image.getTitle()!s}")
    assert len(table) == 5
    assert (table["dendrite_id"] == 1).all()


def test_deleting_selected_spines_removes_them_from_tables_labels_and_exports(
    window: InferenceWindow, folder: Path
) -> None:
    bench = with_rois(window, folder).bench
    bench.show_labels(True)
    first = bench.rois.ids[0]
    names = [str(manager().getName(index)) for index in range(manager().getCount())]
    manager().select(next(index for index, name in enumerate(names) if name.startswith(f"spine{first:04d}")))
    bench.delete_selected()
    assert first not in bench.rois.ids
    assert first not in np.unique(bench.session.pull(bench._labels_image))
    assert first not in bench.session.pull_table(f"Spines of {bench.image.getTitle()!s}")["id"].tolist()
    (path,) = bench.export("roi_zip", folder)
    assert first not in read_roi_zip(path, bench.stack).ids


def test_edits_in_the_manager_are_in_what_is_saved(window: InferenceWindow, folder: Path) -> None:
    bench = with_rois(window, folder).bench
    bench.image.setSlice(1)
    bench.image.setPosition(1, 2, 1)
    bench.image.setRoi(5, 5, 12, 10)
    manager().runCommand("Add")
    files = bench.save()
    assert [path.name for path in files] == ["cell.prediction", "cell.rois"]
    saved = read_rois(folder / "cell.rois")
    assert len(saved) == 6
    assert (saved.labels.values[1, 5:15, 5:17] == saved.ids.max()).all()


def test_closing_the_roi_manager_deletes_nothing(window: InferenceWindow, folder: Path) -> None:
    bench = with_rois(window, folder).bench
    manager().reset()
    manager().close()
    assert len(bench.need_rois()) == 5
    bench.apply_corrections()
    assert manager().getCount() > 5


def test_segmentation_rois_projection_and_labels_can_be_shown_and_hidden(window: InferenceWindow, folder: Path) -> None:
    bench = with_rois(window, folder).bench
    bench.show_segmentation(False)
    assert [bool(active) for active in bench.image.getActiveChannels()][:3] == [True, False, False]
    bench.show_segmentation(True)
    assert [bool(active) for active in bench.image.getActiveChannels()][:3] == [True, True, True]
    bench.show_projection(True)
    projection = bench._projection
    assert projection.isVisible()
    np.testing.assert_array_equal(bench.session.pull(projection, channel=1).values[0],
                                  bench.prediction["spine"].max("z"))
    bench.show_projection(False)
    assert not projection.isVisible()
    bench.show_labels(True)
    assert [bool(active) for active in bench.image.getActiveChannels()][:3] == [True, False, False]
    np.testing.assert_array_equal(bench.session.pull(bench._labels_image), bench.rois.labels)
    bench.show_labels(False)
    bench.show_rois(False)
    assert bench.image.getHideOverlay()
    bench.show_rois(True)
    assert not bench.image.getHideOverlay()


def test_cleaning_with_preview_shows_and_takes_back(window: InferenceWindow, folder: Path) -> None:
    bench = opened(window, folder).bench
    before = bench.prediction
    running = window.run("Cleaning…")
    asked = dialog("Cleaning")
    preview = asked.getCheckboxes().get(asked.getCheckboxes().size() - 1)
    assert str(preview.getLabel()) == "Preview"
    distance = next(field for field in asked.getNumericFields() if str(field.getText()) == "2.00")
    preview.setState(True)
    distance.setText("0.00")  # no spine probability outside of the dendrite

    def shown() -> bool:
        spine = bench.session.pull(bench.image, channel=2)
        return float(spine.sum()) < 0.8 * float(before["spine"].sum())

    wait_for(shown)
    press(asked.getButtons()[1])
    running.join(240)
    assert bench.prediction is before
    np.testing.assert_array_equal(bench.session.pull(bench.image, channel=2), before["spine"])


def test_changed_dimensions_change_image_and_measures(window: InferenceWindow, folder: Path) -> None:
    bench = with_rois(window, folder).bench
    before = bench.measurements.spines["volume_um3"].to_numpy()
    bench.set_dimensions(xy_um=0.2, z_um=0.5)
    assert bench.image.getCalibration().pixelWidth == 0.2
    np.testing.assert_allclose(bench.measurements.spines["volume_um3"], before * 4)
    assert voxel_size_um(bench.prediction) == voxel_size_um(bench.rois.labels) == (0.5, 0.2, 0.2)


def test_annotations_are_drawn_in_their_plane_and_next_to_it_and_are_no_rois(
    window: InferenceWindow, folder: Path
) -> None:
    bench = with_rois(window, folder).bench
    pd.DataFrame({"X": [20, 70, 999], "Y": [30, 80, 1], "Pos": [0, 5, 2]}).to_csv(folder / "marks.csv")
    assert bench.import_annotations(folder / "marks.csv") == 2
    points = bench.image.getOverlay().toArray()
    assert sorted(int(roi.getZPosition()) for roi in points) == [1, 2, 5, 6, 7]
    assert all(text_of(roi.getTypeAsString()) == "Point" for roi in points)
    assert len(bench.session.pull_rois(bench.image, source="overlay")) == 0
    assert len(bench.need_rois()) == 5


def test_every_export_writes_its_files(window: InferenceWindow, folder: Path) -> None:
    bench = with_rois(window, folder).bench
    out = folder / "out"
    out.mkdir()
    for what in ("maps", "roi_zip", "roi_folder", "roi_map", "centroids", "tables", "traces"):
        assert all(path.exists() for path in bench.export(what, out))
    assert read_roi_zip(out / "cell_rois.zip", bench.stack).labels.equals(bench.rois.labels)
    np.testing.assert_array_equal(open_stack(out / "cell_roi_map.tif").values, bench.rois.labels)
    assert tree_count(read_swc(out / "cell_dendrites.swc")) == 1
    assert len(pd.read_csv(out / "cell_spines.csv")) == 5


def test_a_step_without_what_it_needs_says_which_menu_item_makes_it(window: InferenceWindow) -> None:
    window.run("3D ROI detection…").join(240)
    wait_for(lambda: "File ▸ Open…" in str(window._status.getText()))
    message = dialog("DeepD3")
    assert message.isShowing()


def test_a_file_without_voxel_size_is_asked_for(window: InferenceWindow, tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((3, 20, 20), np.uint8),
                     photometric="minisblack")
    running = window._start(lambda: window.open(tmp_path / "plain.tif"))
    asked = dialog("Voxel size")
    asked.getNumericFields().get(0).setText("0.25")
    press(asked.getButtons()[0])
    running.join(240)
    assert window.bench.voxel_size() == (0.25, 0.5)


def test_a_stopped_step_changes_nothing(window: InferenceWindow, folder: Path) -> None:
    bench = opened(window, folder).bench

    def endless() -> None:
        for step in range(10_000):
            window._progress(step, 10_000, "Working")
            window._stop.wait(0.01)

    running = window._start(endless)
    wait_for(lambda: "Working" in str(window._status.getText()))
    window._stop.set()
    running.join(240)
    wait_for(lambda: "nothing was changed" in str(window._status.getText()))
    assert bench.rois is None
