"""Training data arranged to a set, and looked at, in windows that stay open."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij import label_stack
from deepd3_ij.files.d3data import cut_d3data, read_d3data, write_d3data
from deepd3_ij.files.d3set import read_d3set, write_d3set
from tests.scripts.user import User
from tests.scripts.window import JYTHON, FormWindow, State

pytestmark = pytest.mark.display
SHAPE = (4, 40, 60)


def write(path: Path, seed: int, *, xy_um: float = 0.1, spines: bool = True) -> Path:
    """A small d3data file of random pixels."""
    grey = np.random.default_rng(seed).integers(0, 250, SHAPE).astype(np.uint8)
    masks = np.zeros((2, *SHAPE), np.bool_)
    masks[0, 1, 10:13] = True
    masks[1, 1, 4:9, 5:11] = spines
    write_d3data(path, cut_d3data(label_stack(grey, xy_um=xy_um, z_um=0.5, source="cell.tif"), *masks))
    return path


def opened(user: User, command: str, script: str) -> FormWindow:
    """The window of a command, empty."""
    user.host.ask("script", str(JYTHON / "close_all.py"))
    assert user.host.ask("dialog", command) == "done"
    window = FormWindow(user, script)
    window.until(lambda state: not state["rows"], "no window")
    return window


@pytest.fixture
def arranger(visible: User) -> FormWindow:
    """The window of a training set, empty."""
    return opened(visible, "Arrange DeepD3 Training Set...", "arranger_state.py")


def names(state: State) -> list[str]:
    return [row[1] for row in state["rows"]]


def test_files_are_added_ordered_doubted_and_become_a_set(arranger: FormWindow, tmp_path: Path) -> None:
    files = [write(tmp_path / "a.d3data", 1), write(tmp_path / "b.d3data", 2, xy_um=0.2)]
    (tmp_path / "more").mkdir()
    write(tmp_path / "more" / "c.d3data", 3, spines=False)
    shutil.copy(files[0], tmp_path / "more" / "copy.d3data")
    assert arranger.state("create")["message"] == "The list is empty; add .d3data files first."
    arranger.state("add", [str(path) for path in files])
    arranger.state("drop", [str(tmp_path / "more")])
    state = arranger.until(lambda state: len(state["rows"]) == 4 and "files" in state["total"], "they are not read")
    assert state["rows"][1] == ["2", "b.d3data", "4 \u00d7 40 \u00d7 60", "0.2", "0.5", "180", "30", "1"]
    assert state["total"] == "4 files, 16 planes, 2 resolutions, 720 dendrite and 90 spine voxels, 3 spines"
    doubts = state["doubts"].split("\n")
    assert doubts[0].startswith("Different pixel sizes: 0.1 \u00b5m (a.d3data) to 0.2 \u00b5m (b.d3data)")
    assert doubts[1:] == ["No annotated spine: c.d3data.", "The same image and masks: a.d3data, copy.d3data."]
    assert "is in the list already; nothing was added" in arranger.state("add", [str(files[0])])["message"]
    arranger.state("select", "1")
    assert names(arranger.state("up")) == ["b.d3data", "a.d3data", "c.d3data", "copy.d3data"]
    arranger.state("select", "3")
    assert names(arranger.state("remove")) == ["b.d3data", "a.d3data", "c.d3data"]
    assert names(arranger.state("undo")) == ["b.d3data", "a.d3data", "c.d3data", "copy.d3data"]
    assert names(arranger.state("undo")) == ["a.d3data", "b.d3data", "c.d3data", "copy.d3data"]
    arranger.state("select", "3")
    arranger.state("remove")
    state = arranger.until(lambda state: state["total"].startswith("3 files"), "they are not counted again")
    assert "same image" not in state["doubts"]
    out = tmp_path / "made.d3set"
    arranger.state("write", str(out))
    arranger.until(lambda state: state["message"].startswith(f"wrote {out}: 3 files"), "it is not told")
    assert [data.xy_um for data in read_d3set(out)] == [0.1, 0.2, 0.1]


def test_what_cannot_be_read_or_written_is_told_and_nothing_is_lost(arranger: FormWindow, tmp_path: Path) -> None:
    good = write(tmp_path / "a.d3data", 1)
    (tmp_path / "broken.d3data").write_bytes(good.read_bytes()[:2000])
    arranger.state("add", [str(good), str(tmp_path / "broken.d3data")])
    state = arranger.until(lambda state: state["total"].startswith("1 file,"), "they are not read")
    assert state["rows"][1][2] == "cannot be read"
    message = arranger.state("create")["message"]
    assert message.startswith(f"{tmp_path / 'broken.d3data'} is damaged")
    assert message.count("broken.d3data") == 2
    arranger.state("select", "1")
    arranger.state("remove")
    arranger.until(lambda state: len(state["rows"]) == 1, "it stays")
    out = tmp_path / "made.d3set"
    out.write_text("a work of a person")
    for answer, written in (("Cancel", False), ("Replace", True)):
        arranger.user.host.ask("start", "script", arranger.script, press="write", text=str(out))
        arranger.user.click(answer)
        arranger.user.host.ask("wait")
        arranger.until(lambda state, written=written: state["message"].startswith("wrote ") == written, answer)
        assert (out.read_bytes() != b"a work of a person") == written
    good.unlink()
    arranger.state("write", str(tmp_path / "other.d3set"))
    state = arranger.until(lambda state: state["rows"][0][2] == "cannot be read", "the loss is not seen")
    assert state["message"].startswith(f"{good} does not exist")
    assert not (tmp_path / "other.d3set").exists()


def test_a_folder_that_takes_no_files_is_told(arranger: FormWindow, tmp_path: Path) -> None:
    arranger.state("add", [str(write(tmp_path / "a.d3data", 1))])
    arranger.until(lambda state: state["total"].startswith("1 file,"), "it is not read")
    arranger.state("write", "/proc/made.d3set")
    state = arranger.until(lambda state: "cannot be written" in state["message"], "it is not told")
    assert len(state["rows"]) == 1


def test_a_folder_as_it_is_can_be_repeated_by_a_macro_and_its_files_are_shown(arranger: FormWindow, tmp_path: Path
                                                                              ) -> None:
    user, out = arranger.user, tmp_path / "sets" / "made.d3set"
    files = [write(tmp_path / name, seed) for seed, name in enumerate(("a.d3data", "z\u00fc 1.d3data"))]
    user.host.ask("script", str(JYTHON / "record.py"))
    arranger.state("add", [str(path) for path in files])
    arranger.until(lambda state: state["total"].startswith("2 files,"), "they are not read")
    arranger.state("write", str(out))
    arranger.until(lambda state: state["message"].startswith("wrote "), "it is not written")
    assert f'"source={tmp_path} pattern=*.d3data out={out}");' in user.host.ask("recorded")
    arranger.state("select", "1")
    arranger.state("show")
    viewer = FormWindow(user, "training_viewer_state.py")
    state = viewer.until(lambda state: bool(state["rows"][0]["Width"]), "not shown")
    assert [row["File"] for row in state["rows"]] == ["z\u00fc 1.d3data"]


def test_with_values_given_the_commands_open_no_window(visible: User, tmp_path: Path) -> None:
    visible.host.ask("script", str(JYTHON / "close_all.py"))
    path, out = write(tmp_path / "a.d3data", 1), tmp_path / "made.d3set"
    assert visible.host.ask("quietly", "Arrange DeepD3 Training Set...", source=tmp_path, out=out) == "done"
    assert len(read_d3set(out)) == 1
    assert visible.host.ask("start", "quietly", "Show DeepD3 Training Data...", path=path) == "started"
    visible.click("OK")  # what the file holds
    assert visible.host.ask("wait") == "done"
    assert not {"Arrange Training Set", "Training Data"} & set(visible.host.ask("windows").split("|"))


@pytest.fixture
def viewer(visible: User) -> FormWindow:
    """The window of training data, empty."""
    return opened(visible, "Show DeepD3 Training Data...", "training_viewer_state.py")


def test_metadata_are_typed_saved_and_taken_back(viewer: FormWindow, tmp_path: Path) -> None:
    path = write(tmp_path / "a.d3data", 1)
    viewer.state("add", [str(path)])
    viewer.until(lambda state: state["rows"] and state["rows"][0]["Width"] == "60", "it is not read")
    viewer.state("type", [0, "Resolution_XY", "0.250"])
    viewer.state("save")
    state = viewer.until(lambda state: state["message"] == "saved a.d3data", "it is not saved")
    assert (state["rows"][0]["Resolution_XY"], state["unsaved"]) == ("0.25", 0)
    data = read_d3data(path)
    assert (data.xy_um, data.meta["Changed"]) == (0.25, state["rows"][0]["Changed"])
    viewer.state("type", [0, "X", "7.5"])
    viewer.state("save")  # takes what is typed, which is refused
    viewer.until(lambda state: state["message"] == "X is '7.5'; accepted: a whole number.", "it is not refused")
    assert viewer.state("undo")["rows"][0]["Resolution_XY"] == "0.1"
    viewer.state("save")
    viewer.until(lambda state: not state["unsaved"], "the old value is not saved")
    assert (read_d3data(path).xy_um, read_d3data(path).meta["X"]) == (0.1, 0)
    np.testing.assert_array_equal(read_d3data(path).stack, data.stack)


def test_stacks_open_calibrated_with_masks_in_their_planes(viewer: FormWindow, tmp_path: Path) -> None:
    user, files = viewer.user, [write(tmp_path / "a.d3data", 1), write(tmp_path / "b.d3data", 2)]
    write_d3set(tmp_path / "both.d3set", files)
    viewer.state("add", [str(files[0]), str(tmp_path / "both.d3set")])
    state = viewer.until(lambda state: len(state["rows"]) == 3, "they are not read")
    assert [row["File"] for row in state["rows"]] == ["a.d3data", "both.d3set [1]", "both.d3set [2]"]
    viewer.state("select", "0")
    viewer.state("show")
    user.until(lambda: user.look().get("title") == "a.d3data", "it is not shown")
    seen = user.look()
    assert (seen["shape"], seen["pixel_width"], seen["unit"]) == (list(SHAPE), 0.1, "micron")
    for plane, pixels in ((1, "0"), (2, "210")):
        user.host.ask("script", str(JYTHON / "go_to_plane.py"), plane=str(plane))
        assert user.host.ask("script", str(JYTHON / "removed_pixels.py")) == pixels
    viewer.state("type", [0, "Resolution_XY", "0.2"])
    viewer.state("save")
    viewer.until(lambda state: state["message"].startswith("saved"), "it is not saved")
    assert user.look()["pixel_width"] == 0.2


def test_what_cannot_be_shown_is_told_and_what_is_not_saved_is_kept(viewer: FormWindow, tmp_path: Path) -> None:
    path = write(tmp_path / "a.d3data", 1)
    (tmp_path / "b.d3data").write_text("no HDF5")
    viewer.state("add", [str(path), str(tmp_path / "b.d3data")])
    viewer.until(lambda state: str(tmp_path / "b.d3data") in state["message"], "it is not told")
    viewer.state("type", [0, "X", "7"])
    viewer.user.host.ask("start", "script", viewer.script, press="close", text="-")
    viewer.user.click("Keep Open")
    viewer.user.host.ask("wait")
    assert viewer.until(lambda state: state["unsaved"] == 1, "it is not taken")["rows"][0]["X"] == "7"
    content = path.read_bytes()
    path.unlink()
    viewer.state("save")
    viewer.until(lambda state: state["message"].startswith(f"{path} does not exist"), "the loss is not told")
    path.write_bytes(content)
    viewer.state("save")
    viewer.until(lambda state: state["message"] == "saved a.d3data", "it is not saved")
    assert read_d3data(path).meta["X"] == 7
