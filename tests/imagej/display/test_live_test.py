"""The live 3-D ROI test."""

import numpy as np
import pytest
import xarray as xr

from deepd3_ij import build_rois_3d, label_stack
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.hyperstacks import geometry
from deepd3_ij.fiji.live_test import INTENSITY, Crop, LiveRoiTest, stored_parameters
from deepd3_ij.parameters import Roi3DParameters
from deepd3_ij.stack import label_prediction
from tests.imagej.display.conftest import dialog, double_click, press, wait_for

SHAPE = (14, 300, 320)
VOXELS = {"xy_um": 0.2, "z_um": 0.7}


def prediction() -> xr.Dataset:
    """Blobs of different height, apart from each other; near the borders, in the first and last planes too."""
    z, y, x = np.mgrid[:SHAPE[0], :SHAPE[1], :SHAPE[2]]
    spine = np.zeros(SHAPE, np.float32)
    random = np.random.default_rng(0)
    for cy in range(8, SHAPE[1], 28):
        for cx in range(8, SHAPE[2], 28):
            cz = random.integers(0, SHAPE[0])
            near = (slice(None), slice(max(0, cy - 12), cy + 13), slice(max(0, cx - 12), cx + 13))
            distance = (4.0 * (z[near] - cz)) ** 2 + (y[near] - cy) ** 2 + (x[near] - cx) ** 2
            height = random.uniform(0.6, 1)
            spine[near] = np.maximum(spine[near], height * np.exp(-distance / 18))
    like = label_stack(spine, **VOXELS, source="cell.tif")
    return label_prediction(np.zeros_like(spine), spine, like, {})


def inside(labels: np.ndarray, crop: Crop) -> set[bytes]:
    """ROIs that stay away from the faces of a crop, as sets of voxels."""
    box = labels[crop.z, crop.y, crop.x]
    found = set()
    for roi_id in np.unique(box[box > 0]):
        mask = box == roi_id
        if np.count_nonzero(mask) != np.count_nonzero(labels == roi_id):
            continue
        places = np.argwhere(mask)
        if (places[:, 1:] < 12).any() or (places[:, 1:] >= np.array(box.shape)[1:] - 12).any():
            continue
        if (places[:, 0] == 0).any() or (places[:, 0] == box.shape[0] - 1).any():
            continue
        found.add(mask.tobytes())
    return found


@pytest.mark.parametrize(("place", "expected"), [
    ((7, 150, 160), ((4, 10), (86, 214), (96, 224))),
    ((0, 0, 0), ((0, 6), (0, 128), (0, 128))),
    ((13, 299, 319), ((8, 14), (172, 300), (192, 320))),
])
def test_the_crop_lies_inside_the_image_wherever_the_click_is(place: tuple, expected: tuple) -> None:
    crop = Crop.around(SHAPE, *place)
    assert tuple((part.start, part.stop) for part in (crop.z, crop.y, crop.x)) == expected


def test_a_small_image_is_taken_as_a_whole() -> None:
    crop = Crop.around((3, 50, 300), 1, 20, 290)
    assert (crop.z, crop.y, crop.x) == (slice(0, 3), slice(0, 50), slice(172, 300))


@pytest.mark.parametrize("parameters", [
    Roi3DParameters(peak_threshold=0.5, seed_delta=0.6, distance_um=4.0, min_voxels=5),
    Roi3DParameters(mode="connected", area_threshold=0.3, min_voxels=5, min_planes=2),
    Roi3DParameters(peak_threshold=0.4, sigma_px=1.2, seed_delta=0.9, distance_um=4.0),
])
def test_the_crop_gives_the_same_rois_as_the_whole_stack(session: Session, parameters: Roi3DParameters) -> None:
    maps = prediction()
    live = LiveRoiTest(session, session.push(maps))
    whole = build_rois_3d(maps, parameters).labels.values
    compared = 0
    for place in ((6, 150, 160), (3, 10, 10), (12, 290, 310)):
        crop = Crop.around(SHAPE, *place)
        padded = np.zeros_like(whole)
        padded[crop.z, crop.y, crop.x] = live.compute(crop, parameters).labels.values
        assert inside(padded, crop) == inside(whole, crop)
        compared += len(inside(whole, crop))
    assert compared >= 4
    live.close()


def test_a_double_click_opens_a_dialog_that_does_not_block_and_draws_at_once(session: Session) -> None:
    image = session.push(prediction())
    live = LiveRoiTest(session, image, Roi3DParameters(peak_threshold=0.5, seed_delta=0.7, min_voxels=5))
    double_click(image, 170, 140)
    window = dialog("Test 3D ROIs")
    wait_for(lambda: image.getOverlay() is not None and live.rois is not None)
    assert image.getOverlay().get(0).getBounds().x == 170 - 64
    assert image.getOverlay().get(0).getBounds().y == 140 - 64
    outlines = image.getOverlay().size() - 1
    assert outlines == sum(len(np.unique(plane)) - 1 for plane in live.rois.labels.values)
    image.setZ(3)  # the session goes on while the dialog is open
    first = len(live.rois)
    assert first > 0
    window.getNumericFields().get(2).setText("0.95")  # peak threshold
    wait_for(lambda: live.parameters.peak_threshold == 0.95)
    wait_for(lambda: len(live.rois) < first)
    live.close()
    wait_for(lambda: not window.isShowing())


def test_outlines_lie_where_the_rois_are_in_the_whole_image(session: Session) -> None:
    maps = prediction()
    image = session.push(maps)
    live = LiveRoiTest(session, image)
    crop = Crop.around(SHAPE, 9, 200, 100)
    rois = live.compute(crop, Roi3DParameters(peak_threshold=0.5, seed_delta=0.7, min_voxels=5))
    assert len(rois) > 0
    live.show(crop, rois)
    shown = image.getOverlay().toArray()[1:]
    labels = np.zeros(SHAPE, bool)
    for roi in shown:
        bounds = roi.getBounds()
        mask = np.asarray(roi.getMask().getPixels()).reshape(bounds.height, bounds.width) != 0
        labels[roi.getZPosition() - 1, bounds.y:bounds.y + bounds.height, bounds.x:bounds.x + bounds.width] |= mask
    expected = np.zeros(SHAPE, bool)
    expected[crop.z, crop.y, crop.x] = rois.labels.values > 0
    np.testing.assert_array_equal(labels, expected)
    live.close()


def test_kept_settings_are_handed_over_and_the_overlay_is_restored(session: Session) -> None:
    image = session.push(prediction())
    overlay = image.getOverlay()
    live = LiveRoiTest(session, image)
    live.open_at(7, 150, 160)
    window = dialog("Test 3D ROIs")
    window.getNumericFields().get(1).setText("0.35")  # area threshold
    wait_for(lambda: live.parameters.area_threshold == 0.35)
    keep = window.getButtons()[0]
    wait_for(keep.isEnabled)
    press(keep)
    wait_for(lambda: stored_parameters(image) is not None)
    assert stored_parameters(image).area_threshold == 0.35
    wait_for(lambda: image.getOverlay() == overlay)
    assert LiveRoiTest(session, image).parameters.area_threshold == 0.35


def test_a_value_out_of_range_is_reported_and_keeps_the_last_rois(session: Session) -> None:
    image = session.push(prediction())
    live = LiveRoiTest(session, image)
    live.open_at(7, 150, 160)
    window = dialog("Test 3D ROIs")
    wait_for(lambda: live.rois is not None)
    window.getNumericFields().get(1).setText("7")
    wait_for(lambda: "accepted" in str(window.getMessage().getText()))
    assert live.parameters.area_threshold == Roi3DParameters().area_threshold
    live.close()


def test_the_stack_of_a_prediction_can_be_clicked_and_intensities_tried(session: Session) -> None:
    maps = prediction()
    stack = label_stack((maps["spine"].values * 1000).astype(np.uint16), **VOXELS, source="cell.tif")
    stack_image = session.push(stack, display_range=(0, 1000))
    live = LiveRoiTest(session, stack_image)
    crop = Crop.around(SHAPE, 6, 150, 160)
    parameters = Roi3DParameters(peak_threshold=0.5, seed_delta=0.7, min_voxels=5)
    by_intensity = live.compute(crop, parameters, INTENSITY)
    session.push(maps, source=stack_image)
    by_map = live.compute(crop, parameters)
    assert len(by_map) == len(by_intensity) > 0
    live.close()


def test_the_real_voxel_size_limits_the_distance(session: Session) -> None:
    maps = prediction()
    image = session.push(maps)
    live = LiveRoiTest(session, image)
    crop = Crop.around(SHAPE, 6, 150, 160)
    rois = live.compute(crop, Roi3DParameters(peak_threshold=0.5, seed_delta=1, area_threshold=0.01, distance_um=0.8,
                                              min_voxels=1))
    spans = [np.ptp(np.argwhere(rois.labels.values == roi_id), axis=0) for roi_id in rois.ids]
    assert max(span[0] for span in spans) == 2  # 0.7 µm per plane
    assert max(span[2] for span in spans) in (6, 7, 8)  # 0.2 µm per pixel
    assert geometry(image).shape == SHAPE
    live.close()
