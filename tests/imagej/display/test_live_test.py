"""Test 3D ROIs, the live test of the menu, in an ImageJ that Python hosts: real clicks, real service."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import xarray as xr

from deepd3_ij import build_rois_3d, label_stack
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class, text_of
from deepd3_ij.fiji.kept_parameters import keep_roi_parameters, kept_roi_parameters
from deepd3_ij.names import TEST_AT, TESTING
from deepd3_ij.parameters import Roi3DParameters
from deepd3_ij.service.in_process import publish, run_command, run_jython, start_command
from deepd3_ij.stack import label_prediction
from tests.imagej.display.conftest import dialog, double_click, press, wait_for

SHAPE = (14, 300, 320)
VOXELS = {"xy_um": 0.2, "z_um": 0.7}
TITLE = "Test 3D ROIs"
TESTED = {"peak_threshold": 0.5, "seed_delta": 0.7, "min_voxels": 5}
# Places of the fields in the dialog: numbers only, in the order of the parameters.
NUMBERS = ("area_threshold", "peak_threshold", "seed_delta", "distance_um", "min_voxels", "max_voxels", "min_planes",
           "min_peak", "sigma_px", "dilation_px")


def prediction(provenance: dict[str, Any] | None = None) -> xr.Dataset:
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
    return label_prediction(np.zeros_like(spine), spine, like, provenance or {})


@pytest.fixture
def image(session: Session) -> Iterator[Any]:
    """A prediction with settings that find its blobs; no test is open on it."""
    publish(session)
    let_double_clicks(session, "None")  # as it comes: they test
    image = session.push(prediction())
    keep_roi_parameters(image, TESTED)
    run_command(session, "Show or Hide Spine ROIs", image=image)  # the first command begins to listen for double clicks
    run_command(session, "Show or Hide Spine ROIs", image=image)
    yield image
    if is_open():
        close()


def let_double_clicks(session: Session, setting: str) -> None:
    """Do what DeepD3 Settings... does with its field, without the message at its end."""
    run_jython(session, "#@ Context context\nfrom deepd3_settings import Settings\n"
               f"Settings(context).write('double_click', {setting})\n")


def is_open() -> bool:
    return any(window.isShowing() and isinstance(window, java_class("java.awt.Dialog"))
               and str(window.getTitle()) == TITLE for window in java_class("java.awt.Window").getWindows())


def close() -> None:
    press(dialog(TITLE).getButtons()[1])
    wait_for(lambda: not is_open())


def begin_at(session: Session, image: Any, z: int, y: int, x: int) -> Any:
    image.setProp(TEST_AT, f"{z} {y} {x}")
    start_command(session, TITLE, ask=True, image=image)
    wait_for(is_open)
    return dialog(TITLE)


def type_into(window: Any, name: str, text: str) -> None:
    window.getNumericFields().get(NUMBERS.index(name)).setText(text)


def frame(image: Any) -> tuple[int, int, int, int]:
    bounds = wait_for(image.getOverlay).get(0).getBounds()
    return int(bounds.x), int(bounds.y), int(bounds.width), int(bounds.height)


def shown(image: Any) -> np.ndarray:
    """Voxels inside of the outlines that the test draws."""
    labels = np.zeros(SHAPE, bool)
    for roi in image.getOverlay().toArray()[1:]:
        bounds = roi.getBounds()
        mask = np.asarray(roi.getMask().getPixels()).reshape(bounds.height, bounds.width) != 0
        labels[roi.getZPosition() - 1, bounds.y:bounds.y + bounds.height, bounds.x:bounds.x + bounds.width] |= mask
    return labels


def expected(crop: tuple[slice, slice, slice], **parameters: Any) -> np.ndarray:
    maps = prediction().isel(dict(zip(("z", "y", "x"), crop, strict=True)))
    labels = np.zeros(SHAPE, bool)
    labels[crop] = build_rois_3d(maps, Roi3DParameters(**(TESTED | parameters))).labels.values > 0
    return labels


def test_a_double_click_tests_there_and_the_session_goes_on(image: Any) -> None:
    before = image.getOverlay()
    double_click(image, 170, 140)
    window = dialog(TITLE)
    assert frame(image) == (170 - 64, 140 - 64, 128, 128)
    z = image.getZ() - 1
    crop = (slice(z - 3, z + 3), slice(76, 204), slice(106, 234))
    np.testing.assert_array_equal(shown(image), expected(crop))
    assert shown(image).any()
    image.setZ(3)
    type_into(window, "peak_threshold", "0.95")
    wait_for(lambda: np.array_equal(shown(image), expected(crop, peak_threshold=0.95)))
    close()
    wait_for(lambda: image.getOverlay() == before)
    assert text_of(image.getProp(TESTING)) is None


def test_a_double_click_beside_the_open_test_moves_it(image: Any) -> None:
    double_click(image, 100, 100)
    wait_for(is_open)
    double_click(image, 200, 180)
    wait_for(lambda: frame(image) == (136, 116, 128, 128))
    dialogs = [window for window in java_class("java.awt.Window").getWindows()
               if window.isShowing() and isinstance(window, java_class("java.awt.Dialog"))]
    assert len(dialogs) == 1


def test_the_stack_of_a_prediction_can_be_double_clicked_too(session: Session, image: Any) -> None:
    stack = label_stack((prediction()["spine"].values * 600).astype(np.uint16), **VOXELS, source="cell.tif")
    stack_image = session.push(stack, display_range=(0, 1000))
    maps = session.push(prediction(), source=stack_image)
    keep_roi_parameters(maps, TESTED)
    run_command(session, "Show or Hide Spine ROIs", image=stack_image)
    double_click(stack_image, 170, 140)
    window = dialog(TITLE)
    assert [str(window.getChoices().get(0).getItem(number)) for number in range(2)] == ["spine map", "intensity"]
    by_map = shown(stack_image)
    window.getChoices().get(0).select("intensity")
    event = java_class("java.awt.event.ItemEvent")
    choice = window.getChoices().get(0)
    choice.getToolkit().getSystemEventQueue().postEvent(
        event(choice, event.ITEM_STATE_CHANGED, "intensity", event.SELECTED))
    wait_for(lambda: not np.array_equal(shown(stack_image), by_map))
    assert shown(stack_image).any()


@pytest.mark.parametrize("tool", ["POLYGON", "POINT", "WAND", "MAGNIFIER"])
def test_other_tools_keep_their_double_click(tool: str, image: Any) -> None:
    toolbar = java_class("ij.gui.Toolbar")
    listening = java_class("java.util.concurrent.TimeUnit").MILLISECONDS
    toolbar.getInstance().setTool(getattr(toolbar, tool))
    try:
        double_click(image, 100, 100)
        listening.sleep(1500)
        assert not is_open()
        assert text_of(image.getProp(TEST_AT)) is None
    finally:
        toolbar.getInstance().setTool(toolbar.RECTANGLE)
        image.deleteRoi()


def test_double_clicks_can_be_left_alone(session: Session, image: Any) -> None:
    let_double_clicks(session, "'false'")
    double_click(image, 100, 100)
    java_class("java.util.concurrent.TimeUnit").MILLISECONDS.sleep(1500)
    assert not is_open()
    let_double_clicks(session, "None")
    double_click(image, 100, 100)
    wait_for(is_open)


@pytest.mark.parametrize(("place", "box"), [
    ((7, 150, 160), ((4, 10), (86, 214), (96, 224))),
    ((0, 0, 0), ((0, 6), (0, 128), (0, 128))),
    ((13, 299, 319), ((8, 14), (172, 300), (192, 320))),
])
def test_the_crop_lies_inside_the_image_and_its_outlines_where_the_rois_are(
        place: tuple, box: tuple, session: Session, image: Any) -> None:
    begin_at(session, image, *place)
    crop = tuple(slice(*part) for part in box)
    assert frame(image) == (box[2][0], box[1][0], 128, 128)
    np.testing.assert_array_equal(shown(image), expected(crop))
    assert shown(image).any()


def test_it_begins_with_what_would_run_and_keeps_what_was_changed_alone(session: Session) -> None:
    publish(session)
    recommended = {"Roi3DParameters": {"min_peak": 0.7, "peak_threshold": 0.6, "sigma_px": 0.5}}
    image = session.push(prediction({"model": {"recommended": recommended}}))
    keep_roi_parameters(image, {"peak_threshold": 0.55})
    window = begin_at(session, image, 7, 150, 160)
    values = {name: float(str(window.getNumericFields().get(number).getText())) for number, name in enumerate(NUMBERS)}
    assert {name: values[name] for name in ("peak_threshold", "min_peak", "sigma_px", "area_threshold")} == {
        "peak_threshold": 0.55, "min_peak": 0.7, "sigma_px": 0.5, "area_threshold": Roi3DParameters().area_threshold}
    type_into(window, "area_threshold", "0.35")
    keep = window.getButtons()[0]
    wait_for(keep.isEnabled)
    press(keep)
    wait_for(lambda: not is_open())
    wait_for(lambda: "area_threshold" in kept_roi_parameters(image))
    assert kept_roi_parameters(image) == {"peak_threshold": 0.55, "area_threshold": 0.35}


def test_a_value_out_of_range_is_reported_and_keeps_the_last_rois(session: Session, image: Any) -> None:
    window = begin_at(session, image, 7, 150, 160)
    before = shown(image)
    type_into(window, "area_threshold", "7")
    wait_for(lambda: "accepted" in str(window.getMessage().getText()))
    np.testing.assert_array_equal(shown(image), before)
