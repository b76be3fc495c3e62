"""ROIs in the ROI Manager, as a user corrects them."""

import time

import numpy as np
import pandas as pd

from deepd3_ij import label_stack, measure
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class
from deepd3_ij.fiji.table_windows import push_measurements
from deepd3_ij.fiji.view import delete_spines, selected_ids
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_prediction
from tests.imagej.display.conftest import SHAPE, balls, wait_for, xdotool


def pushed(session: Session, rois: RoiSet) -> tuple[object, object]:
    image = session.push(label_stack(np.zeros(SHAPE, np.uint8), xy_um=0.1, z_um=0.5, source="cell.tif"))
    session.push_rois(rois, image)
    return image, java_class("ij.plugin.frame.RoiManager").getInstance()


def test_the_manager_holds_every_outline_with_its_name(session: Session) -> None:
    rois = balls()
    _, manager = pushed(session, rois)
    names = [str(manager.getName(index)) for index in range(manager.getCount())]
    assert names[0] == "spine0001_z001"
    assert sorted(names) == sorted(f"spine{roi_id:04d}_z{z + 1:03d}" for z in range(SHAPE[0])
                                   for roi_id in np.unique(rois.labels[z]) if roi_id)


def test_without_edits_the_manager_returns_the_labels(session: Session) -> None:
    rois = balls()
    image, _ = pushed(session, rois)
    np.testing.assert_array_equal(session.pull_rois(image).labels, rois.labels)


def test_thousands_of_outlines_pass_the_manager(session: Session) -> None:
    labels = np.zeros((10, 400, 400), np.int32)
    for number in range(400):
        y, x = divmod(number, 20)
        labels[:, y * 20 + 3:y * 20 + 15, x * 20 + 4:x * 20 + 14] = number + 1
    rois = RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5))
    image = session.push(label_stack(np.zeros(labels.shape, np.uint8), xy_um=0.1, z_um=0.5))
    session.push_rois(rois, image)
    assert java_class("ij.plugin.frame.RoiManager").getInstance().getCount() == 4000
    np.testing.assert_array_equal(session.pull_rois(image).labels, labels)


def test_a_selected_outline_moves_the_image_to_its_plane(session: Session) -> None:
    image, manager = pushed(session, balls())
    for name, plane in (("spine0004_z011", 11), ("spine0001_z002", 2), ("spine0003_z009", 9)):
        manager.select(manager.getIndex(name))
        wait_for(lambda plane=plane: image.getZ() == plane)
        assert str(image.getRoi().getName()) == name


def test_pushing_again_replaces_what_the_manager_held(session: Session) -> None:
    rois = balls()
    image, manager = pushed(session, rois)
    session.push_rois(rois.without([1, 2, 3]), image)
    assert {str(manager.getName(index))[:9] for index in range(manager.getCount())} == {"spine0004"}


def test_deleting_renaming_moving_and_adding_come_back(session: Session) -> None:
    rois = balls()
    image, manager = pushed(session, rois)
    manager.select(manager.getIndex("spine0001_z003"))
    manager.runCommand("Delete")
    manager.rename(manager.getIndex("spine0002_z006"), "checked by me")  # the property keeps the id
    index = manager.getIndex("spine0003_z009")
    manager.getRoi(index).setLocation(100.0, 100.0)
    image.setSlice(1)
    image.setRoi(200, 150, 10, 8)
    manager.runCommand("Add")  # named by ImageJ, in the plane on show
    image.setSlice(2)
    image.setRoi(201, 150, 10, 8)
    manager.runCommand("Add")
    back = session.pull_rois(image).labels.values
    expected = rois.labels.values.copy()
    expected[2][expected[2] == 1] = 0
    moved = expected[8] == 3
    expected[8][moved] = 0
    y, x = np.nonzero(moved)
    expected[8, y - y.min() + 100, x - x.min() + 100] = 3
    expected[0, 150:158, 200:210] = 5
    expected[1, 150:158, 201:211] = 5
    np.testing.assert_array_equal(back, expected)


def test_an_emptied_manager_means_no_spines(session: Session) -> None:
    image, manager = pushed(session, balls())
    manager.runCommand("Select All")
    manager.runCommand("Delete")
    assert len(session.pull_rois(image, source="manager")) == 0


def test_deleting_a_spine_removes_it_from_all_planes(session: Session) -> None:
    image, manager = pushed(session, balls())
    manager.select(manager.getIndex("spine0002_z006"))
    assert selected_ids(session) == [2]
    delete_spines(session, [2])
    assert session.pull_rois(image).ids.tolist() == [1, 3, 4]


def measurements_of(rois: RoiSet) -> object:
    zeros = np.zeros(SHAPE, np.float32)
    spine = (rois.labels.values > 0).astype(np.float32)
    return measure(rois, label_prediction(zeros, spine, rois.labels, {}))


def test_a_chosen_row_selects_the_roi_and_a_chosen_roi_its_row(session: Session) -> None:
    rois = balls()
    image, manager = pushed(session, rois)
    link = push_measurements(session, measurements_of(rois), image)
    table = session.pull_table("Spines of cell")
    assert table["id"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(table["volume_um3"], rois.statistics.voxels * 0.1 * 0.1 * 0.5)
    panel = java_class("ij.WindowManager").getFrame("Spines of cell").getTextPanel()
    link.select_roi_of(3)
    wait_for(lambda: image.getZ() == 10)
    assert str(manager.getName(manager.getSelectedIndex())) == "spine0004_z010"
    wait_for(lambda: panel.getSelectionStart() == 3)
    manager.select(manager.getIndex("spine0002_z006"))
    wait_for(lambda: panel.getSelectionStart() == 1)


def test_a_mouse_click_on_a_row_moves_the_image(session: Session) -> None:
    rois = balls()
    image, _ = pushed(session, rois)
    push_measurements(session, measurements_of(rois), image)
    window = java_class("ij.WindowManager").getFrame("Spines of cell")
    window.setSize(700, 200)
    window.setLocation(0, 600)
    window.toFront()
    panel = window.getTextPanel()
    (canvas,) = [part for part in panel.getComponents() if isinstance(part, java_class("ij.text.TextCanvas"))]
    wait_for(lambda: canvas.isShowing() and canvas.getHeight() > 60)
    time.sleep(1)
    corner = canvas.getLocationOnScreen()
    xdotool("mousemove", corner.x + 30, corner.y + 50, "click", 1)
    row = wait_for(lambda: panel.getSelectionStart() + 1) - 1  # type: ignore[operator]
    wait_for(lambda: image.getZ() == (3, 6, 9, 10)[row])


def test_tables_show_their_columns_and_are_replaced_not_doubled(session: Session) -> None:
    rois = balls()
    image, _ = pushed(session, rois)
    for found in (rois, rois.without([2])):
        push_measurements(session, measurements_of(found), image)
    assert session.pull_table("Spines of cell")["id"].tolist() == [1, 3, 4]
    titles = [str(title) for title in java_class("ij.WindowManager").getNonImageTitles()]
    assert titles.count("Spines of cell") == 1
    assert isinstance(session.pull_table("Dendrites of cell"), pd.DataFrame)
