"""Annotated volumes from the files of other programs."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr

from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.masks import is_tracing, read_spine_mask, read_tiff_mask
from deepd3_ij.files.roi_zip import write_roi_zip
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_like, label_stack
from tests.notes import told

SHAPE = (4, 20, 30)


@pytest.fixture
def stack() -> xr.DataArray:
    return label_stack(np.zeros(SHAPE, np.uint8), xy_um=0.1, z_um=0.5)


@pytest.fixture
def labels() -> np.ndarray:
    volume = np.zeros(SHAPE, np.int32)
    volume[1:3, 2:6, 3:9] = 1
    volume[2, 10:13, 20:22] = 2
    volume[3, 0, 29] = 7
    return volume


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 255), (np.uint16, 1), (np.float32, 0.5)])
def test_a_tiff_is_a_mask_of_what_is_above_zero(tmp_path: Path, stack, labels, dtype: type, scale: float) -> None:
    path = tmp_path / "spines.TIF"
    tifffile.imwrite(path, ((labels > 0) * scale).astype(dtype), imagej=True, metadata={"axes": "ZYX"})
    np.testing.assert_array_equal(read_spine_mask(path, stack), labels > 0)


def test_a_label_image_keeps_every_label(tmp_path: Path, stack, labels) -> None:
    path = tmp_path / "labels.tiff"
    tifffile.imwrite(path, labels, photometric="minisblack")
    np.testing.assert_array_equal(read_tiff_mask(path, stack), labels > 0)


def test_a_pipra_file_is_transposed_to_rows_and_columns(tmp_path: Path, stack, labels) -> None:
    path = tmp_path / "spines.mask"
    with h5py.File(path, "w") as file:
        file["mask"] = (labels > 0).transpose(0, 2, 1)
    np.testing.assert_array_equal(read_spine_mask(path, stack), labels > 0)


def test_a_roi_zip_is_filled(tmp_path: Path, stack, labels) -> None:
    path = tmp_path / "spines.zip"
    write_roi_zip(path, RoiSet(label_like(labels, stack)))
    np.testing.assert_array_equal(read_spine_mask(path, stack), labels > 0)


def test_a_mask_of_another_shape_is_an_error_with_both_shapes(tmp_path: Path, stack) -> None:
    path = tmp_path / "spines.tif"
    tifffile.imwrite(path, np.ones((4, 20, 31), np.uint8), photometric="minisblack")
    with pytest.raises(AnnotationError, match=r"\(4, 20, 31\).*\(4, 20, 30\)"):
        read_spine_mask(path, stack)


def test_an_empty_mask_is_an_error(tmp_path: Path, stack) -> None:
    path = tmp_path / "spines.tif"
    tifffile.imwrite(path, np.zeros(SHAPE, np.uint8), photometric="minisblack")
    with pytest.raises(AnnotationError, match=r"spines\.tif is empty"):
        read_spine_mask(path, stack)


@pytest.mark.parametrize("name", ["spines.mask", "spines.tif", "spines.zip"])
def test_a_damaged_file_is_an_annotation_error(tmp_path: Path, stack, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing that any program wrote")
    with pytest.raises(AnnotationError) as caught:
        read_spine_mask(tmp_path / name, stack)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pipra_file_without_mask_is_an_error(tmp_path: Path, stack) -> None:
    with h5py.File(tmp_path / "spines.mask", "w") as file:
        file["other"] = np.zeros(3)
    with pytest.raises(AnnotationError, match="mask is missing"):
        read_spine_mask(tmp_path / "spines.mask", stack)


def test_another_suffix_is_an_error_that_lists_the_known_ones(tmp_path: Path, stack) -> None:
    with pytest.raises(AnnotationError, match=r"\.png.*\.tif.*\.zip.*\.mask"):
        read_spine_mask(tmp_path / "spines.png", stack)


def saved(path: Path, values: np.ndarray) -> Path:
    tifffile.imwrite(path, values, photometric="minisblack", metadata=None)
    return path


@pytest.mark.parametrize(("values", "words"), [
    ((1, 2), r"no background: no voxel is 0, it has \d+ of 1, 12 of 2"), ((3, 7), "no background"),
    ((np.float32(0.01), np.float32(0.9)), "is a probability map and no mask: it has values from 0.01 to 0.9"),
    ((np.int16(-1), np.int16(1)), "values from -1 to 1"),
])
def test_a_mask_whose_background_is_not_0_is_refused(tmp_path: Path, stack, values, words: str) -> None:
    low, high = values
    volume = np.full(SHAPE, low, np.asarray(high).dtype if isinstance(high, np.generic) else np.uint8)
    volume[2, 3:6, 4:8] = high
    with pytest.raises(AnnotationError, match=words):
        read_spine_mask(saved(tmp_path / "a.tif", volume), stack)


def test_a_probability_map_with_zeros_is_refused(tmp_path: Path, stack) -> None:
    volume = np.zeros(SHAPE, np.float32)
    volume[1, 2:6, 3:9] = np.linspace(0.1, 0.9, 6)
    with pytest.raises(AnnotationError, match="probability map"):
        read_spine_mask(saved(tmp_path / "a.tif", volume), stack)


def test_a_mask_that_is_foreground_everywhere_is_noted(tmp_path: Path, stack) -> None:
    with told("every voxel is foreground"):
        assert read_spine_mask(saved(tmp_path / "a.tif", np.full(SHAPE, 255, np.uint8)), stack).all()


def test_a_mask_that_looks_inverted_is_noted(tmp_path: Path, stack, labels) -> None:
    with told("voxels are foreground .*invert"):
        read_spine_mask(saved(tmp_path / "a.tif", np.where(labels > 0, 0, 255).astype(np.uint8)), stack)


def test_a_pipra_file_without_background_is_refused(tmp_path: Path, stack) -> None:
    volume = np.ones(SHAPE, np.uint8)
    volume[2, 3:6, 4:8] = 2
    with h5py.File(tmp_path / "a.mask", "w") as file:
        file["mask"] = volume.transpose(0, 2, 1)
    with pytest.raises(AnnotationError, match="no background"):
        read_spine_mask(tmp_path / "a.mask", stack)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("t.zip", b"PK", "read for spines only.*Export the tracing as SWC"),
    ("t.xyz", b"\x1f\x8b\x08\0", "compressed"), ("t.asc", b"(Dendrite)", "Neurolucida"),
    ("t.txt", b"hello", "neither a tracing"), ("t.nml", b"<things/>", "webKnossos"),
])
def test_a_tracing_of_another_program_names_its_format(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AnnotationError, match=words):
        is_tracing(tmp_path / name)


@pytest.mark.parametrize(("name", "tracing"), [("t.swc", True), ("t.ESWC", True), ("t.tif", False), ("t.lsm", False)])
def test_tracings_and_masks_are_told_apart(tmp_path: Path, name: str, tracing: bool) -> None:
    (tmp_path / name).write_bytes(b"II*\0\x08\0\0\0")
    assert is_tracing(tmp_path / name) is tracing
