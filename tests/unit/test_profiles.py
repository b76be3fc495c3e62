"""The light along one spine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deepd3_ij import build_rois_3d, label_prediction, label_stack, measure
from deepd3_ij.errors import ParameterError
from deepd3_ij.measurement.geometry import Placed
from deepd3_ij.measurement.profiles import spine_profile

XY_UM, Z_UM = 0.1, 0.5


def cell(*, dendrite: bool = True) -> tuple[Any, Any, Any]:
    """ROIs, prediction and stack of a dendrite along x with a round spine beside it."""
    z, y, x = np.mgrid[:7, :100, :120]
    spine = np.exp(-((3 * (z - 3)) ** 2 + (y - 40) ** 2 + (x - 60) ** 2) / 60).astype(np.float32)
    shaft = (np.exp(-((3 * (z - 3)) ** 2 + (y - 65) ** 2) / 30) * dendrite).astype(np.float32)
    stack = label_stack((10 + 200 * np.maximum(spine, shaft)).astype(np.uint16), xy_um=XY_UM, z_um=Z_UM, source="a.tif")
    prediction = label_prediction(shaft, spine, stack, {})
    return build_rois_3d(prediction), prediction, stack


def test_it_falls_from_the_shaft_and_rises_to_the_head() -> None:
    rois, prediction, stack = cell()
    found = spine_profile(rois, 1, prediction, stack)
    row = measure(rois, prediction, stack).spines.iloc[0]
    assert found.distance_um[0] < 0 < found.head_um < found.tip_um
    assert found.tip_um == pytest.approx(row["path_length_um"], abs=0.1)
    between = (found.distance_um > 0) & (found.distance_um < found.head_um)
    head = np.abs(found.distance_um - found.head_um) < 0.1
    assert found.light[between].min() < 0.3 * found.light[head].max()
    assert found.neck.length_um == pytest.approx(row["neck_length_um"])


def test_it_begins_where_a_user_placed_the_base() -> None:
    rois, prediction, stack = cell()
    placed = Placed((1.5, 5.5, 6.0), (1.5, 3.6, 6.0))
    assert spine_profile(rois, 1, prediction, stack, placed=placed).tip_um == pytest.approx(1.9, abs=0.1)


def test_a_spine_that_is_not_there_or_has_no_dendrite_is_named() -> None:
    rois, prediction, stack = cell()
    with pytest.raises(ParameterError, match="no spine 5"):
        spine_profile(rois, 5, prediction, stack)
    rois, prediction, stack = cell(dendrite=False)
    with pytest.raises(ParameterError, match="no light along spine 1"):
        spine_profile(rois, 1, prediction, stack)
