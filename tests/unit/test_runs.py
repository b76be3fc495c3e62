"""Runs of voxels, and the graph of their neighbours, agree with volumes of all voxels."""

from __future__ import annotations

import cc3d
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from scipy.sparse import csgraph
from skimage.graph import pixel_graph

from deepd3_ij.measurement.voxel_graph import VoxelGraph
from deepd3_ij.runs import Runs, runs_above

WHOLE = (slice(None), slice(None), slice(None))
VOXEL = np.array([0.5, 0.1, 0.12])
SEEDS = st.integers(0, 2**31)


def random_mask(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    shape = tuple(generator.integers(1, 12, 3))
    return generator.random(shape) < generator.uniform(0.05, 0.9)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_drawn_runs_are_the_mask(seed: int) -> None:
    mask = random_mask(seed)
    runs = Runs.of_mask(mask)
    np.testing.assert_array_equal(runs.drawn(WHOLE), mask.astype(np.int32))
    box = (slice(0, 2), slice(1, 5), slice(2, 9))
    np.testing.assert_array_equal(runs.drawn(box), mask[box].astype(np.int32))
    assert runs.lengths.sum() == mask.sum()


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_pieces_are_numbered_as_connected_components_in_raster_order(seed: int) -> None:
    mask = random_mask(seed)
    runs = Runs.of_mask(mask)
    pieces, count = runs.connected()
    expected, expected_count = cc3d.connected_components(mask, connectivity=26, return_N=True)
    assert count == expected_count
    drawn = runs.labelled(pieces).drawn(WHOLE)
    firsts = [np.flatnonzero(drawn.ravel() == number)[0] for number in range(1, count + 1)]
    assert firsts == sorted(firsts)
    assert len(np.unique(np.stack([drawn[mask], expected[mask]]), axis=1).T) == count


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_what_is_enclosed_is_filled(seed: int) -> None:
    mask = np.pad(random_mask(seed), 1)
    mask[tuple(slice(0, n // 2) for n in mask.shape)] = True
    outside = cc3d.connected_components(np.pad(~mask, 1, constant_values=True), connectivity=6)
    expected = (outside != outside[0, 0, 0])[1:-1, 1:-1, 1:-1]
    np.testing.assert_array_equal(Runs.of_mask(mask).filled().drawn(WHOLE) > 0, expected)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_halved_runs_are_set_where_any_of_four_pixels_is(seed: int) -> None:
    mask = random_mask(seed)
    even = np.pad(mask, ((0, 0), (0, mask.shape[1] % 2), (0, mask.shape[2] % 2)))
    expected = even[:, 0::2, 0::2] | even[:, 1::2, 0::2] | even[:, 0::2, 1::2] | even[:, 1::2, 1::2]
    np.testing.assert_array_equal(Runs.of_mask(mask).halved().drawn(WHOLE) > 0, expected)


def test_labels_are_found_at_places_and_dropped_with_zero() -> None:
    mask = np.zeros((2, 3, 12), dtype=bool)
    mask[0, 1, 2:5] = mask[0, 1, 8:9] = mask[1, 2, 11:] = True
    runs = Runs.of_mask(mask).labelled(np.array([3, 0, 7], dtype=np.int32))
    places = np.array([[0, 1, 1], [0, 1, 4], [0, 1, 5], [0, 1, 8], [1, 2, 11]])
    assert runs.drawn(WHOLE)[tuple(places.T)].tolist() == [0, 3, 0, 0, 7]


def test_runs_above_a_threshold_have_their_sums() -> None:
    plane = np.array([[0.5, 0.75, 0.875, 0.25], [0, 0, 0, 1]], np.float32)
    rows, begins, ends, sums = runs_above(plane, 0.5, 4)
    assert (rows.tolist(), begins.tolist(), ends.tolist(), sums.tolist()) == ([8, 9], [1, 3], [3, 4], [1.625, 1.0])


def test_the_threshold_has_the_precision_of_the_map() -> None:
    plane = np.full((1, 3), 0.1, np.float32)  # more than 0.1 in double precision
    assert len(runs_above(plane, 0.1, 0)[0]) == 0


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_depths_are_distances_to_the_nearest_voxel_outside(seed: int) -> None:
    mask = random_mask(seed)
    graph = VoxelGraph.of(Runs.of_mask(mask), VOXEL)
    expected = distance_transform_edt(np.pad(mask, 1), sampling=VOXEL)[1:-1, 1:-1, 1:-1]
    np.testing.assert_allclose(graph.depths_um(), expected[mask], rtol=1e-9)
    np.testing.assert_array_equal(graph.zyx, np.argwhere(mask))


@pytest.mark.parametrize("weighted", [False, True])
@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_paths_are_as_short_as_by_an_independent_implementation(weighted: bool, seed: int) -> None:
    mask = random_mask(seed)
    mask.flat[0] = mask.flat[-1] = True
    graph = VoxelGraph.of(Runs.of_mask(mask), VOXEL)
    if len(graph) < 2:
        return
    weights = np.random.default_rng(seed).random(len(graph)) if weighted else None
    cost, before = graph.shortest_paths(0, weights)
    edges = pixel_graph(mask, connectivity=3, spacing=VOXEL)[0].tocoo()
    if weights is not None:
        edges.data = edges.data * (weights[edges.row] + weights[edges.col])
    np.testing.assert_allclose(cost, csgraph.dijkstra(edges.tocsr(), indices=0), rtol=1e-9)
    reached = np.flatnonzero(np.isfinite(cost) & (cost > 0))
    assert (np.abs(graph.zyx[before[reached]] - graph.zyx[reached]).max(axis=1) == 1).all()
    assert (cost[before[reached]] < cost[reached]).all()
