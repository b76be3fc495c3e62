import gc
import json
import weakref

import numpy as np
import pytest
import xarray as xr

from deepd3_ij.errors import FijiError, StackError, VoxelSizeError
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.hyperstacks import replace_channels
from deepd3_ij.fiji.java import java_class
from deepd3_ij.names import ID, ROLE, SOURCE_ID
from deepd3_ij.stack import label_prediction, label_stack, provenance_of, voxel_size_um

SHAPE = (5, 33, 47)


def random_array(dtype: type, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    random = np.random.default_rng(3)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    info = np.iinfo(dtype)
    array = random.integers(info.min, info.max, shape, dtype, endpoint=True)
    array.flat[:2] = info.min, info.max
    return array


def stack_of(array: np.ndarray, source: str = "folder/cell 1.tif") -> xr.DataArray:
    return label_stack(array, xy_um=0.094, z_um=0.5, source=source)


def colours_of(table: object) -> np.ndarray:
    return np.asarray(table.getBytes()).view(np.uint8).reshape(3, 256).T


def prediction(shape: tuple[int, ...] = SHAPE) -> xr.Dataset:
    random = np.random.default_rng(4)
    like = stack_of(np.zeros(shape, np.uint8))
    return label_prediction(random.random(shape, np.float32), random.random(shape, np.float32), like,
                            {"model": "M", "parameters": {"tiling": "plane"}})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("shape", [SHAPE, (1, 20, 30)])
def test_a_stack_returns_bit_for_bit_with_its_coordinates(session: Session, dtype: type, shape: tuple) -> None:
    stack = stack_of(random_array(dtype, shape))
    xr.testing.assert_identical(session.pull(session.push(stack)), stack)


def test_a_plane_without_z_becomes_an_image_of_one_plane(session: Session) -> None:
    array = random_array(np.uint16, (20, 30))
    image = session.push(stack_of(array))
    assert (image.getWidth(), image.getHeight(), image.getStackSize()) == (30, 20, 1)
    np.testing.assert_array_equal(session.pull(image).values[0], array)


@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16), (np.int16, 16), (np.float32, 32)])
def test_imagej_sees_pixel_type_values_and_calibration(session: Session, dtype: type, bits: int) -> None:
    array = random_array(dtype)
    image = session.push(stack_of(array))
    calibration = image.getCalibration()
    assert image.getBitDepth() == bits
    assert (image.getNChannels(), image.getNSlices(), image.getNFrames()) == (1, 5, 1)
    assert (calibration.pixelWidth, calibration.pixelHeight, calibration.pixelDepth) == (0.094, 0.094, 0.5)
    assert str(calibration.getUnit()) == "micron"
    assert str(image.getTitle()) == "cell 1"
    image.setSlice(4)
    processor = image.getProcessor()
    for y, x in ((0, 0), (32, 46), (7, 13)):
        value = calibration.getCValue(processor.getf(x, y)) if bits == 16 else processor.getf(x, y)
        assert value == pytest.approx(float(array[3, y, x]))


def test_signed_pixels_are_displayed_and_measured_as_signed(session: Session) -> None:
    array = np.full((2, 4, 4), -1200, np.int16)
    array[:, 2:] = 300
    image = session.push(stack_of(array))
    assert image.getCalibration().isSigned16Bit()
    assert float(image.getStatistics().min) == -1200
    assert image.getDisplayRangeMin() - 32768 == -1200
    assert image.getDisplayRangeMax() - 32768 == 300


@pytest.mark.parametrize("names", [("t", "z", "c", "y", "x"), ("z", "ch", "row", "col", "t"),
                                   ("pln", "y", "x", "c", "t")])
def test_channels_and_frames_return_one_by_one_whatever_the_order(session: Session, names: tuple[str, ...]) -> None:
    renamed = {"pln": "z", "row": "y", "col": "x", "ch": "c"}
    sizes = {"t": 3, "z": 4, "c": 2, "y": 17, "x": 23}
    array = random_array(np.uint16, tuple(sizes[renamed.get(name, name)] for name in names))
    data = xr.DataArray(array, dims=names, attrs={"voxel_size_um": (0.5, 0.1, 0.1)})
    image = session.push(data)
    assert (image.getNChannels(), image.getNSlices(), image.getNFrames()) == (2, 4, 3)
    assert image.isHyperStack()
    plain = data.rename({old: new for old, new in renamed.items() if old in names})
    for channel in range(2):
        for frame in range(3):
            expected = plain.isel(c=channel, t=frame).transpose("z", "y", "x").values
            pulled = session.pull(image, channel=channel, frame=frame)
            np.testing.assert_array_equal(pulled.values, expected)
            assert voxel_size_um(pulled) == (0.5, 0.1, 0.1)


def test_a_hyperstack_without_a_choice_names_what_is_missing(session: Session) -> None:
    image = session.push(xr.DataArray(np.zeros((2, 3, 4, 8, 8), np.uint8), dims=("t", "z", "c", "y", "x"),
                                      attrs={"voxel_size_um": (1, 1, 1)}))
    with pytest.raises(StackError, match="2 frames"):
        session.pull(image)
    with pytest.raises(StackError, match=r"4 channels .* channel from 0 to 3"):
        session.pull(image, frame=1)
    with pytest.raises(StackError, match="channel is 4"):
        session.pull(image, frame=1, channel=4)


def test_planes_that_are_marked_as_frames_give_a_hint(session: Session) -> None:
    image = session.push(stack_of(random_array(np.uint8)))
    image.setDimensions(1, 1, 5)
    with pytest.raises(StackError, match="slices and frames"):
        session.pull(image)


def test_a_crop_keeps_its_place_in_the_whole_stack(session: Session) -> None:
    crop = stack_of(random_array(np.uint8)).isel(z=slice(2, 4), y=slice(10, 20), x=slice(5, 30))
    pulled = session.pull(session.push(crop))
    for dim in "zyx":
        np.testing.assert_allclose(pulled.coords[dim], crop.coords[dim], atol=1e-12)


@pytest.mark.parametrize("make", [
    lambda array: np.asfortranarray(array),
    lambda array: np.repeat(array, 2, axis=2)[:, :, ::2],
    lambda array: array.astype(array.dtype.newbyteorder(">")),
    lambda array: np.ma.getdata(_read_only(array)),
], ids=["fortran", "strided", "big-endian", "read-only"])
def test_any_memory_layout_is_pushed_with_the_same_values(session: Session, make: object) -> None:
    for dtype in (np.float32, np.uint16, np.int16):
        array = random_array(dtype)
        pulled = session.pull(session.push(stack_of(make(array))))  # type: ignore[operator]
        assert pulled.dtype == dtype
        np.testing.assert_array_equal(pulled.values, array)


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def test_a_lazy_stack_is_pushed_plane_by_plane(session: Session) -> None:
    array = random_array(np.uint16)
    lazy = stack_of(array).chunk({"z": 1})
    np.testing.assert_array_equal(session.pull(session.push(lazy)).values, array)


def test_pushed_pixels_are_a_copy_and_edits_in_imagej_come_back(session: Session) -> None:
    array = random_array(np.float32)
    kept = array.copy()
    image = session.push(stack_of(array))
    for plane in range(1, image.getStackSize() + 1):
        image.getStack().getProcessor(plane).multiply(2)
    np.testing.assert_array_equal(array, kept)
    np.testing.assert_array_equal(session.pull(image).values, kept * 2)


def test_pushed_and_pulled_arrays_are_free_at_once(session: Session) -> None:
    """Java must not keep them until it collects its own garbage."""
    pushed = random_array(np.float32, (3, 200, 200))
    image = session.push(stack_of(pushed))
    pulled = session.pull(image).values
    kept = [weakref.ref(pushed), weakref.ref(pulled if pulled.base is None else pulled.base)]
    del pushed, pulled
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


def test_a_plane_that_no_java_buffer_can_hold_is_refused(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepd3_ij.fiji.pixels.MAX_PLANE_BYTES", 4000)
    with pytest.raises(StackError, match=r"33 × 47 pixels has 6204 bytes; accepted: up to 4000"):
        session.push(stack_of(random_array(np.float32)))


def test_masks_and_doubles_are_converted_and_odd_pixel_types_refused(session: Session) -> None:
    mask = random_array(np.uint8) > 99
    np.testing.assert_array_equal(session.pull(session.push(stack_of(mask))).values, mask * np.uint8(255))
    doubles = random_array(np.float64)
    np.testing.assert_array_equal(session.pull(session.push(stack_of(doubles))).values, doubles.astype(np.float32))
    with pytest.raises(StackError, match="complex"):
        session.push(stack_of(doubles.astype(np.complex64)))
    with pytest.raises(StackError, match="dimensions"):
        session.push(xr.DataArray(doubles, dims=("a", "y", "x")))


def test_display_range_and_position_are_as_asked(session: Session) -> None:
    stack = stack_of(random_array(np.uint16))
    image = session.push(stack, display_range=(100, 900), plane=1)
    assert (image.getDisplayRangeMin(), image.getDisplayRangeMax()) == (100, 900)
    assert image.getZ() == 2
    image = session.push(stack)
    assert (image.getDisplayRangeMin(), image.getDisplayRangeMax()) == (0, 65535)
    assert image.getZ() == 3


def test_a_prediction_is_a_magenta_and_green_composite_linked_to_its_stack(session: Session) -> None:
    maps = prediction()
    stack_image = session.push(stack_of(random_array(np.uint8)))
    image = session.push(maps, source=stack_image)
    assert image.isComposite()
    assert image.getBitDepth() == 32
    assert (image.getNChannels(), image.getNSlices()) == (2, 5)
    tops = []
    for channel in (1, 2):
        image.setC(channel)
        assert (image.getDisplayRangeMin(), image.getDisplayRangeMax()) == (0, 1)
        tops.append(colours_of(image.getLuts()[channel - 1])[255].tolist())
    assert tops == [[255, 0, 255], [0, 255, 0]]
    assert str(image.getProp(SOURCE_ID)) == str(stack_image.getProp(ID))
    pulled = session.pull(image)
    xr.testing.assert_identical(pulled, maps)
    assert provenance_of(pulled) == {"model": "M", "parameters": {"tiling": "plane"}}
    xr.testing.assert_equal(session.pull(image, channel=1), maps["spine"])


def test_merged_view_holds_stack_and_maps(session: Session) -> None:
    array, maps = random_array(np.uint16), prediction()
    image = session.push_merged(stack_of(array), maps)
    assert image.getNChannels() == 3
    np.testing.assert_array_equal(session.pull(image, channel=0).values, array)
    np.testing.assert_array_equal(session.pull(image, channel=2).values, maps["spine"].values)


@pytest.mark.parametrize("method", ["max", "sum"])
def test_projections_are_those_of_numpy(session: Session, method: str) -> None:
    maps = prediction()
    image = session.push_projection(maps, method)
    assert (image.getNChannels(), image.getNSlices()) == (2, 1)
    for channel, name in enumerate(("dendrite", "spine")):
        np.testing.assert_allclose(session.pull(image, channel=channel).values[0],
                                   getattr(maps[name], method)("z").values, rtol=1e-6)
    stack = stack_of(random_array(np.uint8))
    projected = session.pull(session.push_projection(stack, method))
    np.testing.assert_array_equal(projected.values[0], getattr(stack, method)("z").values)


@pytest.mark.parametrize(("highest", "bits"), [(300, 16), (70_000, 32)])
def test_labels_return_as_int32_and_neighbouring_ids_have_other_colours(
    session: Session, highest: int, bits: int
) -> None:
    labels = np.random.default_rng(0).integers(0, highest, SHAPE).astype(np.int32)
    labels.flat[0] = highest
    image = session.push(stack_of(labels))
    assert image.getBitDepth() == bits
    assert str(image.getProp(ROLE)) == "labels"
    xr.testing.assert_identical(session.pull(image), stack_of(labels))
    colours = colours_of(image.getProcessor().getLut())
    assert len(np.unique(colours, axis=0)) == 256
    assert colours[0].tolist() == [0, 0, 0]
    assert np.abs(np.diff(colours.astype(int), axis=0)).sum(axis=1).min() > 30


def test_labels_that_imagej_cannot_hold_are_refused(session: Session) -> None:
    labels = np.zeros(SHAPE, np.int32)
    labels.flat[0] = 2**24 + 1
    with pytest.raises(StackError, match="16777216"):
        session.push(stack_of(labels))
    image = session.push(stack_of(np.full(SHAPE, 0.5, np.float32)))
    with pytest.raises(StackError, match="no label image"):
        session.pull(image, kind="labels")


def test_state_and_calibration_survive_saving_as_tiff(session: Session, tmp_path: object) -> None:
    path = f"{tmp_path}/saved.tif"
    maps = prediction()
    assert java_class("ij.io.FileSaver")(session.push(maps)).saveAsTiffStack(path)
    image = java_class("ij.io.Opener")().openImage(path)
    xr.testing.assert_identical(session.pull(image), maps)
    labels = stack_of(np.arange(np.prod(SHAPE), dtype=np.int32).reshape(SHAPE))
    assert java_class("ij.io.FileSaver")(session.push(labels)).saveAsTiffStack(path)
    xr.testing.assert_identical(session.pull(java_class("ij.io.Opener")().openImage(path)), labels)
    signed = stack_of(random_array(np.int16))
    assert java_class("ij.io.FileSaver")(session.push(signed)).saveAsTiffStack(path)
    xr.testing.assert_identical(session.pull(java_class("ij.io.Opener")().openImage(path)), signed)


def test_a_virtual_stack_is_read(session: Session, tmp_path: object) -> None:
    path = f"{tmp_path}/virtual.tif"
    array = random_array(np.uint16)
    java_class("ij.io.FileSaver")(session.push(stack_of(array))).saveAsTiffStack(path)
    image = java_class("ij.plugin.FileInfoVirtualStack").openVirtual(path)
    assert image.getStack().isVirtual()
    np.testing.assert_array_equal(session.pull(image).values, array)


def test_colour_images_are_refused_with_the_remedy(session: Session) -> None:
    processor = java_class("ij.process.ColorProcessor")(40, 30)
    processor.noise(80)
    image = java_class("ij.ImagePlus")("rgb", processor)
    with pytest.raises(StackError, match=r"colour.*8-bit"):
        session.pull(image)
    eight_bit_colour = java_class("ij.ImagePlus")("c", processor)
    java_class("ij.process.ImageConverter")(eight_bit_colour).convertRGBtoIndexedColor(64)
    assert eight_bit_colour.getType() == eight_bit_colour.COLOR_256
    with pytest.raises(StackError, match="colour"):
        session.pull(eight_bit_colour)


@pytest.mark.parametrize(("unit", "factor"), [("micron", 1), ("µm", 1), ("\\u00B5m", 1), ("nm", 1e-3), ("mm", 1e3),
                                              ("inch", 25400)])
def test_every_unit_of_length_becomes_micrometres(session: Session, unit: str, factor: float) -> None:
    image = session.push(stack_of(random_array(np.uint8)))
    calibration = image.getCalibration()
    calibration.setUnit(unit)
    calibration.pixelWidth = calibration.pixelHeight = 0.2 / factor
    calibration.pixelDepth = 0.7 / factor
    assert voxel_size_um(session.pull(image)) == pytest.approx((0.7, 0.2, 0.2))


def test_an_image_without_voxel_size_is_refused_unless_it_is_given(session: Session) -> None:
    image = java_class("ij.IJ").createImage("plain", "8-bit black", 20, 10, 3)
    with pytest.raises(VoxelSizeError, match="Properties"):
        session.pull(image)
    assert voxel_size_um(session.pull(image, xy_um=0.2, z_um=0.7)) == (0.7, 0.2, 0.2)


def test_pixels_that_are_not_square_are_refused(session: Session) -> None:
    image = session.push(stack_of(random_array(np.uint8)))
    image.getCalibration().pixelHeight = 0.2
    with pytest.raises(VoxelSizeError, match="square"):
        session.pull(image)


def test_pixels_of_an_image_are_replaced_in_place(session: Session) -> None:
    maps = prediction()
    image = session.push(maps)
    other = maps.map(lambda channel: 1 - channel, keep_attrs=True)
    replace_channels(image, [other["dendrite"], other["spine"]])
    np.testing.assert_array_equal(session.pull(image)["spine"].values, 1 - maps["spine"].values)
    labels = stack_of(random_array(np.uint8).astype(np.int32))
    image = session.push(labels)
    replace_channels(image, [labels * 2])
    np.testing.assert_array_equal(session.pull(image).values, labels.values * 2)


def test_an_image_that_is_not_there_is_named(session: Session) -> None:
    with pytest.raises(FijiError, match="no image 'nothing'"):
        session.pull("nothing")
    with pytest.raises(FijiError, match="no active image"):
        session.pull()


def test_provenance_is_json_in_the_image(session: Session) -> None:
    image = session.push(prediction())
    assert json.loads(str(image.getProp("deepd3.provenance")))["model"] == "M"


def test_a_headless_session_opens_no_window(session: Session) -> None:
    with pytest.raises(FijiError, match="no windows"):
        session.push(stack_of(random_array(np.uint8)), show=True)
