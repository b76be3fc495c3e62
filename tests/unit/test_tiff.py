"""Hyperstacks that are written are read back unchanged, by this package and by tifffile."""

from __future__ import annotations

from pathlib import Path

import dask.array
import numpy as np
import pytest
import tifffile
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from deepd3_ij import label_stack, open_stack
from deepd3_ij.errors import Cancelled, OutputError
from deepd3_ij.files import tiff
from deepd3_ij.files.tiff import (
    open_stack_for_writing,
    write_prediction_maps,
    write_stack,
)
from deepd3_ij.stack import label_prediction, provenance_of

DTYPES = st.sampled_from([np.uint8, np.uint16, np.int16, np.float32])
SIZES_UM = st.floats(min_value=0.001, max_value=100)


def stack_of(array: np.ndarray, xy_um: float = 0.1, z_um: float = 0.5) -> xr.DataArray:
    return label_stack(array, xy_um=xy_um, z_um=z_um)


def prediction_of(dendrite: np.ndarray, spine: np.ndarray) -> xr.Dataset:
    return label_prediction(dendrite, spine, stack_of(dendrite, 0.12, 1.0), {"model": "µ-model", "tile_px": 128})


@st.composite
def pixels(draw: st.DrawFn) -> np.ndarray:
    dtype = draw(DTYPES)
    finite = {"allow_nan": False, "allow_infinity": False} if dtype is np.float32 else {}
    shapes = stn.array_shapes(min_dims=3, max_dims=3, max_side=5)
    return draw(stn.arrays(dtype, shapes, elements=stn.from_dtype(np.dtype(dtype), **finite)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=pixels(), xy_um=SIZES_UM, z_um=SIZES_UM, lazy=st.booleans())
def test_what_is_written_is_read_back_unchanged(
    tmp_path: Path, array: np.ndarray, xy_um: float, z_um: float, lazy: bool
) -> None:
    written = stack_of(array, xy_um, z_um)
    write_stack(tmp_path / "stack.tif", written)
    read = open_stack(tmp_path / "stack.tif", lazy=lazy)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(np.asarray(read), array)
    assert read.attrs["voxel_size_um"] == pytest.approx(written.attrs["voxel_size_um"], rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(size=SIZES_UM)
def test_the_resolution_fraction_gives_back_the_pixel_size(size: float) -> None:
    numerator, denominator = tiff._pixels_per_um(size)
    assert 0 < numerator < 2**32
    assert 0 < denominator < 2**32
    assert denominator / numerator == pytest.approx(size, rel=1e-12)


@pytest.mark.parametrize("size", [0.094, 0.12, 0.5, 0.0651, 1.0])
def test_usual_pixel_sizes_are_exact(size: float, tmp_path: Path) -> None:
    write_stack(tmp_path / "stack.tif", stack_of(np.zeros((2, 3, 4), np.uint8), size, size))
    assert open_stack(tmp_path / "stack.tif").attrs["voxel_size_um"] == (size, size, size)


def test_planes_calibration_range_and_provenance_are_in_imagejs_metadata(tmp_path: Path) -> None:
    stack = stack_of(np.zeros((2, 3, 4), np.uint16), 0.125, 0.7).assign_attrs(provenance='{"made": "by hand"}')
    write_stack(tmp_path / "stack.tif", stack, display_range=(10, 200))
    with tifffile.TiffFile(tmp_path / "stack.tif") as file:
        metadata = file.imagej_metadata
        assert metadata is not None
        assert len(file.pages) == 2
        assert file.pages.first.tags["XResolution"].value == (8, 1)
    assert metadata["slices"] == 2
    assert metadata["unit"] == "micron"
    assert metadata["spacing"] == 0.7
    assert (metadata["min"], metadata["max"]) == (10.0, 200.0)
    assert metadata["Properties"] == {"deepd3.provenance": '{"made": "by hand"}'}


def test_three_pixels_wide_planes_are_no_colour_image(tmp_path: Path) -> None:
    array = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    write_stack(tmp_path / "stack.tif", stack_of(array))
    np.testing.assert_array_equal(open_stack(tmp_path / "stack.tif"), array)


@pytest.mark.parametrize(("largest", "dtype"), [(0, np.uint16), (65535, np.uint16), (65536, np.float32),
                                                (2**24, np.float32)])
def test_labels_keep_their_numbers(tmp_path: Path, largest: int, dtype: type) -> None:
    labels = np.zeros((2, 3, 4), np.int32)
    labels[1, 2, 3] = largest
    labels[0, 0, 0] = max(largest - 1, 0)
    write_stack(tmp_path / "labels.tif", stack_of(labels))
    read = open_stack(tmp_path / "labels.tif")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read.astype(np.int32), labels)


@pytest.mark.parametrize("label", [-1, 2**24 + 1])
def test_labels_that_imagej_cannot_hold_are_refused(tmp_path: Path, label: int) -> None:
    with pytest.raises(OutputError, match=f"label {label} is outside"):
        write_stack(tmp_path / "labels.tif", stack_of(np.full((1, 2, 2), label, np.int32)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint32, np.complex64, bool])
def test_pixel_types_that_imagej_does_not_know_are_refused(tmp_path: Path, dtype: type) -> None:
    with pytest.raises(OutputError, match="accepted: uint8, uint16, int16, float32"):
        write_stack(tmp_path / "stack.tif", stack_of(np.zeros((1, 2, 2), dtype)))


def test_a_dask_stack_is_written_plane_by_plane(tmp_path: Path) -> None:
    array = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    taken: list[int] = []

    def take(block: np.ndarray) -> np.ndarray:
        taken.append(block.shape[0])
        return block

    lazy = dask.array.from_array(array, chunks=(1, 5, 6)).map_blocks(take, dtype=np.float32, meta=array[:0])
    write_stack(tmp_path / "stack.tif", stack_of(lazy))
    assert taken == [1, 1, 1, 1]
    np.testing.assert_array_equal(open_stack(tmp_path / "stack.tif"), array)


def test_a_stack_above_the_paged_size_has_one_page_and_raw_planes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, "_LARGEST_PAGED_BYTES", 100)
    array = np.random.default_rng(0).integers(0, 60000, (7, 5, 6)).astype(np.uint16)
    write_stack(tmp_path / "stack.tif", stack_of(array))
    with tifffile.TiffFile(tmp_path / "stack.tif") as file:
        assert len(file.pages) == 1
    for lazy in (False, True):
        np.testing.assert_array_equal(open_stack(tmp_path / "stack.tif", lazy=lazy), array)


def test_writing_can_be_cancelled_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    path.write_text("old")
    calls: list[int] = []

    def cancel(done: int, total: int, message: str, /) -> None:
        calls.append(done)
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_stack(path, stack_of(np.zeros((5, 2, 2), np.uint8)), progress=cancel)
    assert calls == [0, 1, 2]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_prediction_maps_keep_probabilities_calibration_and_provenance(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    dendrite, spine = rng.random((2, 3, 4, 5)).astype(np.float32)
    prediction = prediction_of(dendrite, spine)
    files = write_prediction_maps(tmp_path, "a.b", prediction)
    assert [file.name for file in files] == ["a.b_dendrites.tif", "a.b_spines.tif"]
    for file, expected in zip(files, (dendrite, spine), strict=True):
        read = open_stack(file)
        np.testing.assert_array_equal(read, expected)
        assert read.attrs["voxel_size_um"] == (1.0, 0.12, 0.12)
        assert provenance_of(read.to_dataset(name="map", promote_attrs=True)) == provenance_of(prediction)


def test_8_bit_maps_are_rounded_and_clipped(tmp_path: Path) -> None:
    values = np.array([[[-0.1, 0.0, 0.0019, 0.0021, 0.5, 0.999, 1.0, 1.02]]], np.float32)
    dendrites, _ = write_prediction_maps(tmp_path, "a", prediction_of(values, values), eight_bit=True)
    read = open_stack(dendrites)
    assert read.dtype == np.uint8
    assert read.values.ravel().tolist() == [0, 0, 0, 1, 128, 255, 255, 255]


@pytest.mark.parametrize("eight_bit", [False, True])
def test_a_map_with_nan_is_refused(tmp_path: Path, eight_bit: bool) -> None:
    good = np.zeros((2, 2, 2), np.float32)
    bad = good.copy()
    bad[1, 0, 0] = np.nan
    with pytest.raises(OutputError, match=r"plane 1 .* of the spine map has 1 NaN"):
        write_prediction_maps(tmp_path, "a", prediction_of(good, bad), eight_bit=eight_bit)
    assert not (tmp_path / "a_spines.tif").exists()


@pytest.mark.parametrize("stem", ["../a", "/tmp/a", "sub/a", ""])
def test_a_stem_cannot_leave_its_folder(tmp_path: Path, stem: str) -> None:
    zeros = np.zeros((1, 2, 2), np.float32)
    with pytest.raises(OutputError, match="cannot be the beginning of a file name"):
        write_prediction_maps(tmp_path, stem, prediction_of(zeros, zeros))


def test_a_result_can_be_written_plane_by_plane(tmp_path: Path) -> None:
    like = stack_of(np.zeros((3, 4, 5), np.uint8), 0.094, 0.4)
    path = tmp_path / "map.tif"
    with open_stack_for_writing(path, like) as volume:
        assert volume.shape == (3, 4, 5)
        assert volume.dtype == np.float32
        assert not volume.read(0, 3).any()
        volume.write(1, np.full((1, 4, 5), 0.25, np.float32))
        assert not path.exists()
    read = open_stack(path)
    assert read.attrs["voxel_size_um"] == (0.4, 0.094, 0.094)
    assert read.mean(("y", "x")).values.tolist() == [0, 0.25, 0]


def test_a_broken_off_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    path.write_text("old")
    with pytest.raises(Cancelled), open_stack_for_writing(path, stack_of(np.zeros((3, 4, 5), np.uint8))):
        raise Cancelled
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
