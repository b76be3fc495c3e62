"""The one order of values: typed, kept by the live test, of the preset, recommended by the model, default."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepd3_ij.cleaning import clean
from deepd3_ij.errors import ModelError, ParameterError
from deepd3_ij.parameters import (
    CleaningParameters,
    PredictionParameters,
    Roi3DParameters,
    describe,
    recommended_of,
    resolve,
)
from deepd3_ij.rois import build_rois_3d
from deepd3_ij.stack import label_prediction, label_stack, provenance_of

VOXEL_UM = (0.5, 0.1, 0.1)
CARD = {"Roi3DParameters": {"mode": "connected", "area_threshold": 0.3}, "min_volume_um3": 0.1, "max_volume_um3": 10.0}
NUMBERS = [info for info in describe(Roi3DParameters) if info.type is float]


def values() -> st.SearchStrategy[dict[str, float]]:
    """Some of the thresholds of a step, each with a value that is accepted."""
    return st.fixed_dictionaries({}, optional={
        info.name: st.floats(info.low or 0, min(info.high or 1, 1000)) for info in NUMBERS})


@given(values(), values(), values())
def test_each_value_is_of_the_first_that_states_it_and_its_origin_says_so(
    typed: dict[str, float], kept: dict[str, float], recommended: dict[str, float]
) -> None:
    found = resolve(Roi3DParameters, typed, kept=kept, recommended={"Roi3DParameters": recommended})
    defaults = Roi3DParameters().to_dict()
    for info in describe(Roi3DParameters):
        stated = [(origin, table[info.name]) for origin, table in
                  (("typed", typed), ("kept", kept), ("recommended", recommended), ("default", defaults))
                  if info.name in table]
        assert (found.origins[info.name], getattr(found.parameters, info.name)) == stated[0]


def test_a_typed_value_that_equals_the_default_counts_as_typed() -> None:
    default = Roi3DParameters().area_threshold
    found = resolve(Roi3DParameters, {"area_threshold": default}, recommended=CARD, voxel_size_um=VOXEL_UM)
    assert (found.parameters.area_threshold, found.origins["area_threshold"]) == (default, "typed")


def test_a_preset_beats_the_model_and_what_is_given_beats_the_preset() -> None:
    card = {"Roi3DParameters": {"split_prominence": 1.0, "area_threshold": 0.3}, "min_volume_um3": 0.5}
    plain = resolve(Roi3DParameters, {"preset": "balanced"}, recommended=card, voxel_size_um=VOXEL_UM)
    found = resolve(Roi3DParameters, {"preset": "sensitive"}, recommended=card, voxel_size_um=VOXEL_UM)
    assert (plain.parameters.min_voxels, plain.origins["min_voxels"]) == (100, "recommended")
    assert (found.parameters.preset, found.origins["preset"]) == ("sensitive", "typed")
    assert (found.parameters.min_voxels, found.origins["min_voxels"]) == (80, "preset")
    assert (found.parameters.split_prominence, found.origins["split_prominence"]) == (4.0, "preset")
    assert found.origins["area_threshold"] == "recommended"
    given = resolve(Roi3DParameters, {"preset": "sensitive", "min_voxels": 7}, kept={"split_prominence": 0.0})
    assert (given.parameters.min_voxels, given.parameters.split_prominence) == (7, 0.0)
    assert (given.origins["min_voxels"], given.origins["split_prominence"]) == ("typed", "kept")
    with pytest.raises(ParameterError, match="preset is 'wild'; accepted: balanced, sensitive"):
        resolve(Roi3DParameters, {"preset": "wild"})


def test_the_preset_of_an_instance_sets_what_the_instance_leaves_at_the_default() -> None:
    found = resolve(Roi3DParameters, Roi3DParameters(preset="sensitive", min_voxels=31), recommended=CARD)
    assert (found.parameters.min_voxels, found.parameters.split_prominence) == (31, 4.0)
    assert (found.origins["min_voxels"], found.origins["split_prominence"]) == ("typed", "preset")


def test_an_instance_is_typed_as_a_whole_and_what_is_resolved_stays() -> None:
    mine = Roi3DParameters(min_peak=0.5)
    found = resolve(Roi3DParameters, mine, recommended=CARD)
    assert found.parameters is mine
    assert set(found.origins.values()) == {"typed"}
    assert resolve(Roi3DParameters, found, recommended=CARD) is found


def test_recommended_volumes_become_voxels_of_the_stack_at_hand() -> None:
    coarse = resolve(Roi3DParameters, recommended=CARD, voxel_size_um=(1.0, 0.2, 0.2)).parameters
    assert (coarse.min_voxels, coarse.max_voxels) == (2, 250)
    typed = resolve(Roi3DParameters, {"min_voxels": 7}, recommended=CARD, voxel_size_um=(1.0, 0.2, 0.2)).parameters
    assert (typed.min_voxels, typed.max_voxels) == (7, 250)
    assert resolve(Roi3DParameters, recommended=CARD, voxel_size_um=(10.0, 1.0, 1.0)).parameters.min_voxels == 1


def test_recommendations_for_one_step_do_not_touch_another() -> None:
    assert resolve(CleaningParameters, recommended=CARD).parameters == CleaningParameters()
    assert set(resolve(CleaningParameters, recommended=CARD).origins.values()) == {"default"}


def test_an_unknown_typed_name_is_refused_and_one_of_card_or_live_test_passed_over() -> None:
    later = {"invented_later": 1}
    assert resolve(Roi3DParameters, kept=later, recommended={"Roi3DParameters": later}).parameters == Roi3DParameters()
    with pytest.raises(ParameterError, match="tilling"):
        resolve(PredictionParameters, {"tilling": "plane"})


@pytest.mark.parametrize("typed", [3, "connected", CleaningParameters()])
def test_something_that_is_no_choice_is_refused(typed: Any) -> None:
    with pytest.raises(ParameterError, match="accepted: Roi3DParameters"):
        resolve(Roi3DParameters, typed)


@pytest.mark.parametrize("stated", [5, {"Roi3DParameters": 3}, {"min_volume_um3": "small"}])
def test_a_provenance_that_recommends_nonsense_is_refused(stated: Any) -> None:
    with pytest.raises(ModelError, match="recommend"):
        recommended_of({"model": {"recommended": stated}})


def test_every_step_follows_the_recommendations_in_the_provenance_and_states_the_origins() -> None:
    spine = np.zeros((3, 20, 20), np.float32)
    spine[1, 5:10, 5:10] = 0.35
    stack = label_stack(spine, xy_um=0.1, z_um=0.5)
    recommended = {**CARD, "CleaningParameters": {"clean_spines": False, "closing": False}}
    prediction = label_prediction(np.zeros_like(spine), spine, stack, {"model": {"recommended": recommended}})
    cleaned = clean(prediction)
    assert cleaned["spine"].values.max() == np.float32(0.35)
    assert provenance_of(cleaned)["origins"]["CleaningParameters"]["closing"] == "recommended"
    rois = build_rois_3d(cleaned, {"max_voxels": 30})
    assert len(rois) == 1
    assert rois.provenance["Roi3DParameters"]["area_threshold"] == 0.3
    assert rois.provenance["origins"]["Roi3DParameters"] | {} == {
        **dict.fromkeys((info.name for info in describe(Roi3DParameters)), "default"), "mode": "recommended",
        "area_threshold": "recommended", "min_voxels": "recommended", "max_voxels": "typed"}
    assert len(build_rois_3d(cleaned, {"max_voxels": 24})) == 0
    assert len(build_rois_3d(cleaned, Roi3DParameters())) == 0  # all of it typed: flood fill from peaks above 0.8
