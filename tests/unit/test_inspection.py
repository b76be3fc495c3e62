"""What the program says about a file before it works with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from deepd3_ij.cli import main
from deepd3_ij.inspection import inspect
from tests.fuzz.readers import READERS


@pytest.mark.parametrize("name", sorted(set(READERS) - {"checkpoint", "manifest"}))  # those that users give to it
def test_every_kind_of_file_is_looked_into(tmp_path: Path, name: str) -> None:
    reader = READERS[name]
    path = tmp_path / f"a{reader.suffix}"
    path.write_bytes(reader.samples()[0])
    seen = inspect(path)
    assert seen.problem == ""
    assert seen.kind != "unknown"
    assert len(seen.facts) >= 2
    assert json.loads(json.dumps(seen.to_dict()))["file"] == path.name


def test_axes_voxel_size_and_its_place_are_told_without_choosing_a_channel(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 200, (3, 2, 20, 30)).astype(np.uint8)
    array[:, 1, 5, 5] = 255
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=True, resolution=(10, 10),
                     metadata={"axes": "ZCYX", "unit": "um", "spacing": 0.5})
    facts = inspect(tmp_path / "a.tif").facts
    assert (facts["axes"], facts["sizes"]) == ("ZCYX", [3, 2, 20, 30])
    assert facts["pixel size in µm (x, y)"] == [0.1, 0.1]
    assert facts["distance of planes in µm"] == 0.5
    assert facts["voxel size from"] == "ImageJ header"
    assert facts["saturated pixels of channel 0"] == 0
    assert facts["saturated pixels of channel 1"] == 3


def test_hot_pixels_and_flat_planes_are_noted(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 200, (3, 40, 40)).astype(np.uint16)
    array[0, 5, 5], array[2] = 60000, 7
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack")
    seen = inspect(tmp_path / "a.tif")
    assert seen.facts["hot or dead pixels"] == 1
    assert any("far beyond all others" in note for note in seen.notes)
    assert any("in 1 of 3 planes all pixels are equal" in note for note in seen.notes)


def test_a_missing_voxel_size_is_part_of_the_answer(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 20, 30), np.uint8), photometric="minisblack")
    assert inspect(tmp_path / "a.tif").facts["voxel size from"] == "nothing; it has to be given"


@pytest.mark.parametrize(("name", "content"), [
    ("a.tif", b"PNG"), ("a.xyz", b"abc"), ("a.swc", b"\0"), ("a.h5", b"x"), ("a", b"")])
def test_what_cannot_be_used_is_told_and_ends_with_1(tmp_path: Path, name: str, content: bytes, capsys) -> None:
    (tmp_path / name).write_bytes(content)
    assert inspect(tmp_path / name).problem
    assert main(["inspect", str(tmp_path / name)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_command_prints_lines_or_json(tmp_path: Path, capsys) -> None:
    (tmp_path / "a.swc").write_text("1 3 0 0 0 0 -1\n2 3 1 1 1 0.5 1\n")
    assert main(["inspect", str(tmp_path / "a.swc")]) == 0
    text = capsys.readouterr().out
    assert "a.swc: tracing (SWC)" in text
    assert "note: a.swc: 1 of 2 nodes have no radius" in text
    assert main(["inspect", "--json", str(tmp_path / "a.swc")]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["nodes"] == 2
