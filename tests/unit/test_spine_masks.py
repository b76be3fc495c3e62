"""Annotated volumes from the files of other programs."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr

from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.masks import read_spine_mask, read_tiff_mask
from deepd3_ij.files.roi_zip import write_roi_zip
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_like, label_stack

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
