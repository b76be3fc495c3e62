"""The guide's inference chapter, step by step, over a stack in ImageJ."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij import label_stack, open_stack
from deepd3_ij.compat.imagej import ask
from deepd3_ij.compat.inference.workbench import Workbench
from deepd3_ij.errors import Cancelled, FijiError
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.files.hdf5 import read_rois, write_prediction
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.files.swc import read_swc
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.parameters import CleaningParameters, Roi3DParameters
from deepd3_ij.service.in_process import run_jython
from deepd3_ij.stack import label_prediction, voxel_size_um
from tests.imagej.display.conftest import wait_for
from tests.tracings import tree_count

JYTHON = Path(__file__).parents[2] / "scripts" / "jython"
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
def bench(session: Session, folder: Path) -> Iterator[Workbench]:
    """The stack and its prediction."""
    bench = Workbench(session)
    bench.open(folder / "cell.tif")
    yield bench
    bench.close()


@pytest.fixture
def built(bench: Workbench) -> Workbench:
    """With ROIs too."""
    bench.build_rois(Roi3DParameters())
    assert len(bench.rois) == 5
    return bench


def manager() -> object:
    return java_class("ij.plugin.frame.RoiManager").getInstance()


def test_a_stack_opens_with_its_prediction_as_a_merged_view(bench: Workbench) -> None:
    assert bench.image.getNChannels() == 3
    assert bench.image.isVisible()
    assert str(bench.image.getCalibration().getUnit()) == "micron"
    np.testing.assert_array_equal(bench.session.pull(bench.image, channel=2), bench.prediction["spine"])


def test_rois_are_shown_in_manager_and_table(built: Workbench) -> None:
    assert manager().getCount() > 5
    table = built.session.pull_table(f"Spines of {built.image.getTitle()!s}")
    assert len(table) == 5
    assert (table["dendrite_id"] == 1).all()


def test_deleting_selected_spines_removes_them_from_tables_labels_and_exports(built: Workbench, folder: Path) -> None:
    built.show_labels(True)
    first = built.rois.ids[0]
    names = [str(manager().getName(index)) for index in range(manager().getCount())]
    manager().select(next(index for index, name in enumerate(names) if name.startswith(f"spine{first:04d}")))
    built.delete_selected()
    assert first not in built.rois.ids
    assert first not in np.unique(built.session.pull(built._labels_image))
    assert first not in built.session.pull_table(f"Spines of {built.image.getTitle()!s}")["id"].tolist()
    (path,) = built.export("roi_zip", folder)
    assert first not in read_roi_zip(path, built.stack).ids


def test_edits_in_the_manager_are_in_what_is_saved(built: Workbench, folder: Path) -> None:
    built.image.setSlice(1)
    built.image.setPosition(1, 2, 1)
    built.image.setRoi(5, 5, 12, 10)
    manager().runCommand("Add")
    files = built.save()
    assert [path.name for path in files] == ["cell.prediction", "cell.rois"]
    saved = read_rois(folder / "cell.rois")
    assert len(saved) == 6
    assert (saved.labels.values[1, 5:15, 5:17] == saved.ids.max()).all()


def test_closing_the_roi_manager_deletes_nothing(built: Workbench) -> None:
    manager().reset()
    manager().close()
    assert len(built.need_rois()) == 5
    built.apply_corrections()
    assert manager().getCount() > 5


def test_segmentation_rois_projection_and_labels_can_be_shown_and_hidden(built: Workbench) -> None:
    built.show_segmentation(False)
    assert [bool(active) for active in built.image.getActiveChannels()][:3] == [True, False, False]
    built.show_segmentation(True)
    assert [bool(active) for active in built.image.getActiveChannels()][:3] == [True, True, True]
    built.show_projection(True)
    projection = built._projection
    assert projection.isVisible()
    np.testing.assert_array_equal(built.session.pull(projection, channel=1).values[0],
                                  built.prediction["spine"].max("z"))
    built.show_projection(False)
    assert not projection.isVisible()
    built.show_labels(True)
    assert [bool(active) for active in built.image.getActiveChannels()][:3] == [True, False, False]
    np.testing.assert_array_equal(built.session.pull(built._labels_image), built.rois.labels)
    built.show_labels(False)
    built.show_rois(False)
    assert built.image.getHideOverlay()
    built.show_rois(True)
    assert not built.image.getHideOverlay()


def test_a_cleaning_can_be_looked_at_and_taken_back(bench: Workbench) -> None:
    before = bench.prediction
    bench.preview_cleaning(CleaningParameters(spine_distance_um=0.0))  # no spine probability outside of the dendrite
    assert float(bench.session.pull(bench.image, channel=2).sum()) < 0.8 * float(before["spine"].sum())
    assert bench.prediction is before
    bench.preview_cleaning(None)
    np.testing.assert_array_equal(bench.session.pull(bench.image, channel=2), before["spine"])


def test_changed_dimensions_change_image_and_measures(built: Workbench) -> None:
    before = built.measurements.spines["volume_um3"].to_numpy()
    built.set_dimensions(xy_um=0.2, z_um=0.5)
    assert built.image.getCalibration().pixelWidth == 0.2
    np.testing.assert_allclose(built.measurements.spines["volume_um3"], before * 4)
    assert voxel_size_um(built.prediction) == voxel_size_um(built.rois.labels) == (0.5, 0.2, 0.2)


def test_annotations_are_drawn_in_their_plane_and_next_to_it_and_are_no_rois(built: Workbench, folder: Path) -> None:
    pd.DataFrame({"X": [20, 70, 999], "Y": [30, 80, 1], "Pos": [0, 5, 2]}).to_csv(folder / "marks.csv")
    assert built.import_annotations(folder / "marks.csv") == 2
    points = built.image.getOverlay().toArray()
    assert sorted(int(roi.getZPosition()) for roi in points) == [1, 2, 5, 6, 7]
    assert all(text_of(roi.getTypeAsString()) == "Point" for roi in points)
    assert len(built.session.pull_rois(built.image, source="overlay")) == 0
    assert len(built.need_rois()) == 5


def test_every_export_writes_its_files(built: Workbench, folder: Path) -> None:
    out = folder / "out"
    out.mkdir()
    for what in ("maps", "roi_zip", "roi_folder", "roi_map", "centroids", "tables", "traces"):
        assert all(path.exists() for path in built.export(what, out))
    assert read_roi_zip(out / "cell_rois.zip", built.stack).labels.equals(built.rois.labels)
    np.testing.assert_array_equal(open_stack(out / "cell_roi_map.tif").values, built.rois.labels)
    assert tree_count(read_swc(out / "cell_dendrites.swc")) == 1
    assert len(pd.read_csv(out / "cell_spines.csv")) == 5


def test_a_step_without_what_it_needs_says_so(session: Session) -> None:
    with pytest.raises(FijiError, match="There is no stack yet"):
        Workbench(session).build_rois(Roi3DParameters())


@pytest.mark.parametrize("button", ["ok", "cancel"])
def test_settings_that_are_not_given_are_asked_for_in_a_dialog_of_the_menu(button: str, session: Session) -> None:
    answers = []

    def work() -> None:
        try:
            answers.append(ask("Cleaning", CleaningParameters(spine_iterations=21)))
        except Cancelled as cancelled:
            answers.append(cancelled)

    asking = threading.Thread(target=work, daemon=True)
    asking.start()
    window = wait_for(lambda: next((window for window in java_class("java.awt.Window").getWindows()
                                    if window.isShowing() and str(window.getTitle()) == "Cleaning"), None))
    assert window.isModal() is False
    for name in ("min_dendrite_voxels", button):
        typing = run_jython(session, (JYTHON / "dialog_type.py").read_text(), field=name, text="77")
        assert str(typing.getOutput("answer")) == "typed"
    asking.join(60)
    if button == "ok":
        assert answers == [CleaningParameters(spine_iterations=21, min_dendrite_voxels=77)]
    else:
        assert str(answers[0]) == "Cleaning was cancelled; nothing was changed."
