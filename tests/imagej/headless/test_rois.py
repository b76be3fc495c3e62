import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from deepd3_ij.colours import roi_colour
from deepd3_ij.errors import FijiError
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class
from deepd3_ij.files.roi_zip import write_roi_zip
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack
from tests.notes import told

SHAPE = (6, 40, 50)


def roi_set(labels: np.ndarray, dimensions: int = 3) -> RoiSet:
    return RoiSet(label_stack(labels.astype(np.int32), xy_um=0.1, z_um=0.5, source="cell.tif"), dimensions,
                  {"parameters": {"area_threshold": 0.3}})


def three_spines() -> RoiSet:
    """A ring with a hole, a spine of two parts in one plane, and one at the corner of the image."""
    labels = np.zeros(SHAPE, int)
    labels[1:4, 5:15, 5:15] = 4
    labels[1:4, 8:11, 8:11] = 0
    labels[2, 20:25, 20:25] = labels[2, 20:25, 30:33] = labels[3, 21:24, 20:33] = 9
    labels[4:, 35:, 44:] = 1200
    return roi_set(labels)


def on_image(session: Session, rois: RoiSet) -> object:
    image = session.push(rois.labels)
    session.push_rois(rois, image)
    return image


def by_name(image: object) -> dict[str, object]:
    return {str(roi.getName()): roi for roi in image.getOverlay().toArray()}  # type: ignore[attr-defined]


def remove(image: object, name: str) -> None:
    # By index: ImageJ takes outlines of the same shape for equal.
    overlay = image.getOverlay()  # type: ignore[attr-defined]
    overlay.remove(overlay.getIndex(name))


def test_outlines_carry_name_plane_id_and_colour(session: Session) -> None:
    outlines = by_name(on_image(session, three_spines()))
    assert sorted(outlines) == ["spine0004_z002", "spine0004_z003", "spine0004_z004", "spine0009_z003",
                                "spine0009_z004", "spine1200_z005", "spine1200_z006"]
    roi = outlines["spine0009_z003"]
    assert (roi.getZPosition(), roi.hasHyperStackPosition()) == (3, False)  # as plain stacks have it
    assert str(roi.getProperty("deepd3.id")) == "9"
    colour = roi.getStrokeColor()
    assert (colour.getRed(), colour.getGreen(), colour.getBlue()) == roi_colour(9)
    other = outlines["spine0004_z003"].getStrokeColor()
    assert not other.equals(colour)


def test_outlines_enclose_exactly_the_voxels(session: Session) -> None:
    rois = three_spines()
    image = on_image(session, rois)
    for roi in image.getOverlay().toArray():
        roi_id, plane = int(str(roi.getProperty("deepd3.id"))), roi.getZPosition() - 1
        image.setSlice(plane + 1)
        image.setRoi(roi)
        assert image.getStatistics().pixelCount == np.count_nonzero(rois.labels.values[plane] == roi_id)
        assert image.getStatistics().min == image.getStatistics().max == roi_id


def test_without_edits_the_labels_return_voxel_for_voxel(session: Session) -> None:
    rois = three_spines()
    back = session.pull_rois(on_image(session, rois))
    xr.testing.assert_identical(back.labels, rois.labels)
    assert back.dimensions == 3
    assert back.provenance["parameters"] == {"area_threshold": 0.3}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=hnp.arrays(np.int32, st.tuples(*[st.integers(1, 9)] * 3), elements=st.integers(0, 3)))
def test_any_labels_return_voxel_for_voxel(session: Session, labels: np.ndarray) -> None:
    rois = roi_set(labels)
    np.testing.assert_array_equal(session.pull_rois(on_image(session, rois)).labels.values, labels)


def test_rois_of_single_planes_stay_apart(session: Session) -> None:
    labels = np.zeros(SHAPE, int)
    for plane in range(6):
        labels[plane, 10:20, 10:20] = plane + 1
    back = session.pull_rois(on_image(session, roi_set(labels, dimensions=2)))
    assert back.dimensions == 2
    np.testing.assert_array_equal(back.labels.values, labels)


def test_an_empty_set_returns_empty_and_replaces_what_was_there(session: Session) -> None:
    image = on_image(session, three_spines())
    session.push_rois(roi_set(np.zeros(SHAPE)), image)
    assert len(session.pull_rois(image)) == 0


def test_deleted_outlines_are_gone_and_the_others_keep_their_ids(session: Session) -> None:
    rois = three_spines()
    image = on_image(session, rois)
    for name in ("spine0004_z003", "spine1200_z005", "spine1200_z006"):
        remove(image, name)
    back = session.pull_rois(image).labels.values
    expected = rois.labels.values.copy()
    expected[expected == 1200] = 0
    expected[2][expected[2] == 4] = 0
    np.testing.assert_array_equal(back, expected)


def test_a_moved_outline_moves_its_voxels(session: Session) -> None:
    rois = three_spines()
    image = on_image(session, rois)
    by_name(image)["spine0009_z004"].setLocation(2.0, 30.0)
    expected = rois.labels.values.copy()
    expected[3][expected[3] == 9] = 0
    expected[3, 30:33, 2:15] = 9
    np.testing.assert_array_equal(session.pull_rois(image).labels.values, expected)


def test_a_redrawn_outline_keeps_its_spine_by_name(session: Session) -> None:
    image = on_image(session, three_spines())
    remove(image, "spine0009_z004")
    redrawn = java_class("ij.gui.OvalRoi")(20, 18, 9, 9)
    redrawn.setName("spine0009_z004")
    redrawn.setPosition(0, 4, 0)
    image.getOverlay().add(redrawn)
    back = session.pull_rois(image).labels.values
    assert np.count_nonzero(back[3] == 9) == np.count_nonzero(np.asarray(redrawn.getMask().getPixels()))


def test_added_unnamed_outlines_are_joined_across_planes_to_one_new_spine(session: Session) -> None:
    image = on_image(session, three_spines())
    for plane, x in ((1, 30), (2, 31), (3, 32)):
        added = java_class("ij.gui.Roi")(x, 2, 6, 6)
        added.setPosition(plane)  # as the ROI Manager does on a plain stack
        image.getOverlay().add(added)
    back = session.pull_rois(image)
    assert back.ids.tolist() == [4, 9, 1200, 1201]
    for plane, x in ((0, 30), (1, 31), (2, 32)):
        assert (back.labels.values[plane, 2:8, x:x + 6] == 1201).all()
    assert np.count_nonzero(back.labels == 1201) == 3 * 36


def test_a_split_spine_becomes_two(session: Session) -> None:
    image = on_image(session, three_spines())
    overlay = image.getOverlay()
    parts = by_name(image)["spine0009_z003"].getRois()  # what the ROI Manager's Split gives
    remove(image, "spine0009_z003")
    remove(image, "spine0009_z004")
    for part in parts:
        part.setPosition(0, 3, 0)
        overlay.add(part)
    assert session.pull_rois(image).ids.tolist() == [4, 1200, 1201, 1202]


def test_an_added_outline_over_a_known_spine_joins_it(session: Session) -> None:
    image = on_image(session, three_spines())
    added = java_class("ij.gui.Roi")(45, 36, 5, 4)
    added.setPosition(0, 4, 0)
    image.getOverlay().add(added)
    assert (session.pull_rois(image).labels.values[3, 36:40, 45:50] == 1200).all()


def test_outlines_that_leave_the_image_are_cut(session: Session) -> None:
    image = on_image(session, roi_set(np.zeros(SHAPE)))
    outside = java_class("ij.gui.OvalRoi")(-5, -4, 10, 12)
    outside.setPosition(0, 2, 0)
    overlay = java_class("ij.gui.Overlay")(outside)
    image.setOverlay(overlay)
    mask = np.asarray(outside.getMask().getPixels()).reshape(12, 10) != 0
    back = session.pull_rois(image).labels.values
    np.testing.assert_array_equal(back[1, :8, :5] > 0, mask[4:, 5:])
    assert np.count_nonzero(back) == np.count_nonzero(mask[4:, 5:])


def test_points_and_lines_are_left_out_with_a_warning_that_names_them(session: Session) -> None:
    image = on_image(session, three_spines())
    line = java_class("ij.gui.Line")(1, 1, 9, 9)
    line.setName("scale")
    image.getOverlay().add(line)
    with told("1 of 8 .*scale: straight line without an area"):
        back = session.pull_rois(image)
    assert back.provenance["skipped"] == ["scale: straight line without an area"]
    assert len(back) == 3


def test_rois_on_a_two_channel_image_are_found_by_their_plane(session: Session) -> None:
    rois = three_spines()
    image = session.push(xr.DataArray(np.zeros((6, 2, 40, 50), np.uint8), dims=("z", "c", "y", "x"),
                                      attrs={"voxel_size_um": (0.5, 0.1, 0.1)}))
    session.push_rois(rois, image)
    assert all(roi.hasHyperStackPosition() for roi in image.getOverlay().toArray())
    added = java_class("ij.gui.Roi")(0, 0, 3, 3)
    added.setPosition(5)  # on a hyperstack, too, ImageJ shows it in plane 5
    image.getOverlay().add(added)
    back = session.pull_rois(image).labels.values
    assert (back[4, :3, :3] == 1201).all()
    back[4, :3, :3] = 0
    np.testing.assert_array_equal(back, rois.labels.values)


def test_a_zip_is_read_like_the_overlay(session: Session, tmp_path: object) -> None:
    rois = three_spines()
    path = f"{tmp_path}/rois.zip"
    write_roi_zip(path, rois)
    image = session.push(rois.labels)
    np.testing.assert_array_equal(session.pull_rois(image, source=path).labels.values, rois.labels.values)


def test_the_overlay_survives_saving_as_tiff(session: Session, tmp_path: object) -> None:
    rois = three_spines()
    path = f"{tmp_path}/with_overlay.tif"
    assert java_class("ij.io.FileSaver")(on_image(session, rois)).saveAsTiffStack(path)
    image = java_class("ij.io.Opener")().openImage(path)
    xr.testing.assert_identical(session.pull_rois(image).labels, rois.labels)


def test_the_manager_needs_a_display_and_says_so(session: Session) -> None:
    image = session.push(three_spines().labels)
    with pytest.raises(FijiError, match="needs a display"):
        session.push_rois(three_spines(), image, where="manager")
    with pytest.raises(FijiError, match="needs a display"):
        session.pull_rois(image, source="manager")


def test_rois_of_another_size_are_refused(session: Session) -> None:
    image = session.push(label_stack(np.zeros((2, 9, 9), np.uint8), xy_um=1, z_um=1))
    with pytest.raises(FijiError, match=r"\(2, 9, 9\)"):
        session.push_rois(three_spines(), image)


def test_rois_of_another_image_are_left_out(session: Session) -> None:
    rois = three_spines()
    image, other = on_image(session, rois), on_image(session, rois)
    other.setTitle("other")  # type: ignore[attr-defined]
    for roi in other.getOverlay().toArray():  # type: ignore[attr-defined]
        roi.setProperty("deepd3.source", "other.tif")
        image.getOverlay().add(roi)  # type: ignore[attr-defined]
    with told("7 of 14 .*belongs to another image"):
        back = session.pull_rois(image)
    np.testing.assert_array_equal(back.labels.values, rois.labels.values)
