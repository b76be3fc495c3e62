"""The verbs of the windows for training data, called as a transport calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deepd3_ij
from deepd3_ij import label_stack
from deepd3_ij.files.d3data import cut_d3data, read_d3data, write_d3data
from deepd3_ij.files.d3set import write_d3set
from deepd3_ij.service import calls
from deepd3_ij.service.exchange import Reply

SHAPE = (3, 12, 16)


def ask(verb: str, **values: Any) -> Reply:
    return calls.call(json.dumps({"verb": verb, "version": deepd3_ij.__version__, "values": values}), {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A d3data file of signed pixels."""
    grey = np.arange(-200, np.prod(SHAPE) - 200, dtype=np.int16).reshape(SHAPE)
    masks = np.zeros((2, *SHAPE), np.bool_)
    masks[0, 1, 5] = masks[1, 2, 3:5, 7:9] = True
    write_d3data(tmp_path / "a.d3data", cut_d3data(label_stack(grey, xy_um=0.1, z_um=0.5, source="cell.tif"), *masks))
    return tmp_path / "a.d3data"


def test_what_is_shown_is_what_the_file_holds(path: Path) -> None:
    reply = ask("open_training_data", path=str(path))
    data = read_d3data(path)
    assert (reply.values["signed"], reply.values["image"]["voxel_size_um"]) == (True, [0.5, 0.1, 0.1])
    np.testing.assert_array_equal((reply.arrays["stack"] ^ np.uint16(32768)).view(np.int16), data.stack)
    np.testing.assert_array_equal(reply.arrays["dendrite"] > 0, data.dendrite)
    np.testing.assert_array_equal(reply.arrays["spine"] > 0, data.spines)


def test_metadata_are_checked_changed_and_told(path: Path) -> None:
    reply = ask("read_training_metadata", path=str(path)).values
    assert (reply["stacks"][0]["Resolution_XY"], reply["stacks"][0]["crop"]) == ("0.1", "false")
    assert "Width" not in reply["changeable"]
    assert ask("check_training_metadata", name="Resolution_XY", value=" 0.20 ").values["value"] == "0.2"
    assert ask("check_training_metadata", name="crop", value="TRUE").values["value"] == "true"
    told = ask("save_training_metadata", path=str(path), names=["Resolution_XY", "X"], values=["0.2", "7"]).values
    assert (told["stacks"][0]["Resolution_XY"], told["stacks"][0]["X"]) == ("0.2", "7")
    assert read_d3data(path).xy_um == 0.2


@pytest.mark.parametrize(("name", "value"), [("Resolution_XY", "0"), ("Resolution_Z", "nan"), ("X", "1.5"),
                                             ("crop", "perhaps"), ("Width", "5"), ("Changed", "now")])
def test_unfit_metadata_are_refused(path: Path, name: str, value: str) -> None:
    before = path.read_bytes()
    for reply in (ask("check_training_metadata", name=name, value=value),
                  ask("save_training_metadata", path=str(path), names=[name], values=[value])):
        assert reply.values["state"] == "failed"
        assert reply.values["expected"]
        assert name in reply.values["message"]
    assert path.read_bytes() == before


def test_those_of_a_set_are_told_and_not_changed(path: Path) -> None:
    write_d3set(path.with_name("s.d3set"), [path, path])
    reply = ask("read_training_metadata", path=str(path.with_name("s.d3set"))).values
    assert (len(reply["stacks"]), reply["changeable"]) == (2, [])
    assert ask("open_training_data", path=str(path.with_name("s.d3set")), number=1).arrays["stack"].shape == SHAPE
    assert ask("save_training_metadata", path=str(path.with_name("s.d3set")), names=["X"], values=["1"]
               ).values["state"] == "failed"


def test_a_set_that_exists_is_not_replaced_unasked(path: Path) -> None:
    out = path.with_name("s.d3set")
    out.write_text("a work of a person")
    assert "exists" in ask("arrange_training_files", paths=[str(path)], out=str(out)).values["message"]
    assert out.read_text() == "a work of a person"
