"""The table of spines."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij.errors import Cancelled, StackError
from deepd3_ij.measurement import Measurements, measure
from deepd3_ij.measurement.columns import INTENSITY_COLUMNS, kinds, spine_columns
from deepd3_ij.measurement.dendrites import Dendrites, find_dendrites
from deepd3_ij.measurement.spines import nearest_dendrite, roi_voxels
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.runs import Runs
from deepd3_ij.stack import label_like, label_prediction, label_stack

SHAPE = (8, 60, 200)
VOXEL = (0.5, 0.1, 0.1)
DOCUMENTED = ["id", "z_um", "y_um", "x_um", "z_px", "y_px", "x_px", "planes", "voxels", "volume_um3",
              "max_probability", "mean_probability", "dendrite_id", "distance_to_dendrite_um"]


def like(shape: tuple[int, int, int] = SHAPE) -> xr.DataArray:
    return label_stack(np.zeros(shape, np.uint8), xy_um=VOXEL[1], z_um=VOXEL[0])


def measured(
    labels: np.ndarray, dendrite: np.ndarray | None = None, stack: np.ndarray | None = None, dimensions: int = 3,
    **parameters: float
) -> Measurements:
    grid = like(labels.shape)
    maps = np.where(labels > 0, 0.5, 0).astype(np.float32)
    prediction = label_prediction(np.zeros(labels.shape, np.float32) if dendrite is None else
                                  dendrite.astype(np.float32), maps, grid, {})
    image = None if stack is None else label_stack(stack, xy_um=VOXEL[1], z_um=VOXEL[0])
    return measure(RoiSet(label_like(labels, grid), dimensions), prediction, image, MeasureParameters(**parameters))


def volume() -> np.ndarray:
    return np.zeros(SHAPE, np.int32)


def shaft() -> np.ndarray:
    """A dendrite along x: planes 3 and 4, rows 20 to 29."""
    mask = np.zeros(SHAPE, bool)
    mask[3:5, 20:30, 10:190] = True
    return mask


def test_columns_come_in_the_documented_order() -> None:
    labels = volume()
    labels[1, 2, 3] = 1
    assert list(measured(labels).spines)[:14] == DOCUMENTED
    assert list(measured(labels, stack=labels).spines) == list(spine_columns(MeasureParameters(), with_image=True))


def test_position_and_size_follow_from_the_voxels() -> None:
    labels = volume()
    labels[2, 10, 20:24] = 7
    labels[4, 11, 20:22] = 7
    row = measured(labels).spines.iloc[0]
    assert (row["id"], row["planes"], row["voxels"]) == (7, 2, 6)
    assert (row["z_px"], row["y_px"], row["x_px"]) == pytest.approx((16 / 6, 62 / 6, 127 / 6))
    assert (row["z_um"], row["y_um"], row["x_um"]) == pytest.approx((8 / 6, 6.2 / 6, 12.7 / 6))
    assert row["volume_um3"] == pytest.approx(6 * 0.005)
    assert row["largest_area_um2"] == pytest.approx(0.04)
    assert row["equivalent_diameter_um"] == pytest.approx((6 * 0.03 / np.pi) ** (1 / 3))
    assert row[["first_plane", "last_plane", "min_y_px", "max_y_px", "min_x_px", "max_x_px"]].tolist() == \
        [2, 4, 10, 11, 20, 23]


def test_probabilities_are_those_of_the_spine_map() -> None:
    labels = volume()
    labels[1, 1, 1:4] = 1
    spine = np.full(SHAPE, 0.1, np.float32)
    spine[1, 1, 1:4] = (0.3, 0.9, 0.6)
    prediction = label_prediction(np.zeros(SHAPE, np.float32), spine, like(), {})
    row = measure(RoiSet(label_like(labels, like())), prediction).spines.iloc[0]
    assert (row["max_probability"], row["mean_probability"]) == pytest.approx((0.9, 0.6))


@pytest.mark.parametrize(("place", "expected"), [
    ((slice(3, 4), slice(25, 27), slice(50, 52)), 0.0),  # inside
    ((slice(3, 4), slice(30, 33), slice(50, 52)), 0.0),  # beside
    ((slice(5, 6), slice(30, 33), slice(50, 52)), 0.0),  # corner to corner
    ((slice(3, 4), slice(35, 38), slice(50, 52)), 0.5),  # five pixels between
    ((slice(7, 8), slice(25, 27), slice(50, 52)), 1.0),  # two planes between
    ((slice(7, 8), slice(40, 42), slice(50, 52)), np.sqrt(2.0)),  # two planes and ten pixels between
])
def test_the_distance_is_the_gap_between_surfaces_in_micrometres(place: tuple[slice, ...], expected: float) -> None:
    labels = volume()
    labels[place] = 1
    assert measured(labels, shaft()).spines["distance_to_dendrite_um"].iloc[0] == pytest.approx(expected)


def test_the_nearest_dendrite_and_the_place_along_it_are_given() -> None:
    dendrite = shaft()
    dendrite[3:5, 50:58, 10:190] = True
    labels = volume()
    labels[3, 31:33, 60:62] = 1
    labels[3, 47:49, 100:102] = 2
    labels[3, 31:33, 160:162] = 3
    result = measured(labels, dendrite)
    assert result.spines["dendrite_id"].tolist() == [1, 2, 1]
    along = result.spines["position_along_dendrite_um"]
    assert abs(along[2] - along[0]) == pytest.approx(10, abs=0.3)
    assert result.dendrites["spines"].tolist() == [2, 1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_the_distance_is_the_smallest_over_all_pairs_of_voxels(seed: int) -> None:
    generator = np.random.default_rng(seed)
    shape = (6, 14, 16)
    dendrite, labels = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for target, name in ((dendrite, 1), (dendrite, 2), (labels, 1), (labels, 2)):
        z, y, x = (generator.integers(0, n - 1) for n in shape)
        target[z:z + 2, y:y + 2, x:x + generator.integers(1, 5)] = name
    grid = like(shape)
    runs = Runs.of_mask(dendrite > 0)
    z, y = runs.planes_and_rows
    dendrites = Dendrites(runs.labelled(dendrite[z, y, runs.begins]), np.zeros(0),
                          centre_lines=(None, None), voxel_um=VOXEL, origin_um=(0, 0, 0))  # type: ignore[arg-type]
    ids, distances = nearest_dendrite(roi_voxels(RoiSet(label_like(labels, grid))), dendrites)
    for roi, identity, distance in zip(np.unique(labels[labels > 0]), ids, distances, strict=True):
        steps = np.abs(np.argwhere(labels == roi)[:, None] - np.argwhere(dendrite > 0)[None])
        gaps = np.linalg.norm(np.maximum(steps - 1, 0) * VOXEL, axis=2)
        gaps[(steps == 0).all(axis=2)] = 0
        assert distance == pytest.approx(gaps.min())
        assert identity in dendrite[dendrite > 0][np.isclose(gaps.min(axis=0), gaps.min())]


def test_without_dendrite_the_distance_is_not_a_number() -> None:
    labels = volume()
    labels[1, 1, 1] = 1
    row = measured(labels).spines.iloc[0]
    assert row["dendrite_id"] == 0
    assert np.isnan(row["distance_to_dendrite_um"])
    assert np.isnan(row["position_along_dendrite_um"])


def test_the_background_is_the_median_around_the_roi_without_other_rois_and_dendrites() -> None:
    labels = volume()
    labels[3, 31:35, 50:54] = 1
    labels[3, 31:35, 56:60] = 2
    stack = np.full(SHAPE, 10, np.uint16)
    stack[shaft()] = 1000
    stack[labels == 1] = 110
    stack[labels == 2] = 500
    row = measured(labels, shaft(), stack, background_um=0.5).spines.iloc[0]
    assert (row["mean_intensity"], row["background_intensity"]) == (110, 10)
    assert row["integrated_intensity"] == pytest.approx(16 * 100)


def test_the_background_ring_has_the_width_in_micrometres() -> None:
    labels = volume()
    labels[3, 30, 50] = 1
    stack = np.zeros(SHAPE, np.float32)
    stack[3, 27:34, 47:54] = 8
    assert measured(labels, None, stack, background_um=0.3).spines["background_intensity"].iloc[0] == 8
    assert measured(labels, None, stack, background_um=1.0).spines["background_intensity"].iloc[0] == 0


def test_a_roi_without_surroundings_has_no_background() -> None:
    labels = np.ones((1, 5, 5), np.int32)
    row = measured(labels, None, np.ones((1, 5, 5), np.uint8)).spines.iloc[0]
    assert row["mean_intensity"] == 1
    assert np.isnan(row["background_intensity"])
    assert np.isnan(row["integrated_intensity"])


def test_a_lazy_stack_gives_the_same_intensities() -> None:
    labels = volume()
    labels[2:4, 31:35, 50:54] = 1
    stack = np.random.default_rng(1).integers(0, 255, SHAPE, dtype=np.uint8)
    eager = measured(labels, shaft(), stack).spines
    grid = like()
    prediction = label_prediction(shaft().astype(np.float32), (labels > 0).astype(np.float32), grid, {})
    lazy = label_stack(stack, xy_um=0.1, z_um=0.5).chunk({"z": 1})
    again = measure(RoiSet(label_like(labels, grid)), prediction.chunk({"z": 1}), lazy).spines
    np.testing.assert_array_equal(eager[list(INTENSITY_COLUMNS)], again[list(INTENSITY_COLUMNS)])


def test_no_rois_give_an_empty_table_with_the_same_columns_and_types() -> None:
    table = measured(volume(), shaft(), volume()).spines
    assert len(table) == 0
    assert table.dtypes.astype(str).to_dict() == kinds(spine_columns(MeasureParameters(), with_image=True))


def test_two_dimensional_rois_have_one_plane_each() -> None:
    labels = volume()
    labels[2, 31:35, 50:54] = 1
    labels[3, 31:35, 50:54] = 2
    table = measured(labels, shaft(), dimensions=2).spines
    assert table["planes"].tolist() == [1, 1]
    assert table["z_px"].tolist() == [2, 3]


def test_a_single_plane_is_measured() -> None:
    labels = np.zeros((1, 60, 200), np.int32)
    labels[0, 31:35, 50:54] = 1
    dendrite = np.zeros((1, 60, 200), bool)
    dendrite[0, 20:29, 10:190] = True
    result = measured(labels, dendrite)
    assert result.spines["distance_to_dendrite_um"].iloc[0] == pytest.approx(0.2)
    assert result.dendrites["length_um"].iloc[0] == pytest.approx(18, rel=0.06)


def test_shapes_that_differ_are_an_error() -> None:
    prediction = label_prediction(np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32), like(), {})
    small = like((8, 60, 199))
    with pytest.raises(StackError, match=r"\(8, 60, 199\).*\(8, 60, 200\)"):
        measure(RoiSet(label_like(np.zeros((8, 60, 199), np.int32), small)), prediction)


def test_measuring_can_be_cancelled() -> None:
    def stop(done: int, total: int, message: str, /) -> None:
        raise Cancelled(message)

    prediction = label_prediction(shaft().astype(np.float32), np.zeros(SHAPE, np.float32), like(), {})
    with pytest.raises(Cancelled):
        find_dendrites(prediction["dendrite"], MeasureParameters(), stop)
