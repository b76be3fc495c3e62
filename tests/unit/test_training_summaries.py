"""What d3data files hold together, and what speaks against training with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij.cli.parser import build_parser
from deepd3_ij.errors import FileFormatError
from deepd3_ij.files.d3data import cut_d3data, update_meta, write_d3data
from deepd3_ij.stack import label_stack
from deepd3_ij.training.summaries import doubts, summarize, total

SHAPE = (3, 20, 30)


def write(path: Path, *, xy_um: float = 0.1, z_um: float = 0.5, seed: int = 0, spines: bool = True,
          dendrite: bool = True) -> Path:
    """A small d3data file with 60 dendrite voxels, and with 8 voxels of two spines."""
    grey = np.random.default_rng(seed).integers(0, 99, SHAPE).astype(np.uint8)
    masks = np.zeros((2, *SHAPE), np.bool_)
    masks[0, 1, 8:10] = dendrite
    masks[1, 1, 4:6, [4, 5, 20, 21]] = spines
    write_d3data(path, cut_d3data(label_stack(grey, xy_um=xy_um, z_um=z_um, source="cell.tif"), *masks))
    return path


def test_files_are_told_apart_and_together(tmp_path: Path) -> None:
    one, other = (summarize(write(tmp_path / f"{name}.d3data", seed=seed)) for seed, name in enumerate("ab"))
    assert (one.shape, one.xy_um, one.z_um) == (SHAPE, 0.1, 0.5)
    assert (one.dendrite_voxels, one.spine_voxels, one.spines) == (60, 8, 2)
    assert one.content != other.content
    assert total([one, other]) == ("2 files, 6 planes, 0.1 × 0.1 × 0.5 µm (x, y, z), 120 dendrite and 16 spine voxels, "
                                   "4 spines")
    assert doubts([one, other]) == doubts([]) == []


def test_mixed_resolutions_and_empty_masks_are_named_with_their_files(tmp_path: Path) -> None:
    files = [write(tmp_path / "a.d3data"), write(tmp_path / "b.d3data", seed=1, xy_um=0.2, spines=False),
             write(tmp_path / "c.d3data", seed=2, z_um=1.0, dendrite=False)]
    found = doubts([summarize(path) for path in files])
    assert len(found) == 4
    assert found[0].startswith("Different pixel sizes: 0.1 µm (a.d3data) to 0.2 µm (b.d3data);")
    assert found[1].startswith("Different distances of planes: 0.5 µm (a.d3data) to 1 µm (c.d3data);")
    assert found[2:] == ["No annotated dendrite: c.d3data.", "No annotated spine: b.d3data."]


def test_the_same_file_and_the_same_content_are_found_whatever_the_metadata_say(tmp_path: Path) -> None:
    write(tmp_path / "a.d3data")
    write(tmp_path / "copy.d3data")
    update_meta(tmp_path / "copy.d3data", {"X": 7})
    os.symlink("a.d3data", tmp_path / "link.d3data")
    found = doubts([summarize(tmp_path / f"{name}.d3data") for name in ("a", "copy", "link")])
    assert found == ["The same file is listed 2 times: a.d3data, link.d3data.",
                     "The same image and masks: a.d3data, copy.d3data."]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.d3data")
    assert summarize(path).xy_um == 0.1
    update_meta(path, {"Resolution_XY": 0.25})
    assert summarize(path).xy_um == 0.25
    path.unlink()
    with pytest.raises(FileFormatError, match="does not exist"):
        summarize(path)


def test_the_command_tells_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                    caplog: pytest.LogCaptureFixture) -> None:
    files = [write(tmp_path / "a.d3data"), write(tmp_path / "b.d3data", seed=1, xy_um=0.2)]
    arguments = build_parser().parse_args(["data", "summary", *map(str, files)])
    arguments.run(arguments)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines[:2]] == [str(path) for path in files]
    assert lines[2].startswith("2 files, 6 planes, 2 resolutions, ")
    assert "Different pixel sizes" in caplog.text
