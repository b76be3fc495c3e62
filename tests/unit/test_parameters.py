from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij import parameters as module
from deepd3_ij.errors import ParameterError
from deepd3_ij.parameters import (
    CleaningParameters,
    ParameterInfo,
    Parameters,
    PredictionParameters,
    Roi3DParameters,
    describe,
    from_values,
)

CLASSES = [cls for _, cls in inspect.getmembers(module, inspect.isclass)
           if issubclass(cls, Parameters) and cls is not Parameters]
NUMBERS = [(cls, info) for cls in CLASSES for info in describe(cls) if info.type in (int, float)]
RANGED = [(cls, info) for cls, info in NUMBERS if info.low is not None and info.high is not None]
INDEPENDENT = [(cls, info) for cls, info in RANGED if cls.check is Parameters.check]


def _values_of(info: ParameterInfo) -> st.SearchStrategy[Any]:
    assert info.low is not None
    assert info.high is not None
    if info.type is int:
        return st.integers(math.ceil(info.low), math.floor(info.high))
    return st.floats(info.low, info.high)


@pytest.mark.parametrize("cls", CLASSES)
def test_defaults_are_accepted(cls: type[Parameters]) -> None:
    assert cls().to_dict() == {info.name: info.default for info in describe(cls)}


@pytest.mark.parametrize(("cls", "info"), [(cls, info) for cls in CLASSES for info in describe(cls)])
def test_every_parameter_is_explained(cls: type[Parameters], info: ParameterInfo) -> None:
    assert info.help.endswith(".")
    assert info.label
    assert info.option.startswith("--")
    assert info.type in (int, float, bool, str)


@settings(deadline=None)
@given(st.data())
def test_values_inside_the_range_are_kept(data: st.DataObject) -> None:
    cls, info = data.draw(st.sampled_from(INDEPENDENT))
    value = data.draw(_values_of(info))
    kept = getattr(from_values(cls, {info.name: value}), info.name)
    assert kept == value
    assert type(kept) is info.type


@settings(deadline=None)
@given(st.data())
def test_values_outside_are_refused_with_value_and_range(data: st.DataObject) -> None:
    cls, info = data.draw(st.sampled_from(RANGED))
    assert info.low is not None
    assert info.high is not None
    distance = data.draw(st.integers(1, 10**6) if info.type is int else st.floats(1e-3, 1e6))
    value = data.draw(st.sampled_from([info.low - distance, info.high + distance]))
    value = int(value) if info.type is int else value
    with pytest.raises(ParameterError) as error:
        from_values(cls, {info.name: value})
    assert str(error.value).startswith(f"{info.name} is {value!r}; accepted: ")
    assert f"from {info.low:g} to {info.high:g}" in str(error.value)


@settings(deadline=None)
@given(st.sampled_from(NUMBERS), st.sampled_from([math.nan, math.inf, -math.inf, "1", True, [1], {}, b"1"]))
def test_what_is_no_number_is_refused(parameter: tuple[type[Parameters], ParameterInfo], value: object) -> None:
    cls, info = parameter
    with pytest.raises(ParameterError, match=f"{info.name} is"):
        from_values(cls, {info.name: value})


@settings(deadline=None)
@given(st.sampled_from([(cls, info) for cls, info in NUMBERS if info.type is int]), st.floats(1, 15))
def test_fractions_are_no_whole_numbers(parameter: tuple[type[Parameters], ParameterInfo], value: float) -> None:
    cls, info = parameter
    if not value.is_integer():
        with pytest.raises(ParameterError, match="a whole number"):
            from_values(cls, {info.name: value})


@settings(deadline=None)
@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_smallest_and_largest_size_must_be_in_order(low: int, high: int) -> None:
    if low <= high:
        assert Roi3DParameters(min_voxels=low, max_voxels=high).min_voxels == low
    else:
        with pytest.raises(ParameterError, match=rf"min_voxels is {low}; accepted: at most max_voxels \({high}\)"):
            Roi3DParameters(min_voxels=low, max_voxels=high)


@settings(deadline=None)
@given(st.integers(16, 4096), st.integers(2, 4096))
def test_inset_tiles_leave_the_same_margin_on_both_sides(tile: int, inset: int) -> None:
    fits = tile % 16 == 0 and inset <= tile and (tile - inset) % 2 == 0
    if fits:
        assert PredictionParameters(tiling="inset", tile_px=tile, inset_px=inset).inset_px == inset
    else:
        with pytest.raises(ParameterError):
            PredictionParameters(tiling="inset", tile_px=tile, inset_px=inset)


def test_choices_name_what_is_accepted() -> None:
    with pytest.raises(ParameterError, match="mode is 'round'; accepted: floodfill, connected"):
        Roi3DParameters(mode="round")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="Unknown parameter 'treshold' for Roi3DParameters; known: preset, mode"):
        from_values(Roi3DParameters, {"treshold": 1})


def test_optional_parameters_may_be_left_open() -> None:
    assert CleaningParameters(spine_iterations=None).spine_iterations is None
    with pytest.raises(ParameterError, match="closing_iterations is None"):
        from_values(CleaningParameters, {"closing_iterations": None})
