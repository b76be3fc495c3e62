"""Densities with their intervals, and spacing along trees against chance."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.measurement.skeleton import CentreLine
from deepd3_ij.measurement.spacing import Tree, density_interval, places_on, spacing


def y_shaped() -> CentreLine:
    """A trunk of 20 µm along x with a branch of 10 µm along y from its middle."""
    trunk = np.column_stack([np.zeros(201), np.zeros(201), np.linspace(0, 20, 201)])
    branch = np.column_stack([np.zeros(101), np.linspace(0, 10, 101), np.full(101, 10.0)])
    return CentreLine(np.concatenate([trunk, branch]), np.concatenate([trunk[:, 2], 10 + branch[:, 1]]),
                      np.full(302, 0.4), 20.0, 30.0, 2)


def straight(length_um: float = 100.0) -> Tree:
    return Tree(np.array([0.0]), np.array([length_um]), np.array([[np.nan]]))


def test_the_interval_is_that_of_a_poisson_count() -> None:
    low, high = density_interval(np.array([0, 10]), np.array([10.0, 10.0]))
    assert low == pytest.approx([0.0, 0.4795], abs=1e-4)
    assert high == pytest.approx([0.3689, 1.8390], abs=1e-4)


def test_distances_run_along_the_tree() -> None:
    tree = Tree.of(y_shaped())
    assert tree.length_um == pytest.approx(30)
    places = np.array([[0, 0, 5], [0, 0, 18], [0, 4, 10], [0, 7, 10]], float)
    branch, position = places_on(y_shaped(), places)
    assert branch.tolist() == [0, 0, 1, 1]
    expected = [[0, 13, 9, 12], [13, 0, 12, 15], [9, 12, 0, 3], [12, 15, 3, 0]]
    np.testing.assert_allclose(tree.distances(branch, position), expected, atol=0.11)


def test_even_spacing_has_no_variation_and_differs_from_chance() -> None:
    position = np.arange(50) * 2.0 + 1
    found = spacing(straight(), np.zeros(50, np.int64), position)
    assert found["gap_cv"] == pytest.approx(0, abs=1e-9)
    assert found["nearest_gap_ratio"] == pytest.approx(2.0)
    assert found["spacing_p"] <= 0.01


def test_clusters_have_more_near_neighbours_than_chance() -> None:
    generator = np.random.default_rng(3)
    position = np.sort((np.repeat(np.arange(8) * 12.0 + 5, 6) + generator.normal(0, 0.8, 48)).clip(0, 100))
    found = spacing(straight(), np.zeros(48, np.int64), position)
    assert found["k_ratio"] > 1.5
    assert found["nearest_gap_ratio"] < 1
    assert found["spacing_p"] <= 0.01


def test_random_places_are_seldom_told_from_chance() -> None:
    generator = np.random.default_rng(0)
    tree = straight(60.0)
    share = [spacing(tree, np.zeros(30, np.int64), generator.random(30) * 60, seed=i)["spacing_p"] for i in range(60)]
    assert 0.35 < np.mean(share) < 0.65
    assert np.mean(np.array(share) <= 0.1) < 0.25


def test_a_hard_core_alone_is_not_taken_for_regularity() -> None:
    generator = np.random.default_rng(1)
    shares = []
    for seed in range(40):
        position: list[float] = []
        while len(position) < 40:
            place = generator.random() * 60
            if all(abs(place - other) >= 0.5 for other in position):
                position.append(place)
        shares.append(spacing(straight(60.0), np.zeros(40, np.int64), np.array(position), seed=seed)["spacing_p"])
    assert np.mean(np.array(shares) <= 0.1) < 0.25


def test_few_spines_have_no_spacing() -> None:
    found = spacing(straight(), np.zeros(4, np.int64), np.arange(4.0))
    assert all(np.isnan(value) for value in found.values())
