"""A training is resumed with the data and the parameters that it began with, or not at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepd3_ij.errors import FileFormatError, OutputError
from deepd3_ij.parameters import TrainingParameters
from deepd3_ij.training.fitting import _read_checkpoint
from deepd3_ij.training.training_run import train_from_set

PARAMETERS = TrainingParameters(steps=4)
DATA = {"training_sha256": "a", "validation_sha256": None}
HISTORY = {"parameters": dataclasses.asdict(PARAMETERS), "step": 2, "best_step": 2, "stale": 0, "seconds": 1.0,
           "best_score": 0.5, "log": []}


def write(folder: Path, history: Any) -> None:
    np.savez(folder / "checkpoint.npz", history=np.frombuffer(json.dumps(history).encode(), np.uint8))


def test_the_same_data_are_accepted(tmp_path: Path) -> None:
    write(tmp_path, {**HISTORY, "data": DATA})
    assert _read_checkpoint(tmp_path, PARAMETERS, DATA)[1]["step"] == 2


@pytest.mark.parametrize("stored", [{**DATA, "training_sha256": "b"}, {**DATA, "validation_sha256": "c"}, None, 7])
def test_other_data_are_refused(tmp_path: Path, stored: Any) -> None:
    write(tmp_path, {**HISTORY, "data": stored})
    with pytest.raises(FileFormatError, match="was made with other training data"):
        _read_checkpoint(tmp_path, PARAMETERS, DATA)


@pytest.mark.parametrize("history", [[], 7, None, {}, {"parameters": 3}])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, history: Any) -> None:
    write(tmp_path, history)
    with pytest.raises(FileFormatError, match="is no checkpoint of a training") as caught:
        _read_checkpoint(tmp_path, PARAMETERS, DATA)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80\x04N."])
def test_what_is_no_checkpoint_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(FileFormatError, match="is no checkpoint of a training"):
        _read_checkpoint(tmp_path, PARAMETERS, DATA)


def test_a_model_of_the_original_is_not_replaced_by_a_training(tmp_path: Path) -> None:
    (tmp_path / "DeepD3_32F.h5").write_text("original")
    with pytest.raises(OutputError, match="would be replaced by the new model"):
        train_from_set(tmp_path / "set.d3set", tmp_path / "DeepD3_32F.keras", PARAMETERS)
    assert (tmp_path / "DeepD3_32F.h5").read_text() == "original"


def test_a_missing_set_is_still_told(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="does not exist"):
        train_from_set(tmp_path / "none.d3set", tmp_path / "a.keras", PARAMETERS)
