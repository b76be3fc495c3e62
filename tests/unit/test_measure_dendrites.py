"""Dendrites: pieces, centre lines, lengths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from deepd3_ij.annotation.reconstruction import draw_tracing
from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.measurement.columns import DENDRITE_COLUMNS, kinds
from deepd3_ij.measurement.dendrites import Dendrites, dendrite_table, find_dendrites
from deepd3_ij.measurement.skeleton import _blurred, smooth_path, trace_centre_line
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.runs import Runs
from deepd3_ij.stack import label_stack
from tests.tracings import length_of

S = np.linspace(0, 1, 200)
WHOLE = (slice(None), slice(None), slice(None))


def slanted(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.column_stack([20 * S * np.cos(angle), 2 * S, 20 * S * np.sin(angle)])


# Centre lines (x, y, z in µm).
LINES = {
    "along x": np.column_stack([20 * S, 0 * S, 0 * S]),
    "across pixels": np.column_stack([20 * S * np.cos(0.39), 20 * S * np.sin(0.39), 0 * S]),
    "slightly rising": slanted(5),
    "rising": slanted(20),
    "steep": slanted(60),
    "arc": np.column_stack([5 * np.cos(4 * S), 5 * np.sin(4 * S), 0 * S]),
    "waves": np.column_stack([20 * S, 2 * np.sin(10 * S), 1.5 * np.sin(7 * S)]),
    "helix": np.column_stack([5 * np.cos(6 * S), 5 * np.sin(6 * S), 6 * S]),
}


def chain(points: np.ndarray, radius: float) -> Tracing:
    count = len(points)
    return Tracing(np.arange(count), np.full(count, 3), points, np.full(count, radius),
                   np.array([-1, *range(count - 1)]))


def tube(points: np.ndarray, radius: float, xy_um: float, z_um: float) -> tuple[float, np.ndarray]:
    """Length of the axis and volume of a tube that lies in the image with both ends."""
    tracing = chain(points - points.min(axis=0) + 2 * radius + 1, radius)
    extent = tracing.xyz.max(axis=0)[::-1] + 2 * radius + 1
    shape = tuple(int(length / size) + 1 for length, size in zip(extent, (z_um, xy_um, xy_um), strict=True))
    return length_of(tracing), draw_tracing(tracing, shape, xy_um=xy_um, z_um=z_um)


def found(mask: np.ndarray, xy_um: float = 0.1, z_um: float = 0.5, **parameters: float) -> Dendrites:
    return find_dendrites(label_stack(mask.astype(np.float32), xy_um=xy_um, z_um=z_um), MeasureParameters(**parameters))


@pytest.mark.parametrize(("xy_um", "z_um", "tolerance"), [(0.1, 0.1, 0.03), (0.1, 0.5, 0.04), (0.12, 1.0, 0.07)])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("radius", [0.3, 0.7])
def test_the_length_of_a_tube_is_that_of_its_axis(
    name: str, radius: float, xy_um: float, z_um: float, tolerance: float
) -> None:
    length, volume = tube(LINES[name], radius, xy_um, z_um)
    dendrites = found(volume, xy_um, z_um)
    assert len(dendrites) == 1
    assert dendrites.centre_lines[0].branches == 1
    assert dendrites.centre_lines[0].longest_path_um == pytest.approx(length, rel=tolerance)


def test_a_bar_of_an_even_number_of_voxels_keeps_its_length() -> None:
    volume = np.zeros((20, 20, 100), dtype=bool)
    volume[8:12, 8:12, 10:90] = True
    line = trace_centre_line(Runs.of_mask(volume), (0.1, 0.1, 0.1), 1.0)
    assert line.longest_path_um == pytest.approx(8 - 2 * 0.2, abs=0.2)


def test_a_dendrite_that_leaves_the_image_is_measured_up_to_the_border() -> None:
    tracing = chain(np.array([[-5.0, 4, 3], [30, 4, 3]]), 0.6)
    volume = draw_tracing(tracing, (13, 80, 200), xy_um=0.1, z_um=0.5)
    assert found(volume).centre_lines[0].total_um == pytest.approx(19.9, abs=0.2)


def test_a_side_branch_adds_to_the_length_but_not_to_the_longest_path() -> None:
    nodes = np.array([[2.0, 4, 3], [12, 4, 3], [22, 4, 3], [12, 12, 3]])
    tracing = Tracing(np.arange(4), np.full(4, 3), nodes, np.full(4, 0.5), np.array([-1, 0, 1, 1]))
    line = found(draw_tracing(tracing, (13, 140, 250), xy_um=0.1, z_um=0.5)).centre_lines[0]
    assert line.branches == 2
    assert line.longest_path_um == pytest.approx(20, rel=0.04)
    assert line.total_um == pytest.approx(28, rel=0.05)


def test_a_bump_is_no_branch() -> None:
    nodes = np.array([[2.0, 4, 3], [12, 4, 3], [22, 4, 3], [12, 5.5, 3]])
    tracing = Tracing(np.arange(4), np.full(4, 3), nodes, np.full(4, 0.5), np.array([-1, 0, 1, 1]))
    assert found(draw_tracing(tracing, (13, 100, 250), xy_um=0.1, z_um=0.5)).centre_lines[0].branches == 1


def test_blur_along_z_makes_no_branches() -> None:
    volume = np.zeros((21, 60, 250), dtype=bool)
    volume[7:14, 27:33, 20:230] = True  # 3.5 µm high, 0.6 µm wide
    line = found(volume).centre_lines[0]
    assert line.branches == 1
    assert line.total_um == pytest.approx(21, rel=0.08)


def test_one_plane_is_enough() -> None:
    volume = np.zeros((1, 40, 220), dtype=bool)
    volume[0, 17:23, 10:210] = True
    assert found(volume).centre_lines[0].total_um == pytest.approx(20, rel=0.05)


def test_large_volumes_are_traced_on_a_coarser_grid_with_the_same_length() -> None:
    length, volume = tube(LINES["waves"], 1.4, 0.05, 0.2)
    assert volume.sum() > 300_000
    assert found(volume, 0.05, 0.2).centre_lines[0].longest_path_um == pytest.approx(length, rel=0.05)


def test_positions_run_from_one_end_to_the_other() -> None:
    _, volume = tube(LINES["along x"], 0.5, 0.1, 0.5)
    line = found(volume).centre_lines[0]
    order = np.argsort(line.zyx_um[:, 2])
    position = line.position_um[order]
    slope = np.abs(position - line.zyx_um[order, 2])
    assert {position[0], position[-1]} == {0.0, line.longest_path_um}
    assert np.all(np.diff(position) > 0) or np.all(np.diff(position) < 0)
    assert np.ptp(slope) < 0.3 or np.all(np.diff(position) < 0)


def test_cavities_are_filled_and_dents_are_not() -> None:
    volume = np.ones((5, 7, 7), dtype=bool)
    volume[2, 3, 3] = False
    volume[0, 0, 0] = False
    filled = Runs.of_mask(volume).filled().drawn(WHOLE) > 0
    assert filled[2, 3, 3]
    assert not filled[0, 0, 0]


def test_pieces_that_are_short_or_not_above_the_threshold_are_left_out() -> None:
    maps = np.zeros((5, 60, 200), np.float32)
    maps[1:4, 5:11, 10:190] = 0.9
    maps[1:4, 25:31, 10:190] = 0.5
    maps[1:4, 45:51, 10:28] = 0.9
    dendrites = found(maps, measured_dendrite_threshold=0.5, min_dendrite_um=3)
    assert len(dendrites) == 1
    labels = dendrites.labels_in(WHOLE)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(np.unique(labels[:, 20:]), [0])
    assert (labels == 1).sum() == 3 * 6 * 180


def test_the_table_has_volume_density_and_bounding_box() -> None:
    maps = np.zeros((5, 60, 200), np.float32)
    maps[1:4, 5:11, 10:190] = 0.8
    stack = label_stack(maps, xy_um=0.1, z_um=0.5)
    dendrites = find_dendrites(stack, MeasureParameters())
    row = dendrite_table(dendrites, np.array([1, 1, 0, 1])).iloc[0]
    assert row["voxels"] == 3 * 6 * 180
    assert row["volume_um3"] == pytest.approx(3 * 6 * 180 * 0.005)
    assert row["spines"] == 3
    assert row["density_per_um"] == pytest.approx(3 / row["length_um"])
    assert row["mean_probability"] == pytest.approx(0.8)
    assert (row["z_um"], row["y_um"], row["x_um"]) == pytest.approx((1.0, 0.75, 9.95))
    box = row[["first_plane", "last_plane", "min_y_px", "max_y_px", "min_x_px", "max_x_px"]].tolist()
    assert box == [1, 3, 5, 10, 10, 189]


def test_no_dendrite_gives_an_empty_table_with_all_columns_and_types() -> None:
    stack = label_stack(np.zeros((3, 9, 9), np.float32), xy_um=0.1, z_um=0.5)
    table = dendrite_table(find_dendrites(stack, MeasureParameters()), np.zeros(0, np.int64))
    assert len(table) == 0
    assert table.dtypes.astype(str).to_dict() == kinds(DENDRITE_COLUMNS)


@pytest.mark.parametrize("size", [(1000.0, 1e-4), (1e-4, 1000.0), (1000.0, 1000.0)])
def test_absurd_voxel_sizes_do_not_make_measuring_endless(size: tuple[float, float]) -> None:
    points = np.stack([np.zeros(90), np.arange(90.0), np.arange(90.0) % 2], axis=1) * (size[0], size[1], size[1])
    wide = max(size[0], 5 * size[1])
    smoothed = smooth_path(points, np.array([wide, 5 * size[1], 5 * size[1]]))
    np.testing.assert_allclose(smoothed[[0, -1]], points[[0, -1]], atol=1e-6 * np.abs(points).max())


def test_wide_smoothing_is_the_same_by_fourier_transform() -> None:
    values = np.random.default_rng(0).random(3000).cumsum()
    direct = gaussian_filter1d(values, 450.0, mode="nearest")
    np.testing.assert_allclose(_blurred(values, 450.0), direct, rtol=1e-6)


def test_every_arm_of_a_crossing_has_a_centre_line_however_deep_the_crossing_is() -> None:
    """Where dendrites cross one above the other, the mask is deep; its depth says nothing about branches beside it."""
    mask = np.zeros((21, 120, 120), dtype=bool)
    y, x = np.mgrid[:120, :120]
    mask[2:11] |= abs(y - 60) <= 5
    mask[10:19] |= abs(x - 60) <= 5
    stack = label_stack(mask.astype(np.float32), xy_um=0.1, z_um=0.5)
    line = find_dendrites(stack, MeasureParameters()).centre_lines[0]
    for place in ((60, 5), (60, 114), (5, 60), (114, 60)):
        assert np.hypot(*(line.zyx_um[:, 1:] / 0.1 - place).T).min() < 5
    assert line.branches >= 3


def test_a_centre_line_runs_at_half_height_of_a_volume_that_is_deeper_than_wide() -> None:
    mask = np.zeros((21, 30, 200), dtype=bool)
    mask[4:13, 10:20, :] = True
    mask[13:15, 12:18, 60:90] = True
    stack = label_stack(mask.astype(np.float32), xy_um=0.1, z_um=0.5)
    line = find_dendrites(stack, MeasureParameters()).centre_lines[0]
    beside = (line.zyx_um[:, 2] < 4) | (line.zyx_um[:, 2] > 12)
    np.testing.assert_allclose(line.zyx_um[beside, 0], 4.0, atol=0.05)
