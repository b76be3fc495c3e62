"""Opening image files: axes, pixel types, voxel sizes, lazy reading, and one clear line for what cannot be opened."""

from __future__ import annotations

import logging
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from deepd3_ij import open_stack
from deepd3_ij.errors import StackError, VoxelSizeError
from deepd3_ij.files import plane_source

RNG = np.random.default_rng(0)
VOXEL = {"xy_um": 0.1, "z_um": 0.5}


def noise(*shape: int, dtype: Any = np.uint16) -> np.ndarray:
    return RNG.integers(0, 100, shape).astype(dtype)


def save(path: Path, array: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
    return path


def imagej(path: Path, array: np.ndarray, axes: str, **metadata: Any) -> Path:
    size = {"spacing": 0.5, "unit": "um", **metadata}
    return save(path, array, imagej=True, resolution=(10, 10), metadata={"axes": axes, **size})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.tif"


# ---------------------------------------------------------------- axes

@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("options", [
    {}, {"compression": "zlib"}, {"compression": "lzw", "predictor": True}, {"tile": (16, 16)}, {"rowsperstrip": 5},
    {"tile": (16, 16), "compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"},
    {"byteorder": ">", "bigtiff": True},
    {"metadata": None}, {"ome": True, "metadata": {"axes": "ZYX"}},
    {"ome": True, "metadata": {"axes": "ZYX"}, "compression": "zlib", "tile": (16, 16)},
], ids=str)
def test_planes_are_the_files_pixels_in_any_layout(path: Path, options: dict[str, Any], lazy: bool) -> None:
    array = noise(4, 20, 30)
    stack = open_stack(save(path, array, **options), lazy=lazy, **VOXEL)
    assert stack.dims == ("z", "y", "x")
    assert stack.dtype == np.uint16
    assert stack.dtype.isnative
    np.testing.assert_array_equal(np.asarray(stack), array)


def test_a_single_image_is_a_stack_of_one_plane(path: Path) -> None:
    array = noise(20, 30)
    np.testing.assert_array_equal(open_stack(save(path, array), xy_um=0.1), array[np.newaxis])


def test_one_channel_and_time_point_of_a_hyperstack_are_taken(path: Path) -> None:
    array = noise(2, 3, 4, 20, 30)
    imagej(path, array, "TZCYX")
    stack = open_stack(path, channel=3, frame=1)
    np.testing.assert_array_equal(stack, array[1, :, 3])
    assert stack.attrs["voxel_size_um"] == (0.5, 0.1, 0.1)


@pytest.mark.parametrize("axes", ["TCZYX", "CTZYX", "ZTCYX", "TZCYX"])
def test_the_axes_of_an_ome_tiff_may_have_any_order(tmp_path: Path, axes: str) -> None:
    sizes = {"T": 2, "Z": 4, "C": 3, "Y": 20, "X": 30}
    array = noise(*(sizes[axis] for axis in axes))
    save(tmp_path / "a.ome.tif", array, metadata={"axes": axes})
    index = tuple({"T": 1, "C": 2}.get(axis, slice(None)) for axis in axes)
    np.testing.assert_array_equal(open_stack(tmp_path / "a.ome.tif", channel=2, frame=1, **VOXEL), array[index])


def test_several_channels_without_a_choice_name_the_option(path: Path) -> None:
    imagej(path, noise(3, 2, 20, 30), "ZCYX")
    with pytest.raises(StackError, match=r"a\.tif has 2 channels; choose one with --channel 0 to 1"):
        open_stack(path)


def test_several_time_points_without_a_choice_name_the_option_and_a_likely_mistake(path: Path) -> None:
    imagej(path, noise(5, 20, 30), "TYX")
    with pytest.raises(StackError, match=r"has 5 time points; choose one with --frame 0 to 4 .*planes of a stack"):
        open_stack(path)


@pytest.mark.parametrize(("choice", "message"), [
    ({"channel": 2}, "no channel 2: it has 2 channels; accepted for --channel: 0 to 1"),
    ({"channel": -1}, "no channel -1"),
    ({"channel": 0, "frame": 1}, "no frame 1: it has 1 time point; accepted for --frame: 0"),
])
def test_a_missing_channel_or_time_point_is_refused(path: Path, choice: dict[str, int], message: str) -> None:
    imagej(path, noise(3, 2, 20, 30), "ZCYX")
    with pytest.raises(StackError, match=message):
        open_stack(path, **choice)


def test_a_channel_that_a_plain_stack_lacks_is_refused(path: Path) -> None:
    with pytest.raises(StackError, match="no channel 1: it has 1 channel"):
        open_stack(save(path, noise(3, 20, 30)), channel=1, **VOXEL)


def test_axes_without_meaning_are_refused_when_there_are_two(path: Path) -> None:
    with pytest.raises(StackError, match="5 × 2 unnamed pages"):
        open_stack(save(path, noise(5, 2, 20, 30)), **VOXEL)


def test_images_of_different_sizes_in_one_file_are_refused(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise(20, 30), photometric="minisblack")
        writer.write(noise(40, 50), photometric="minisblack")
    with pytest.raises(StackError, match="2 images of different kinds"):
        open_stack(path, **VOXEL)


def test_a_thumbnail_beside_the_image_does_not_count(path: Path) -> None:
    array = noise(20, 30)
    with tifffile.TiffWriter(path) as writer:
        writer.write(array, photometric="minisblack")
        writer.write(noise(5, 6), photometric="minisblack", subfiletype=1)
    np.testing.assert_array_equal(open_stack(path, **VOXEL)[0], array)


# ---------------------------------------------------------------- pixel types

@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("stored", "opened"), [
    (np.uint8, np.uint8), (np.uint16, np.uint16), (np.int16, np.int16), (np.float32, np.float32), (np.bool_, np.uint8),
    (np.int8, np.int16), (np.float16, np.float32), (np.uint32, np.float32), (np.int32, np.float32),
    (np.int64, np.float32), (np.float64, np.float32),
])
def test_pixel_types_are_kept_or_converted_exactly(path: Path, stored: type, opened: type, lazy: bool) -> None:
    low = -100 if np.dtype(stored).kind in "if" else 0
    array = RNG.integers(low, 100, (3, 20, 30)).astype(stored)
    stack = open_stack(save(path, array), lazy=lazy, **VOXEL)
    assert stack.dtype == opened
    np.testing.assert_array_equal(np.asarray(stack), array.astype(opened))


@pytest.mark.parametrize("value", [2**24 + 1, 2**32 - 1])
@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint64, np.float64])
def test_values_that_32_bit_floats_cannot_hold_are_refused(path: Path, value: int, dtype: type) -> None:
    with pytest.raises(StackError, match=f"{np.dtype(dtype)} values that 32-bit floating point cannot hold exactly"):
        open_stack(save(path, np.full((1, 2, 3), value, dtype)), **VOXEL)


def test_imagejs_signed_16_bit_offset_is_undone(path: Path) -> None:
    array = np.array([[[-32768, -1, 0], [1, 1000, 32767]]] * 2, np.int16)
    stored = (array.astype(np.int32) + 32768).astype(np.uint16)
    imagej(path, stored, "ZYX", cf=0, c0=-32768.0, c1=1.0, vunit="Gray Value")
    stack = open_stack(path)
    assert stack.dtype == np.int16
    np.testing.assert_array_equal(stack, array)


def test_another_grey_level_calibration_leaves_the_pixels(path: Path) -> None:
    array = noise(2, 20, 30)
    imagej(path, array, "ZYX", cf=0, c0=-5.0, c1=2.0)
    np.testing.assert_array_equal(open_stack(path), array)


def test_white_is_zero_does_not_invert_the_pixels(path: Path) -> None:
    array = noise(2, 20, 30)
    np.testing.assert_array_equal(open_stack(save(path, array, photometric="miniswhite"), **VOXEL), array)


def test_a_palette_that_only_tints_grey_levels_is_ignored(path: Path) -> None:
    array = noise(20, 30, dtype=np.uint8)
    table = np.zeros((3, 256), np.uint16)
    table[1] = np.arange(256) * 257
    save(path, array, photometric="palette", colormap=table)
    np.testing.assert_array_equal(open_stack(path, **VOXEL)[0], array)


def test_a_palette_of_colours_is_refused(path: Path) -> None:
    table = RNG.integers(0, 65535, (3, 256)).astype(np.uint16)
    save(path, noise(20, 30, dtype=np.uint8), photometric="palette", colormap=table)
    with pytest.raises(StackError, match="colour palette: its numbers are not brightness"):
        open_stack(path, **VOXEL)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rgb_is_refused(path: Path, planar: str) -> None:
    shape = (20, 30, 3) if planar == "contig" else (3, 20, 30)
    save(path, noise(*shape, dtype=np.uint8), photometric="rgb", planarconfig=planar)
    with pytest.raises(StackError, match=r"colour image \(3 samples per pixel, RGB\)"):
        open_stack(path, **VOXEL)


def test_complex_pixels_are_refused(path: Path) -> None:
    with pytest.raises(StackError, match="pixels of type complex64"):
        open_stack(save(path, np.zeros((2, 3, 4), np.complex64)), **VOXEL)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_pixels_that_are_no_numbers_are_refused(path: Path, value: float, dtype: type) -> None:
    array = np.zeros((3, 4, 5), dtype)
    array[1, 2, 3] = value
    with pytest.raises(StackError, match="1 NaN or infinite pixel in plane 1"):
        open_stack(save(path, array), **VOXEL)


def test_a_lazy_stack_checks_each_plane_when_it_is_read(path: Path) -> None:
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 2, 3] = np.nan
    stack = open_stack(save(path, array), lazy=True, **VOXEL)
    assert not np.asarray(stack[0]).any()
    with pytest.raises(StackError, match="1 NaN or infinite pixel in plane 1"):
        stack[1].compute()


# ---------------------------------------------------------------- voxel size

def test_the_voxel_size_of_an_ome_tiff_is_read(tmp_path: Path) -> None:
    save(tmp_path / "a.ome.tif", noise(3, 20, 30), metadata={
        "axes": "ZYX", "PhysicalSizeX": 94, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 94, "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm"})
    stack = open_stack(tmp_path / "a.ome.tif")
    assert stack.attrs["voxel_size_um"] == (0.5, 0.094, 0.094)
    assert stack.x.values[:2].tolist() == [0, 0.094]
    assert stack.z.values.tolist() == [0, 0.5, 1.0]


def test_a_given_voxel_size_wins_over_the_file(path: Path) -> None:
    imagej(path, noise(3, 20, 30), "ZYX")
    assert open_stack(path, xy_um=0.2).attrs["voxel_size_um"] == (0.5, 0.2, 0.2)
    assert open_stack(path, z_um=0.3).attrs["voxel_size_um"] == (0.3, 0.1, 0.1)


@pytest.mark.parametrize(("given", "options"), [
    ({}, r"pixel size and distance of planes; give it in µm with --xy and --z \(in Python xy_um=, z_um=\)"),
    ({"xy_um": 0.1}, r"distance of planes; give it in µm with --z \(in Python z_um=\)"),
    ({"z_um": 0.1}, r"pixel size; give it in µm with --xy \(in Python xy_um=\)"),
])
def test_an_unknown_voxel_size_is_never_guessed(path: Path, given: dict[str, float], options: str) -> None:
    with pytest.raises(VoxelSizeError, match=f"does not state its {options}"):
        open_stack(save(path, noise(3, 20, 30)), **given)


def test_a_unit_that_is_no_length_is_named(path: Path) -> None:
    imagej(path, noise(3, 20, 30), "ZYX", unit="furlong")
    with pytest.raises(VoxelSizeError, match="furlong"):
        open_stack(path)


def test_a_dots_per_inch_default_is_no_voxel_size(path: Path) -> None:
    save(path, noise(20, 30), resolution=(72, 72), resolutionunit="INCH")
    with pytest.raises(VoxelSizeError, match="pixel size; give it in µm with --xy"):
        open_stack(path)


def test_a_single_plane_needs_no_distance_of_planes(path: Path) -> None:
    save(path, noise(20, 30))
    assert open_stack(path, xy_um=0.1).attrs["voxel_size_um"] == (0.1, 0.1, 0.1)
    assert open_stack(path, xy_um=0.1, z_um=0.7).attrs["voxel_size_um"] == (0.7, 0.1, 0.1)


def test_pixels_that_are_not_square_are_refused_unless_the_size_is_given(path: Path) -> None:
    save(path, noise(3, 20, 30), imagej=True, resolution=(10, 5), metadata={"axes": "ZYX", "unit": "um", "spacing": 1})
    with pytest.raises(VoxelSizeError, match=r"pixels of 0\.1 × 0\.2 µm \(x × y\).*--xy"):
        open_stack(path)
    assert open_stack(path, xy_um=0.15).attrs["voxel_size_um"] == (1.0, 0.15, 0.15)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_voxel_size_is_refused(path: Path, size: float) -> None:
    with pytest.raises(VoxelSizeError, match=r"0\.0001 to 1000"):
        open_stack(save(path, noise(3, 20, 30)), xy_um=size, z_um=0.5)


# ---------------------------------------------------------------- lazy reading

@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_lazy_stack_reads_only_the_planes_that_are_used(
    path: Path, monkeypatch: pytest.MonkeyPatch, compression: str | None
) -> None:
    array = noise(6, 20, 30)
    save(path, array, compression=compression)
    read: list[int] = []
    original = plane_source.PlaneSource.read

    def spy(self: plane_source.PlaneSource, plane: int) -> np.ndarray:
        read.append(plane)
        return original(self, plane)

    monkeypatch.setattr(plane_source.PlaneSource, "read", spy)
    stack = open_stack(path, lazy=True, **VOXEL)
    assert stack.chunks == ((1,) * 6, (20,), (30,))
    assert read == []
    np.testing.assert_array_equal(np.asarray(stack[2:4, 5:9, ::3]), array[2:4, 5:9, ::3])
    assert sorted(read) == [2, 3]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_can_be_read_from_many_threads(path: Path, compression: str | None) -> None:
    array = noise(12, 20, 30)
    stack = open_stack(save(path, array, compression=compression), lazy=True, **VOXEL)
    with ThreadPoolExecutor(8) as pool:
        planes = list(pool.map(lambda z: np.asarray(stack[z % 12]), range(96)))
    for z, plane in enumerate(planes):
        np.testing.assert_array_equal(plane, array[z % 12])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files cannot be counted on this system")
@pytest.mark.parametrize("lazy", [False, True])
def test_no_file_stays_open(path: Path, lazy: bool) -> None:
    save(path, noise(3, 20, 30), compression="zlib")
    stack = open_stack(path, lazy=lazy, **VOXEL)
    np.asarray(stack)
    links = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
    assert str(path) not in links


def test_a_lazy_stack_can_go_to_another_process(path: Path) -> None:
    array = noise(3, 20, 30)
    stack = open_stack(save(path, array), lazy=True, **VOXEL)
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(stack))), array)


def test_a_stack_above_4_gb_opens_by_its_first_page(path: Path) -> None:
    planes, side = 1100, 1024
    description = f"ImageJ=1.54p\nimages={planes}\nslices={planes}\nunit=micron\nspacing=0.5\n"
    save(path, np.zeros((side, side), np.float32), description=description, metadata=None, resolution=(10, 10),
         resolutionunit="NONE", byteorder="<")
    with tifffile.TiffFile(path) as file:
        offset = file.pages.first.dataoffsets[0]
    with path.open("r+b") as stream:  # the planes between stay a hole in the file
        stream.seek(offset + (planes - 1) * side * side * 4)
        stream.write(np.full((side, side), 7, "<f4").tobytes())
    assert path.stat().st_size > 2**32
    stack = open_stack(path, lazy=True)
    assert stack.shape == (planes, side, side)
    assert stack.attrs["voxel_size_um"] == (0.5, 0.1, 0.1)
    assert float(stack[planes - 1].mean()) == 7
    assert float(stack[0].max()) == 0


# ---------------------------------------------------------------- what cannot be opened

def one_line(error: pytest.ExceptionInfo[StackError], path: Path) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert path.name in text
    return text


@pytest.mark.parametrize("options", [
    {"imagej": True}, {"imagej": True, "truncate": True}, {"metadata": None}, {}, {"ome": True},
    {"compression": "zlib"},
    {"metadata": None, "compression": "zlib"}, {"bigtiff": True, "metadata": None}, {"tile": (16, 16)},
], ids=str)
@pytest.mark.parametrize("kept", [0.97, 0.6, 0.1])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_truncated_file_is_never_a_shorter_stack(
    path: Path, options: dict[str, Any], kept: float, lazy: bool
) -> None:
    save(path, RNG.integers(0, 65535, (9, 40, 50)).astype(np.uint16), **options)
    os.truncate(path, int(path.stat().st_size * kept))
    with pytest.raises(StackError) as error:
        np.asarray(open_stack(path, lazy=lazy, **VOXEL))
    assert "truncated" in one_line(error, path) or "damaged" in str(error.value)


def test_a_page_by_page_file_that_breaks_off_between_planes_is_truncated(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for _ in range(4):
            writer.write(noise(20, 30), photometric="minisblack", metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as file:
        third = file.pages[2].offset
    os.truncate(path, third)
    with pytest.raises(StackError, match="truncated: only its first 2 planes are there"):
        open_stack(path, **VOXEL)


def test_a_file_that_shrinks_after_opening_is_noticed_when_read(path: Path) -> None:
    stack = open_stack(save(path, noise(9, 40, 50)), lazy=True, **VOXEL)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StackError, match="damaged or truncated: plane 8"):
        np.asarray(stack[8])


def test_damaged_compressed_data_are_noticed(path: Path) -> None:
    save(path, noise(3, 40, 50), compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[1].dataoffsets[0]
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(b"\xff" * 100)
    with pytest.raises(StackError, match=r"plane 1 .* cannot be decoded"):
        open_stack(path, **VOXEL)


def test_a_page_that_changes_its_pixel_type_after_opening_is_noticed(path: Path) -> None:
    stack = open_stack(save(path, noise(2, 4, 6), compression="zlib"), lazy=True, **VOXEL)
    save(path, noise(2, 4, 6, dtype=np.uint8), compression="zlib")
    with pytest.raises(StackError, match=r"damaged or truncated: plane 0"):
        np.asarray(stack[0])


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"), (b"II", "is not a TIFF file"), (b"\x89PNG\r\n\x1a\n" + bytes(100), "is not a TIFF file"),
    (b"II*\0" + bytes(4), "no image planes|damaged"), (b"II*\0\xff\xff\xff\x7f", "no image planes|damaged"),
    (b"II*\0\x08\0\0\0" + b"\xff" * 50, "no image planes|damaged"),
])
def test_what_is_no_tiff_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(StackError, match=message) as error:
        open_stack(path, **VOXEL)
    one_line(error, path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"nowhere\.tif does not exist"):
        open_stack(tmp_path / "nowhere.tif")
    with pytest.raises(StackError, match="is a folder"):
        open_stack(tmp_path)


@pytest.mark.filterwarnings("ignore:.*zero-size array")
def test_a_file_without_pixels_is_refused(path: Path) -> None:
    save(path, np.zeros((0, 20, 30), np.uint16))
    with pytest.raises(StackError):
        open_stack(path, **VOXEL)


OME_OF_TWO_FILES = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1"><Image ID="Image:0" Name="a">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="20" SizeZ="2" SizeC="1" SizeT="1">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/>
<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="{first}">urn:uuid:1</UUID></TiffData>
<TiffData FirstZ="1" IFD="0" PlaneCount="1"><UUID FileName="{second}">urn:uuid:2</UUID></TiffData>
</Pixels></Image></OME>"""


def ome_of_two_files(path: Path, second: str) -> np.ndarray:
    """The first of two files that hold one plane each; `second` is the name that it gives for the other."""
    array = noise(2, 20, 30)
    text = OME_OF_TWO_FILES.format(first=path.name, second=second)
    save(path, array[0], description=text, metadata=None, ome=False)
    save(path.parent / "b.tif", array[1], metadata=None)
    return array


@pytest.mark.parametrize("lazy", [False, True])
def test_the_planes_of_an_ome_tiff_may_be_in_files_beside_it(path: Path, lazy: bool) -> None:
    array = ome_of_two_files(path, "b.tif")
    np.testing.assert_array_equal(np.asarray(open_stack(path, lazy=lazy, **VOXEL)), array)


def test_a_missing_file_of_an_ome_tiff_does_not_give_black_planes(path: Path) -> None:
    ome_of_two_files(path, "c.tif")
    with pytest.raises(StackError, match="incomplete: some of its planes are in files that are missing"):
        open_stack(path, **VOXEL)


@pytest.mark.parametrize("name", ["../b.tif", "/etc/b.tif", "sub/b.tif", "..\\b.tif"])
def test_an_ome_tiff_cannot_refer_to_another_folder(path: Path, name: str) -> None:
    ome_of_two_files(path, name)
    with pytest.raises(StackError, match="which is not in its folder"):
        open_stack(path, **VOXEL)


def test_remarks_of_the_tiff_library_do_not_reach_the_user(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ome_of_two_files(path, "c.tif")
    with caplog.at_level(logging.DEBUG), pytest.raises(StackError):
        open_stack(path, **VOXEL)
    assert not [record for record in caplog.records if record.name == "tifffile"]
