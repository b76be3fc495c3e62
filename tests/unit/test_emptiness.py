"""What is too dark to hold anything is not computed, and nothing else changes."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij import label_stack, load_model, predict
from deepd3_ij.errors import ModelError
from deepd3_ij.model.card import ModelCard
from deepd3_ij.segmentation import prediction as predicting
from deepd3_ij.segmentation.emptiness import brightness_nearby, darkest_found, wanted_cells


def spotted(height: int, width: int, spots: list[tuple[int, int]], planes: int = 1, dtype=np.uint16) -> np.ndarray:
    """Dark planes with bright spots of 8 × 8 pixels."""
    stack = np.random.default_rng(1).integers(0, 20, (planes, height, width)).astype(dtype)
    for y, x in spots:
        stack[:, y:y + 8, x:x + 8] = 5000
    return stack


def test_only_cells_near_bright_places_are_wanted():
    cells = wanted_cells(spotted(128, 160, [(64, 80)])[0], 0.03)
    assert cells.shape == (16, 20)
    rows, columns = np.nonzero(cells)
    # The spot takes rows 64 to 71; 16 pixels around it and what smoothing adds are 40 to 95 or one place more.
    assert (rows.min(), rows.max()) == (5, 11)
    assert (columns.min(), columns.max()) == (7, 13)
    assert cells[rows.min():rows.max() + 1, columns.min():columns.max() + 1].all()


@pytest.mark.parametrize("plane", [np.zeros((20, 20), np.uint8), np.full((9, 17), 7.5, np.float32)])
def test_a_plane_of_equal_pixels_is_empty(plane):
    assert not wanted_cells(plane, 0.03).any()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 100), st.sampled_from([np.uint8, np.uint16, np.float32]),
       st.floats(0.001, 0.9))
def test_what_was_found_is_wanted_up_to_the_darkest_of_it(height, width, seed, dtype, share):
    rng = np.random.default_rng(seed)
    plane = rng.integers(0, 255, (height, width)).astype(dtype)
    found = rng.random((height, width)) < share
    darkest = darkest_found(plane, found)
    cells = wanted_cells(plane, darkest if np.isfinite(darkest) else 0.0)
    assert cells.repeat(8, 0).repeat(8, 1)[:height, :width][found].all()


def test_brightness_does_not_depend_on_black_level_and_gain():
    plane = spotted(64, 64, [(30, 30)])[0].astype(np.float32)
    np.testing.assert_allclose(brightness_nearby(plane), brightness_nearby(plane * 3 + 100), atol=1e-5)


@pytest.fixture(scope="module")
def stack():
    return label_stack(spotted(208, 304, [(20, 20), (150, 200), (100, 290)], planes=3), xy_um=0.12, z_um=1.0)


def test_wanted_pixels_are_the_same_to_the_last_bit_and_others_0(stack):
    whole, found = (predict(stack, parameters={"skip_empty": skip, "resample": False}) for skip in (False, True))
    wanted = np.stack([wanted_cells(plane, load_model().card.empty_below).repeat(8, 0).repeat(8, 1)
                       for plane in stack.values])  # planes are alike: their average is the plane
    assert 0.05 < wanted.mean() < 0.5
    told = [json.loads(maps.attrs["provenance"]).get("skipped_share") for maps in (whole, found)]
    assert told == [None, pytest.approx(1 - wanted.mean(), abs=0.1)]
    for name in ("dendrite", "spine"):
        assert (whole[name].values > 0).all()
        near = np.where(wanted, whole[name].values, 0)
        assert np.mean(near != found[name].values) < 0.02  # noise differs between planes that are averaged
        computed = found[name].values != 0
        np.testing.assert_array_equal(found[name].values[computed], whole[name].values[computed])


@pytest.mark.parametrize("region", [(10, 10, 60, 50), (150, 100, 154, 108), (0, 0, 304, 208)])
def test_a_region_has_the_values_of_the_whole_plane(stack, region):
    x, y, width, height = region
    whole, part = predict(stack), predict(stack, region=region)
    for name in ("dendrite", "spine"):
        np.testing.assert_array_equal(part[name].values[:, y:y + height, x:x + width],
                                      whole[name].values[:, y:y + height, x:x + width])


def test_planes_in_tiles_have_the_values_of_whole_planes(stack, monkeypatch):
    whole = predict(stack)
    monkeypatch.setattr(predicting, "_GROUP_PX", 1)
    monkeypatch.setattr(predicting, "_ACTIVATION_BYTES", 1)  # tiles as small as can be
    tiled = predict(stack)
    for name in ("dendrite", "spine"):
        np.testing.assert_array_equal(whole[name].values, tiled[name].values)


@pytest.mark.parametrize("tiling", ["inset", "fourfold"])
def test_the_tilings_of_the_original_compute_all(stack, tiling):
    found = predict(stack[:1], parameters={"tiling": tiling, "resample": False})
    assert (found["dendrite"].values > 0).all()


def test_a_model_whose_card_does_not_tell_computes_all(stack):
    model = load_model()
    silent = dataclasses.replace(model, card=dataclasses.replace(model.card, empty_below=None))
    assert (predict(stack[:1], silent)["spine"].values > 0).all()


@pytest.mark.parametrize("value", ["-0.1", "1.0", '"much"', "true"])
def test_a_card_with_an_unusable_limit_is_told(value):
    text = ModelCard(name="a").to_json()
    assert '"empty_below": null' in text
    with pytest.raises(ModelError, match="empty_below"):
        ModelCard.from_json(text.replace('"empty_below": null', f'"empty_below": {value}'))
