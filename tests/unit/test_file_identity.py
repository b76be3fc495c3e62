"""No command replaces what it reads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij.cli import main
from deepd3_ij.errors import OutputError
from deepd3_ij.file_identity import refuse_inputs
from deepd3_ij.files.hdf5 import write_prediction
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.stack import label_prediction, label_stack
from deepd3_ij.training.dataset import create_training_data

TABLE = "id,z_px,y_px,x_px,z_um,y_um,x_um\n1,1,2,3,.5,.2,.3\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ones = label_stack(np.ones((3, 32, 32), np.uint8), xy_um=0.1, z_um=0.5)
    for name in ("raw", "d", "s", "cell", "cell_spines"):
        write_stack(tmp_path / f"{name}.tif", ones)
    maps = np.zeros((3, 32, 32), np.float32)
    write_prediction(tmp_path / "cell_cleaned.prediction", label_prediction(maps, maps, ones, {}))
    for name in ("det", "truth"):
        (tmp_path / f"{name}.csv").write_text(TABLE)
    for name in "ab":
        create_training_data("raw.tif", "d.tif", "s.tif", f"{name}.d3data")
    (tmp_path / "link.tif").symlink_to("raw.tif")
    os.link(tmp_path / "a.d3data", tmp_path / "hard.d3data")
    (tmp_path / "set.h5").write_bytes((tmp_path / "a.d3data").read_bytes())
    (tmp_path / "model.zip").write_bytes(b"PK")
    return tmp_path


COMMANDS = {
    "data create, the stack": "data create raw.tif --dendrites d.tif --spines s.tif --out raw.tif",
    "data create, a mask": "data create raw.tif --dendrites d.tif --spines s.tif --out d.tif",
    "data create, by another path": "data create raw.tif --dendrites d.tif --spines s.tif --out ./../{name}/s.tif",
    "data create, through a link": "data create link.tif --dendrites d.tif --spines s.tif --out raw.tif",
    "data arrange": "data arrange a.d3data b.d3data --out a.d3data",
    "data arrange, a hard link": "data arrange a.d3data b.d3data --out hard.d3data",
    "data show": "data show a.d3data --preview a.d3data",
    "evaluate": "evaluate det.csv truth.csv --json truth.csv",
    "train, the file for the original": "train set.h5 --out set.keras",
    "train, validation": "train a.d3data --validation set.h5 --out set.keras",
    "analyze, a hand-made mask": "analyze cell.tif --out .",
    "segment, a hand-made mask": "segment cell.tif --out .",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("command", [pytest.param(text, id=name) for name, text in COMMANDS.items()])
def test_a_command_that_would_replace_an_input_or_a_work_of_a_person_does_nothing(
        files: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(files)
    assert main([*command.format(name=files.name).split(), "--quiet"]) == 1
    assert contents(files) == before
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "would be lost" in said or "would be replaced" in said


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["link", "hard link"])
def test_the_same_file_is_known_by_any_name(tmp_path: Path, make: object) -> None:
    (tmp_path / "a").write_text("a")
    make(tmp_path / "a", tmp_path / "b")  # type: ignore[operator]
    with pytest.raises(OutputError, match="would be lost"):
        refuse_inputs([tmp_path / "b"], [None, tmp_path / "a"])


def test_what_is_not_there_yet_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    refuse_inputs([tmp_path / "b", tmp_path / "c"], [tmp_path / "a", tmp_path / "gone", None, ""])
