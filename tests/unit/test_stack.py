from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij.errors import StackError, VoxelSizeError
from deepd3_ij.stack import label_like, label_prediction, label_stack, provenance_of, voxel_size_um


@settings(deadline=None)
@given(st.tuples(*[st.integers(1, 5)] * 3), st.floats(1e-4, 1000), st.floats(1e-4, 1000))
def test_positions_are_pixel_numbers_times_voxel_size(shape: tuple[int, ...], xy_um: float, z_um: float) -> None:
    stack = label_stack(np.zeros(shape, np.uint8), xy_um=xy_um, z_um=z_um)
    assert stack.dims == ("z", "y", "x")
    assert voxel_size_um(stack) == (z_um, xy_um, xy_um)
    for dim, size_um in zip("zyx", (z_um, xy_um, xy_um), strict=True):
        np.testing.assert_array_equal(stack.coords[dim], np.arange(stack.sizes[dim]) * size_um)


def test_labelling_does_not_copy() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    assert np.shares_memory(label_stack(pixels, xy_um=1, z_um=1).values, pixels)


def test_an_image_is_a_stack_of_one_plane() -> None:
    assert label_stack(np.zeros((3, 4)), xy_um=1, z_um=1).shape == (1, 3, 4)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3, 4), (0, 3, 4), (3, 0, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(StackError, match="this array has shape"):
        label_stack(np.zeros(shape), xy_um=1, z_um=1)


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf"), 1e-9, 1e9])
@pytest.mark.parametrize("name", ["xy_um", "z_um"])
def test_impossible_voxel_sizes_are_refused(size: float, name: str) -> None:
    with pytest.raises(VoxelSizeError, match=f"{name} is .*; accepted for a voxel size: 0.0001 to 1000 µm"):
        label_stack(np.zeros((2, 3, 4)), **{"xy_um": 1.0, "z_um": 1.0, name: size})


def test_maps_take_the_place_of_their_stack() -> None:
    stack = label_stack(np.zeros((4, 3, 2)), xy_um=0.1, z_um=0.5, source="a.tif")[2:]
    maps = np.ones((2, 3, 2), np.float32)
    prediction = label_prediction(maps, maps, stack, {"model": "m"})
    np.testing.assert_array_equal(prediction.coords["z"], [1.0, 1.5])
    assert prediction.attrs["source"] == "a.tif"
    assert provenance_of(prediction) == {"model": "m"}
    assert json.loads(prediction.attrs["provenance"]) == {"model": "m"}


def test_a_map_of_another_shape_is_refused() -> None:
    stack = label_stack(np.zeros((4, 3, 2)), xy_um=0.1, z_um=0.5)
    with pytest.raises(StackError, match=r"\(3, 3, 2\) and \(4, 3, 2\)"):
        label_like(np.zeros((3, 3, 2)), stack)


def test_unlabelled_data_say_how_to_label_them() -> None:
    with pytest.raises(VoxelSizeError, match="label_stack"):
        voxel_size_um(xr.DataArray(np.zeros((2, 2, 2))))
