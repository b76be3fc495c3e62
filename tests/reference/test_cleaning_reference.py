"""Cleaned maps agree with those of the original wherever the original is right."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.cleaning import clean_dendrite, clean_spines_by_iterations, close_dendrite


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "reference" / "roi"


@pytest.fixture(scope="module")
def maps(folder):
    with np.load(folder / "maps.npz", allow_pickle=False) as arrays:
        return arrays["dendrite"], arrays["spine"]


@pytest.fixture(scope="module")
def cleaned(folder):
    with np.load(folder / "cleaning.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_one_closing_is_the_originals(maps, cleaned):
    np.testing.assert_array_equal(close_dendrite(maps[0], 1), cleaned["closing_1"])


def test_cleaning_plane_by_plane_is_the_originals(maps, cleaned):
    np.testing.assert_array_equal(clean_dendrite(maps[0], 0.7, 100, dimensions=2),
                                  cleaned["cleanDendrite_thr07_min100"])


def test_cleaning_in_3d_is_the_originals(maps, cleaned):
    np.testing.assert_array_equal(clean_dendrite(maps[0], 0.8, 100), cleaned["cleanDendrite3D_thr08_min100"])


def test_the_last_component_is_removed_too_if_it_is_small(maps, cleaned):
    differs = clean_dendrite(maps[0], 0.7, 100) != cleaned["cleanDendrite3D_thr07_min100"]
    np.testing.assert_array_equal(differs, cleaned["cleanDendrite3D_thr07_min100_differs_because_of_bug10"])


def test_spine_cleaning_by_iterations_is_the_originals(maps, cleaned):
    dendrite, spine = maps
    np.testing.assert_array_equal(
        clean_spines_by_iterations(spine, dendrite, dendrite_threshold=0.7, iterations=12),
        cleaned["cleanSpines_thr07_dil12"])
