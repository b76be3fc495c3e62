"""Confidence of ROIs: a probability from what is measured, the order of doubt, and colours."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepd3_ij.colours import CONFIDENCE, CONFIDENCE_UNKNOWN, confidence_colour
from deepd3_ij.errors import ModelError
from deepd3_ij.measurement import measure
from deepd3_ij.measurement.confidence import FEATURES, ConfidenceModel, Term, confidences, doubtful_first
from deepd3_ij.model.card import read_card
from deepd3_ij.model.zoo import find_model
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_like, label_prediction, label_stack

MODEL = ConfidenceModel({"peak_log_odds": Term(0.5, -1.0, 3.0), "distance_to_dendrite_um": Term(-1.0, 0.0, 2.0)}, -1.0)
PROVENANCE = {"model": {"name": "a", "confidence": MODEL.to_dict()}}


def table(**columns: list[float]) -> pd.DataFrame:
    spines = {"max_probability": [0.8], "largest_area_um2": [0.5], "volume_um3": [1.0],
              "distance_to_dendrite_um": [0.5]} | columns
    count = max(map(len, spines.values()))
    return pd.DataFrame({name: values * (count // len(values)) for name, values in spines.items()})


def test_the_probability_is_that_of_the_logistic_model() -> None:
    assert MODEL(table())[0] == pytest.approx(1 / (1 + np.exp(-(-1.0 + 0.5 * np.log(4) - 0.5))))


def test_values_outside_of_what_was_seen_count_as_its_ends() -> None:
    near, far, farther = MODEL(table(distance_to_dendrite_um=[0.5, 2.0, 50.0]))
    assert near > far == farther
    high, higher = MODEL(table(max_probability=[0.99, 1.0]))
    assert high == higher < 1


def test_without_any_dendrite_nothing_is_known() -> None:
    known, unknown = MODEL(table(distance_to_dendrite_um=[2.0, np.nan]))
    assert 0 < known < 1
    assert np.isnan(unknown)


def test_a_card_gives_the_model_back() -> None:
    assert ConfidenceModel.from_dict(json.loads(json.dumps(MODEL.to_dict()))) == MODEL


@pytest.mark.parametrize("stated", [
    7, [], {"intercept": 1.0}, {"terms": {}}, {"intercept": float("nan"), "terms": {}}, {"intercept": 0, "terms": [1]},
    {"intercept": 0, "terms": {"colour": {"weight": 1, "low": 0, "high": 1}}},
    {"intercept": 0, "terms": {"peak_log_odds": {"weight": 1, "low": 1, "high": 0}}},
    {"intercept": 0, "terms": {"peak_log_odds": {"weight": "1", "low": 0, "high": 1}}},
    {"intercept": 0, "terms": {"peak_log_odds": {"weight": 1, "low": 0}}},
])
def test_what_is_no_calibration_is_named(stated: object) -> None:
    with pytest.raises(ModelError, match=r"^The model card's confidence .*Calibrate the model again\.$"):
        ConfidenceModel.from_dict(stated)


@pytest.mark.parametrize("provenance", [{}, {"model": {}}, {"model": None}, {"model": {"confidence": {}}}])
def test_without_a_calibration_nothing_is_known(provenance: dict[str, object]) -> None:
    assert np.isnan(confidences(table(), provenance)).all()


def test_a_calibration_does_not_hold_for_rois_of_single_planes() -> None:
    assert not np.isnan(confidences(table(), PROVENANCE)).any()
    assert np.isnan(confidences(table(), PROVENANCE, dimensions=2)).all()


@pytest.mark.parametrize("with_image", [False, True])
@pytest.mark.parametrize("count", [0, 1])
def test_every_table_of_spines_has_a_confidence(with_image: bool, count: int) -> None:
    stack = label_stack(np.zeros((4, 20, 60), np.uint8), xy_um=0.1, z_um=0.5)
    spine = np.full(stack.shape, 0.8, np.float32)
    dendrite = np.zeros(stack.shape, np.float32)
    dendrite[:, 10:14] = 1
    prediction = label_prediction(dendrite, spine, stack, PROVENANCE)
    labels = np.zeros(stack.shape, np.int32)
    labels[1:3, 5:8, 5:8] = count
    spines = measure(RoiSet(label_like(labels, stack)), prediction, stack if with_image else None).spines
    assert spines["confidence"].dtype == np.float64
    assert spines["confidence"].tolist() == pytest.approx(MODEL(spines).tolist())
    assert len(spines) == count
    assert not spines["confidence"].isna().any()


def test_the_bundled_model_is_calibrated_within_a_twentieth_on_stacks_that_were_left_out() -> None:
    card = read_card(find_model())
    assert set(ConfidenceModel.from_dict(card.confidence).terms) == set(FEATURES)
    assert card.scores["confidence"]["recommended"]["error"] <= 0.05
    assert card.scores["confidence"]["held_out"]["count"] > 400


def test_every_feature_is_in_a_table_without_image_and_shapes() -> None:
    for feature in FEATURES.values():
        assert feature(table()).shape == (1,)


@given(st.lists(st.floats(0, 1) | st.just(np.nan)))
def test_the_least_probable_spine_comes_first_and_the_unknown_ones_in_the_middle(values: list[float]) -> None:
    order = doubtful_first(values)
    assert sorted(order.tolist()) == list(range(len(values)))
    assert np.all(np.diff(np.nan_to_num(np.array(values), nan=0.5)[order]) >= 0)


def test_rois_that_are_alike_stay_in_their_order() -> None:
    assert doubtful_first([0.9, 0.2, np.nan, 0.2, 0.5]).tolist() == [1, 3, 2, 4, 0]


def test_colours_run_from_doubtful_to_sure() -> None:
    assert [confidence_colour(value) for value in (0.0, 0.5, 1.0)] == list(CONFIDENCE)
    assert confidence_colour(float("nan")) == CONFIDENCE_UNKNOWN
    assert confidence_colour(-1) == confidence_colour(0)
    assert confidence_colour(0.25) == (255, 142, 55)
