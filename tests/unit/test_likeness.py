"""Is a stack like those that a model was trained on?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from deepd3_ij import label_stack, load_model, predict
from deepd3_ij.errors import ModelError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.model.card import ModelCard
from deepd3_ij.notes import collected_notes
from deepd3_ij.segmentation.likeness import MEASURES, measure_quality, ranges_of, unlike

ORDINARY = (0, 1, 3, 4, 5)


def real(shared: Path, session: int) -> xr.DataArray:
    return open_stack(shared / "data" / "real" / f"rr30a_tp{session}_x000-340.tif", xy_um=0.12, z_um=1.0)


@pytest.fixture(scope="module")
def measured(shared: Path) -> dict[int, dict[str, float]]:
    return {session: measure_quality(real(shared, session)) for session in range(6)}


def changed(stack: xr.DataArray, planes: np.ndarray, **size: float) -> xr.DataArray:
    return label_stack(planes.astype(stack.dtype), **{"xy_um": 0.12, "z_um": 1.0, **size})


def told(stack: xr.DataArray, ranges: dict[str, list[float]]) -> list[str]:
    return [name for name in MEASURES for text in unlike(measure_quality(stack), ranges)
            if text.startswith(MEASURES[name].words)]


def test_ordinary_stacks_are_like_the_others_and_the_one_that_moved_is_not(measured) -> None:
    for session, quality in measured.items():
        texts = unlike(quality, ranges_of(measured[other] for other in ORDINARY if other != session))
        if session in ORDINARY:
            assert texts == []
        else:
            assert len(texts) == 1
            assert "lines that are shifted" in texts[0]
            assert "review" in texts[0]


def test_what_was_spoiled_is_told_and_nothing_else(shared: Path, measured) -> None:
    ranges = ranges_of(measured[session] for session in ORDINARY)
    stack = real(shared, 4)[30:50]
    planes = stack.values.astype(np.float32)
    generator = np.random.default_rng(1)
    assert told(stack, ranges) == []
    dim = np.clip(generator.poisson(planes / 60) * 60 + generator.normal(0, 6, planes.shape), 0, 255)
    assert told(changed(stack, dim), ranges) == ["signal_to_noise"]
    assert told(changed(stack, np.minimum(planes * 4, 255)), ranges) == ["saturated_fraction"]
    by = generator.integers(-3, 4, planes.shape[:2])
    columns = (np.arange(planes.shape[2]) + by[..., np.newaxis]) % planes.shape[2]
    assert told(changed(stack, np.take_along_axis(planes, columns, 2)), ranges) == ["moved_lines"]
    shifted = np.stack([np.roll(plane, 8 * (z % 2), 0) for z, plane in enumerate(planes)])
    assert told(changed(stack, shifted), ranges) == ["plane_shift_um"]
    assert told(changed(stack, planes, z_um=3.0), ranges) == ["z_um"]


def test_prediction_tells_it_once_and_a_card_without_ranges_nothing() -> None:
    stack = label_stack(np.zeros((2, 32, 32), np.uint8), xy_um=0.5, z_um=1.0)
    model = load_model()
    silent = dataclasses.replace(model, card=dataclasses.replace(model.card, trained_on={}))
    with collected_notes() as notes:
        predict(stack, silent)
    assert notes == []
    narrow = dataclasses.replace(model, card=dataclasses.replace(model.card, trained_on={"xy_um": [0.1, 0.2]}))
    with collected_notes() as notes:
        predict(stack, narrow)
    assert len(notes) == 1
    assert "pixel size is 0.5 µm, in the model's training stacks 0.1 to 0.2 µm; check the voxel size" in notes[0]


def test_the_shipped_model_knows_its_ranges_and_the_ordinary_stacks(measured) -> None:
    ranges = load_model().card.trained_on
    assert set(ranges) == set(MEASURES)
    assert [session for session, quality in measured.items() if unlike(quality, ranges)] == [2]


@pytest.mark.parametrize("shape", [(1, 100, 100), (3, 40, 100)])
def test_little_stacks_are_judged_by_their_voxels_alone(shape: tuple[int, int, int]) -> None:
    quality = measure_quality(label_stack(np.ones(shape, np.uint16), xy_um=0.1, z_um=0.5))
    assert {name for name, value in quality.items() if np.isfinite(value)} == {"xy_um", "z_um"}


def test_an_empty_stack_has_no_signal_to_judge() -> None:
    quality = measure_quality(label_stack(np.zeros((5, 100, 100), np.float32), xy_um=0.1, z_um=0.5))
    assert {name for name, value in quality.items() if np.isfinite(value)} == {"xy_um", "z_um"}


def test_ranges_that_are_none_are_refused() -> None:
    with pytest.raises(ModelError, match="trained_on has"):
        ModelCard(trained_on={"xy_um": [0.2, 0.1]})
