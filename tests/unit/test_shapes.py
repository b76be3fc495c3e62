"""Shapes of spines: against the simulator's truth, unchanged by what should not matter, defined for bad input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from deepd3_ij.measurement import measure
from deepd3_ij.measurement.classes import CLASSES, UNDECIDED, classes_of
from deepd3_ij.measurement.columns import CLASS_COLUMNS, QUALITIES, SHAPE_COLUMNS, kinds
from deepd3_ij.measurement.geometry import Placed
from deepd3_ij.measurement.necks import neck_of
from deepd3_ij.measurement.shaft import Profile
from deepd3_ij.parameters import MeasureParameters, SimulationParameters
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.simulation import SimulatedScene, simulate
from deepd3_ij.stack import label_like, label_prediction, label_stack

CLEAN = SimulationParameters(planes=15, height_px=200, width_px=200, xy_um=0.1, z_um=0.5, dendrites=1, branching=0,
                             bits=16, gain=2.0, line_smear=0.0, spine_dye_spread=0.0, axons=0, blob_clusters=0,
                             clouds=0)
XY_UM, Z_UM = 0.1, 0.5


@pytest.fixture(scope="module")
def scene() -> SimulatedScene:
    return simulate(dataclasses.replace(CLEAN, spine_density_per_um=1.5), seed=5)


def table_of(
    labels: np.ndarray, dendrite: np.ndarray, spine: np.ndarray, image: np.ndarray | None,
    placed: dict[int, Placed] | None = None, **parameters: object,
) -> pd.DataFrame:
    grid = label_stack(dendrite, xy_um=XY_UM, z_um=Z_UM)
    prediction = label_prediction(dendrite.astype(np.float32), spine.astype(np.float32), grid, {})
    stack = None if image is None else label_like(image, grid)
    rois = RoiSet(label_like(np.ascontiguousarray(labels, dtype=np.int32), grid))
    return measure(rois, prediction, stack, MeasureParameters(**parameters), placed=placed).spines  # type: ignore[arg-type]


def arrays_of(scene: SimulatedScene) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    labels = scene.spine.values
    return labels, scene.dendrite.values.astype(np.float32), (labels > 0).astype(np.float32), scene.stack.values


def drawn(planes: int = 9, *, shaft: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A shaft along x and one spine to each side of it: labels, dendrite, spine, image."""
    z, y, x = np.mgrid[:planes, :100, :160] * np.array([Z_UM, XY_UM, XY_UM])[:, None, None, None]
    middle = (planes - 1) * Z_UM / 2
    deep = (z - middle) ** 2 / 1.0 ** 2
    across = np.exp(-(y - 5.0) ** 2 / (2 * 0.3 ** 2)) * np.exp(-deep / 2)
    heads = [np.exp(-((y - 5 - side * 1.2) ** 2 + (x - place) ** 2) / (2 * 0.22 ** 2)) * np.exp(-deep / 2)
             for side, place in ((-1, 5.0), (1, 11.0))]
    labels = np.zeros(z.shape, np.int32)
    for number, head in enumerate(heads, 1):
        labels[head > 0.42] = number
    image = 10 + 150 * sum(heads)
    dendrite = np.zeros(z.shape, np.float32)
    if shaft:
        dendrite = (across > 0.5).astype(np.float32)
        image = image + 300 * across
    return labels, dendrite, (labels > 0).astype(np.float32), image.astype(np.float32)


def test_base_length_and_side_agree_with_the_truth(scene: SimulatedScene) -> None:
    table = table_of(*arrays_of(scene)).merge(scene.spines, on="id", suffixes=("", "_true"))
    side = table[table["side_true"].isin(["left", "right"])]
    base = np.hypot(side["base_y_um"] - side["surface_y_um"], side["base_x_um"] - side["surface_x_um"])
    assert len(side) > 8
    assert base.median() < 0.25
    length = np.hypot(side["tip_y_um_true"] - side["surface_y_um"], side["tip_x_um_true"] - side["surface_x_um"])
    error = side["length_xy_um"] - length
    assert abs(error.median()) < 0.12
    assert error.abs().median() < 0.15
    assert side["side"].isin(["left", "right"]).mean() > 0.9


def test_a_drawn_spine_has_the_base_tip_and_sides_that_it_was_drawn_with() -> None:
    table = table_of(*drawn())
    half_width = 0.3 * np.sqrt(2 * np.log(2))
    for row, side, place in zip(table.itertuples(), (-1, 1), (5.0, 11.0), strict=True):
        assert row.base_x_um == pytest.approx(place, abs=0.1)
        assert row.base_y_um == pytest.approx(5 + side * half_width, abs=0.06)
        assert row.head_y_um == pytest.approx(5 + side * 1.2, abs=0.05)
        assert row.tip_y_um == pytest.approx(5 + side * (1.2 + 0.29), abs=0.08)
        assert row.length_um == pytest.approx(row.length_xy_um)
        assert row.path_length_um == pytest.approx(row.length_um, abs=0.05)
        assert row.angle_deg > 80
        assert row.neck_length_um == pytest.approx(1.2 - half_width - 0.26, abs=0.15)
    assert set(table["side"]) == {"left", "right"}
    assert table["next_gap_um"].max() == pytest.approx(6.0, abs=0.2)
    assert table["nearest_spine_um"].tolist() == pytest.approx([6.0, 6.0], abs=0.2)
    assert table["previous_gap_um"].notna().sum() == 1
    assert set(table["geometry_source"]) == {"measured"}
    assert set(table["quality"]) == {"no calibration"}


def test_mirroring_swaps_sides_and_leaves_lengths() -> None:
    arrays = drawn()
    before, after = table_of(*arrays), table_of(*(np.ascontiguousarray(array[:, ::-1]) for array in arrays))
    np.testing.assert_allclose(before["length_um"], after["length_um"], atol=0.03)
    np.testing.assert_allclose(before["neck_length_um"], after["neck_length_um"], atol=0.05)
    assert [{"left": "right", "right": "left"}[side] for side in before["side"]] == after["side"].tolist()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turning_by_90_degrees_changes_no_length(turns: int) -> None:
    arrays = drawn()
    turned = [np.ascontiguousarray(np.rot90(array, turns, (1, 2))) for array in arrays]
    before, after = table_of(*arrays), table_of(*turned)
    for name in ("length_um", "path_length_um", "neck_length_um", "next_gap_um"):
        np.testing.assert_allclose(np.sort(before[name]), np.sort(after[name]), atol=0.05, err_msg=name)
    assert set(after["side"]) == {"left", "right"}


@pytest.mark.parametrize(("factor", "offset"), [(2.0, 0.0), (1.0, 500.0), (0.5, 20.0)])
def test_gain_and_offset_of_the_image_change_nothing(factor: float, offset: float, scene: SimulatedScene) -> None:
    *maps, image = arrays_of(scene)
    before = table_of(*maps, image.astype(np.float32))
    after = table_of(*maps, image * np.float32(factor) + np.float32(offset))
    for name in ("base_y_um", "base_x_um", "length_um", "path_length_um", "angle_deg"):
        np.testing.assert_allclose(before[name], after[name], atol=0.02, err_msg=name)


def test_a_volume_of_half_the_voxel_size_has_the_same_lengths() -> None:
    coarse = table_of(*drawn())
    labels, dendrite, spine, image = (np.repeat(np.repeat(array, 2, 1), 2, 2) for array in drawn())
    grid = label_stack(dendrite, xy_um=XY_UM / 2, z_um=Z_UM)
    prediction = label_prediction(dendrite, spine, grid, {})
    fine = measure(RoiSet(label_like(labels, grid)), prediction, label_like(image, grid)).spines
    for name in ("length_um", "neck_length_um"):
        np.testing.assert_allclose(coarse[name], fine[name], atol=0.1, err_msg=name)


def test_a_user_s_base_and_tip_take_the_place_of_the_measured_ones() -> None:
    base, tip = (2.0, 5.5, 11.3), (2.0, 6.9, 11.2)
    table = table_of(*drawn(), placed={2: Placed(base, tip)}).set_index("id")
    assert table.loc[2, ["base_z_um", "base_y_um", "base_x_um"]].tolist() == pytest.approx(base)
    assert table.loc[2, ["tip_z_um", "tip_y_um", "tip_x_um"]].tolist() == pytest.approx(tip)
    assert table.loc[2, "length_um"] == pytest.approx(np.linalg.norm(np.subtract(tip, base)))
    assert table["geometry_source"].tolist() == ["measured", "user"]


def check_defined(table: pd.DataFrame) -> None:
    assert [name for name in table if name in SHAPE_COLUMNS] == list(SHAPE_COLUMNS)
    assert table[list(SHAPE_COLUMNS)].dtypes.astype(str).to_dict() == kinds(SHAPE_COLUMNS)
    for text in table["quality"]:
        assert set(text.split(";")) - {""} <= set(QUALITIES)


def test_without_dendrite_there_is_a_head_and_a_reason() -> None:
    table = table_of(*drawn(shaft=False))
    check_defined(table)
    assert table["quality"].str.contains("no dendrite").all()
    assert table[["length_um", "base_x_um", "angle_deg", "neck_length_um", "next_gap_um"]].isna().all(axis=None)
    assert table["head_x_um"].notna().all()
    assert set(table["side"]) == {""}


def test_without_image_there_is_geometry_only() -> None:
    labels, dendrite, spine, _ = drawn()
    table = table_of(labels, dendrite, spine, None)
    check_defined(table)
    assert table["quality"].str.contains("no image").all()
    assert table["length_um"].notna().all()
    assert table[["neck_length_um", "neck_contrast", "head_fwhm_um", "volume_relative"]].isna().all(axis=None)


def test_a_roi_inside_the_shaft_has_no_length() -> None:
    labels, dendrite, _, image = drawn()
    labels[:] = 0
    labels[3:6, 48:53, 60:64] = 1
    table = table_of(labels, dendrite, labels > 0, image)
    check_defined(table)
    assert table["length_um"].isna().all()
    assert table["quality"].str.contains("inside dendrite").all()


@pytest.mark.parametrize("image", [np.zeros, np.ones])
def test_an_even_image_gives_geometry_and_no_split(image: object) -> None:
    labels, dendrite, spine, _ = drawn()
    table = table_of(labels, dendrite, spine, image(labels.shape, np.uint8))  # type: ignore[operator]
    check_defined(table)
    assert table["length_um"].notna().all()
    assert table["neck_length_um"].isna().all()
    assert table["quality"].str.contains("no split").all()


def test_a_saturated_image_and_a_single_plane_are_measured() -> None:
    labels, dendrite, spine, image = drawn()
    check_defined(table_of(labels, dendrite, spine, np.minimum(image, 60).astype(np.uint8)))
    table = table_of(*(array[4:5] for array in drawn()))
    check_defined(table)
    assert table["quality"].str.contains("one plane").all()
    assert set(table["side"]) == {"left", "right"}
    assert table["length_um"].notna().all()


def test_spines_at_the_border_and_beside_each_other_say_so() -> None:
    arrays = [array[:, :, 47:] for array in drawn()]
    assert "touches border" in table_of(*arrays)["quality"][0]
    labels, dendrite, _, image = drawn()
    shifted = np.roll(labels, 5, axis=2)
    labels[(shifted == 1) & (labels == 0)] = 3
    near = table_of(labels, dendrite, labels > 0, image).set_index("id")
    check_defined(near.reset_index())
    assert "overlaps neighbour" in near.loc[1, "quality"]
    assert "overlaps neighbour" in near.loc[3, "quality"]
    assert near.loc[2, "quality"] == "no calibration"


def test_lazy_data_give_the_same_table() -> None:
    labels, dendrite, spine, image = drawn()
    grid = label_stack(dendrite, xy_um=XY_UM, z_um=Z_UM)
    prediction = label_prediction(dendrite, spine, grid, {})
    rois, stack = RoiSet(label_like(labels, grid)), label_like(image, grid)
    eager = measure(rois, prediction, stack).spines
    lazy = measure(rois, prediction.chunk({"z": 1}), stack.chunk({"z": 1})).spines
    pd.testing.assert_frame_equal(eager, lazy)


def test_no_rois_give_an_empty_table_with_all_columns() -> None:
    labels, dendrite, spine, image = drawn()
    table = table_of(0 * labels, dendrite, spine, image, spine_classes=True)
    assert list(table)[-len(CLASS_COLUMNS):] == list(CLASS_COLUMNS)
    assert len(table) == 0


def profile_of(neck: float, head: float, shaft: float = 300.0, noise_slope: float = 0.0) -> Profile:
    distance = np.arange(0, 1.5, 0.05)
    own = np.where(distance < 0.7, neck, 0) + head * np.exp(-(distance - 1.0) ** 2 / (2 * 0.2 ** 2))
    return Profile(distance, own + shaft * np.exp(-((distance + 0.4) / 0.3) ** 2 / 2), own, noise_slope, 0.0)


def test_a_dim_neck_ends_where_the_head_begins() -> None:
    neck = neck_of(profile_of(10, 100), 1.0, 0.25)
    assert neck.split == "minimum"
    assert neck.length_um == pytest.approx(0.76, abs=0.05)
    assert neck.contrast < 0.3
    assert neck.length_se_um > 0.1


def test_what_is_no_dip_or_lost_in_noise_is_no_split() -> None:
    flat = profile_of(0, 0)._replace(own_light=np.full(30, 50.0), light=np.linspace(200.0, 60.0, 30))
    assert neck_of(flat, 1.0, 0.25).split == "none"
    lost = neck_of(profile_of(10, 100, noise_slope=40.0), 1.0, 0.25)
    assert lost.split == "none"
    assert np.isnan(lost.length_um)
    assert lost.gap_um > 0.3


def test_classes_follow_their_rules_and_doubt_is_said() -> None:
    count = 5
    columns = {name: np.full(count, np.nan) for name in SHAPE_COLUMNS}
    columns["length_um"] = np.array([1.4, 1.6, 0.6, 3.0, 1.4])
    columns["neck_contrast"] = np.array([0.2, 0.2, np.nan, np.nan, 0.2])
    columns["head_neck_split"] = np.array(["minimum", "minimum", "none", "none", "minimum"], dtype=object)
    columns["head_diameter_um"] = np.array([0.6, 0.2, 0.6, 0.3, 0.35])
    columns["head_diameter_se_um"] = np.full(count, 0.05)
    found = classes_of(columns)
    assert found["spine_class"].tolist() == ["mushroom", "thin", "stubby", "filopodium", UNDECIDED]
    assert (found["class_probability"][:4] > 0.9).all()
    assert found["class_probability"][4] == pytest.approx(0.5, abs=0.1)


def test_classes_are_a_column_only_if_asked_for() -> None:
    table = table_of(*drawn(), spine_classes=True)
    assert set(table["spine_class"]) <= {*CLASSES, UNDECIDED}
    assert "spine_class" not in table_of(*drawn())
    assert "length_um" not in table_of(*drawn(), shapes=False)


def test_stacks_with_other_origins_are_measured_at_their_coordinates() -> None:
    labels, dendrite, spine, image = drawn()
    grid = label_stack(dendrite, xy_um=XY_UM, z_um=Z_UM)
    prediction = label_prediction(dendrite, spine, grid, {})
    before = measure(RoiSet(label_like(labels, grid)), prediction, label_like(image, grid)).spines

    def moved(data: xr.DataArray) -> xr.DataArray:
        return data.assign_coords(z=data["z"] + 3.0, y=data["y"] + 5.0, x=data["x"] + 7.0)

    shifted = prediction.assign_coords({dim: moved(grid)[dim] for dim in "zyx"})
    after = measure(RoiSet(moved(label_like(labels, grid))), shifted, moved(label_like(image, grid))).spines
    np.testing.assert_allclose(after["base_x_um"], before["base_x_um"] + 7.0)
    np.testing.assert_allclose(after["tip_z_um"], before["tip_z_um"] + 3.0)
    np.testing.assert_allclose(after["length_um"], before["length_um"])
