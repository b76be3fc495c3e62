"""A training that is watched: its state, its pictures, its early end, what is left when it was interrupted."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepd3_ij import colours
from deepd3_ij.file_identity import sha256_of
from deepd3_ij.parameters import TrainingParameters
from deepd3_ij.training.example_picture import example_of, example_picture
from deepd3_ij.training.fitting import Batch, fit
from deepd3_ij.training.interrupted import find_interrupted
from deepd3_ij.training.live_training import LiveTraining, seconds_left
from deepd3_ij.training.simulated_samples import ScenePlanes


def scene(planes: int = 3, height: int = 60, width: int = 90) -> ScenePlanes:
    """Spines near the lower right corner of plane 2, one in plane 0."""
    shape = (planes, height, width)
    spine, dendrite = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
    spine[2, 50:56, 80:86] = 1
    spine[0, 3, 3] = 1
    dendrite[:, 20, :] = 1
    image = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    return ScenePlanes(image, dendrite, spine, np.array([[2.0, 52.5, 82.5], [0.0, 3.0, 3.0]]), 0.5)


def test_the_example_is_the_part_of_the_plane_with_most_spines() -> None:
    whole = scene()
    part = example_of(whole, 32)
    assert part.image.shape == part.spine.shape == (1, 32, 32)
    assert part.spine.sum() == 36
    top, left = divmod(int(part.image[0, 0, 0]) - 2 * 60 * 90, 90)
    np.testing.assert_array_equal(part.image[0], whole.image[2, top:top + 32, left:left + 32])
    np.testing.assert_allclose(part.spots, [[0, 52.5 - top, 82.5 - left]])
    assert example_of(whole, 500).image.shape == (1, 60, 90)


def test_without_spines_the_example_shows_a_dendrite() -> None:
    whole = dataclasses.replace(scene(), spine=np.zeros((3, 60, 90), np.int8))
    assert (example_of(whole, 16).dendrite == 1).any()


def test_the_picture_has_image_truth_and_prediction_beside_each_other() -> None:
    example = example_of(scene(), 32)
    nothing = np.zeros((1, 32, 32), np.float32)
    picture = example_picture(example, nothing, (example.spine == 1).astype(np.float32))
    assert (picture.shape, picture.dtype) == ((3, 32, 96), np.uint8)
    image, truth, found = (picture[:, :, start:start + 32] for start in (0, 32, 64))
    assert (image[0] == image[1]).all()
    inside = example.spine[0] == 1
    np.testing.assert_array_equal(truth[:, inside], found[:, inside])
    assert (truth[1] > truth[0])[inside].all()  # green as colours.SPINE
    assert colours.SPINE == (0, 255, 0)
    np.testing.assert_array_equal(found[:, ~inside], image[:, ~inside])


@pytest.mark.parametrize(("done", "to_do", "seconds", "expected"), [(0, 10, 0.0, None), (4, 6, 8.0, 12.0),
                                                                 (5, 0, 3.0, 0)])
def test_the_rest_takes_as_long_as_what_was_done(done: int, to_do: int, seconds: float, expected: float | None) -> None:
    assert seconds_left(done, to_do, seconds) == expected


class Noise:
    """Batches of one random image."""

    def batch(self, index: int, size: int) -> Batch:
        image = np.random.default_rng(index).uniform(-1, 1, (size, 32, 32, 1)).astype(np.float32)
        return image, (image > 0).astype(np.float32), (image > 0.5).astype(np.float32)


class EndsAfter(LiveTraining):
    """Asks for the end after some batches."""

    def batch(self, step: int) -> None:
        super().batch(step)
        if step == 3:
            self.end()


@pytest.mark.slow
def test_a_training_that_is_asked_to_end_keeps_what_it_has_and_tells_its_state(tmp_path: Path) -> None:
    live = EndsAfter()
    live.show(example_of(scene(), 32), "a training stack")
    parameters = TrainingParameters(filters=2, steps=50, batch_size=2, tile_px=32, validate_every=2)
    result = fit(Noise(), parameters, folder=tmp_path, watch=live)
    state = live.state()
    assert (result.best_step, [row["step"] for row in result.log]) == (3, [2, 3])
    assert (state.step, state.steps, len(state.log), state.pictures, state.ending) == (3, 50, 2, 2, True)
    assert state.seconds_left is not None
    assert state.seconds_left > 0
    assert state.picture is not None
    assert state.picture.shape == (3, 32, 96)


def left(folder: Path, **history: Any) -> Path:
    """A checkpoint of a training of ``own.keras`` in a folder; gives its data."""
    training = folder / "one.d3set"
    training.write_bytes(b"data")
    whole = {"parameters": dataclasses.asdict(TrainingParameters(steps=9)), "step": 4, "best_step": 4, "stale": 0,
             "seconds": 1.0, "best_score": 0.5, "log": [],
             "data": {"training_sha256": sha256_of(training), "validation_sha256": None}, **history}
    (folder / "own_training").mkdir()
    np.savez(folder / "own_training" / "checkpoint.npz", history=np.frombuffer(json.dumps(whole).encode(), np.uint8))
    return training


def test_an_interrupted_training_is_found_until_its_model_is_made(tmp_path: Path) -> None:
    training, out = left(tmp_path), tmp_path / "own.keras"
    found = find_interrupted(out, training, None, started=False)
    assert found is not None
    assert (found.step, found.steps, found.same_data, found.parameters["filters"]) == (4, 9, True, 8)
    for other in ({"validation": training, "started": False}, {"validation": None, "started": True}):
        elsewhere = find_interrupted(out, training, **other)  # type: ignore[arg-type]
        assert elsewhere is not None
        assert not elsewhere.same_data
    out.write_bytes(b"model")
    os.utime(out, ns=(0, 0))  # of an earlier training
    assert find_interrupted(out, training, None, started=False) is not None
    out.touch()
    later = (tmp_path / "own_training" / "checkpoint.npz").stat().st_mtime_ns + 1
    os.utime(out, ns=(later, later))
    assert find_interrupted(out, training, None, started=False) is None


def test_what_cannot_be_gone_on_with_is_not_found(tmp_path: Path) -> None:
    assert find_interrupted(tmp_path / "own.keras", tmp_path / "one.d3set", None, started=False) is None
    training = left(tmp_path, step="four")
    assert find_interrupted(tmp_path / "own.keras", training, None, started=False) is None
