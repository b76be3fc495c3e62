"""Training data made in the window beside a stack, by real keys and mouse; what is chosen is what is saved."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from deepd3_ij import label_stack
from deepd3_ij.files.d3data import D3Data, read_d3data
from deepd3_ij.files.swc import read_swc
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.training.dataset import read_dendrites
from tests.scripts.user import User
from tests.scripts.window import JYTHON, FormWindow

pytestmark = pytest.mark.display
SHAPE = (8, 160, 240)
SWC = "1 3 2.0 9.0 1.5 0.4 -1\n2 3 22.5 7.5 2.0 0.4 1\n"
SPINES = [(3, 60, 70, 9, 7), (3, 120, 66, 8, 8), (4, 61, 70, 8, 7), (6, 150, 70, 6, 9), (5, 200, 92, 9, 9)]
"""Ovals: plane from 1, x, y, width, height."""


class Annotator(FormWindow):
    """The window of training data, and the stack beside it."""

    def __init__(self, user: User) -> None:
        super().__init__(user, "annotator_state.py")

    def plane(self, number: int) -> None:
        """Go to a plane, with the image in front."""
        self.user.host.ask("script", str(JYTHON / "go_to_plane.py"), plane=str(number))


def real_part(shared: Path) -> tuple[np.ndarray, str]:
    """A part of a real stack (0.12 µm, planes 1 µm apart), and what of its tracing lies in it."""
    corner = np.array([100, 500, 18])  # x, y, z
    x, y, z = corner
    stack = tifffile.imread(shared / "data" / "real" / "rr30a_tp3_x000-340.tif", key=range(z, z + SHAPE[0]))
    nodes = np.loadtxt(shared / "data" / "real" / "rr30a_tp3_dendrites.swc")
    nodes[:, 2:5] -= corner * (0.12, 0.12, 1.0)
    end = (np.array(SHAPE[::-1]) - 1) * (0.12, 0.12, 1.0)
    nodes = nodes[((nodes[:, 2:5] >= 0) & (nodes[:, 2:5] <= end)).all(axis=1)]
    nodes[~np.isin(nodes[:, 6], nodes[:, 0]), 6] = -1
    lines = io.StringIO()
    np.savetxt(lines, nodes, "%d %d %.3f %.3f %.3f %.3f %d")
    return stack[:, y:y + SHAPE[1], x:x + SHAPE[2]], lines.getvalue()


def open_stack(user: User, folder: Path, pixels: np.ndarray | None = None, swc: str = SWC, xy_um: float = 0.1,
               z_um: float = 0.5) -> tuple[Annotator, np.ndarray]:
    if pixels is None:
        pixels = np.random.default_rng(7).integers(0, 250, SHAPE).astype(np.uint8)
    write_stack(folder / "cell.tif", label_stack(pixels, xy_um=xy_um, z_um=z_um, source="cell.tif"))
    (folder / "cell.swc").write_text(swc)
    user.host.ask("script", str(JYTHON / "close_all.py"))
    assert user.host.ask("quietly", "Open DeepD3 Stack...", path=str(folder / "cell.tif")) == "done"
    return Annotator(user), pixels


def start(window: Annotator) -> dict[str, Any]:
    assert window.user.host.ask("dialog", "Create DeepD3 Training Data...") == "done"
    return window.until(lambda state: True, "no window")


def ovals() -> np.ndarray:
    """The voxels of SPINES, as ImageJ fills an oval."""
    mask = np.zeros(SHAPE, np.bool_)
    for plane, x, y, width, height in SPINES:
        rows, columns = np.ogrid[:SHAPE[1], :SHAPE[2]]
        inside = (((columns + 0.5 - x - width / 2) / (width / 2)) ** 2
                  + ((rows + 0.5 - y - height / 2) / (height / 2)) ** 2) <= 1
        mask[plane - 1] |= inside
    return mask


def assert_is_box(data: D3Data, pixels: np.ndarray, dendrite: np.ndarray, spines: np.ndarray,
                  box: tuple[slice, slice, slice]) -> None:
    np.testing.assert_array_equal(data.stack, pixels[box])
    np.testing.assert_array_equal(data.dendrite, dendrite[box])
    np.testing.assert_array_equal(data.spines, spines[box])


@pytest.mark.slow
@pytest.mark.parametrize("real", [False, True])
def test_spines_of_the_manager_a_tracing_and_a_box_with_keys_are_saved_voxel_by_voxel(
    visible: User, tmp_path: Path, real: bool, request: pytest.FixtureRequest
) -> None:
    xy_um, z_um = (0.12, 1.0) if real else (0.1, 0.5)
    given = real_part(request.getfixturevalue("shared")) if real else (None, SWC)
    window, pixels = open_stack(visible, tmp_path, *given, xy_um=xy_um, z_um=z_um)
    start(window)
    window.until(lambda state: "ROI Manager has no ROIs" in state["told"]["spine"], "an empty manager is not told")
    assert visible.host.ask("script", str(JYTHON / "add_ovals.py"), places=json.dumps(SPINES)) == "5"
    window.until(lambda state: "5 ROIs" in state["told"]["spine"], "the spines are not read")
    window.state("dendrite_file", str(tmp_path / "cell.swc"))
    told = window.until(lambda state: "voxels" in state["told"]["dendrite"], "the tracing is not read")["told"]
    assert "positions in µm (100% of the nodes lie in the stack as µm" in told["dendrite"]
    assert (tmp_path / "cell_reconstruction.tif").exists()
    assert visible.host.ask("script", str(JYTHON / "use_tool.py"), name="rectangle") == "rectangle"
    visible.drag("cell.tif", 40, 50, 239, 159)
    state = window.until(lambda state: state["values"]["box"][:2] == [40, 50], "the box does not follow the rectangle")
    window.state("width", str(SHAPE[2] - 40))
    window.state("height", str(SHAPE[1] - 50))
    for plane, key in ((3, "b"), (8, "e")):
        visible.click_pixel("cell.tif", 5, 5)  # takes the rectangle away, not the box
        window.plane(plane)
        visible.press(key)
        window.until(lambda state, plane=plane: plane in state["values"]["planes"], f"{key} does nothing")
    state = window.state()
    assert state["values"]["box"] == [40, 50, 200, 110]
    assert state["values"]["planes"] == state["sliders"] == [3, 8]
    assert state["fields"] == ["40", "50", "200", "110", "3", "8"]
    assert state["overlay"] == 2  # masks, box
    out = tmp_path / "made.d3data"
    window.state("write", str(out))
    window.until(lambda state: state["message"].startswith("wrote "), "nothing is told")
    data = read_d3data(out)
    stack = label_stack(pixels, xy_um=xy_um, z_um=z_um)
    dendrite, _ = read_dendrites(tmp_path / "cell.swc", stack, "um")
    assert dendrite[2:8, 50:160, 40:240].sum() > 100
    assert_is_box(data, pixels, dendrite, ovals(), (slice(2, 8), slice(50, 160), slice(40, 240)))
    assert {name: data.meta[name] for name in ("X", "Y", "Z_begin", "Z_end", "Width", "Height", "Depth")} == {
        "X": 40, "Y": 50, "Z_begin": 2, "Z_end": 7, "Width": 200, "Height": 110, "Depth": 6}
    assert (data.xy_um, data.z_um, data.meta["Generated_from"]) == (xy_um, z_um, "cell.tif")
    assert not (tmp_path / "cell.d3draft").exists()


def test_steps_are_undone_and_what_was_not_saved_is_offered_again(visible: User, tmp_path: Path) -> None:
    window, _ = open_stack(visible, tmp_path)
    start(window)
    assert visible.host.ask("script", str(JYTHON / "add_ovals.py"), places=json.dumps(SPINES[:2])) == "2"
    window.until(lambda state: "2 ROIs" in state["told"]["spine"], "the spines are not read")
    window.state("x", "7")
    window.state("begin_slider", "4")
    assert window.state("undo")["values"]["planes"] == [1, 8]
    assert window.state("undo")["values"]["box"] == [0, 0, 240, 160]
    window.state("end", "9")
    assert window.state()["message"] == "The stack has planes 1 to 8; z begin is 1 and z end 9."
    window.state("write", str(tmp_path / "made.d3data"))
    window.until(lambda state: True, "busy")
    assert not (tmp_path / "made.d3data").exists()
    window.state("undo")
    window.state("begin", "5")
    visible.host.ask("script", str(JYTHON / "close_all.py"))  # as a crash would
    assert visible.host.ask("quietly", "Open DeepD3 Stack...", path=str(tmp_path / "cell.tif")) == "done"
    visible.host.ask("start", "dialog", "Create DeepD3 Training Data...")
    visible.click("Go on")
    assert visible.host.ask("wait") == "done"
    state = window.until(lambda state: "2 ROIs" in state["told"]["spine"], "the spines are not there again")
    assert state["values"]["planes"] == [5, 8]


def test_dendrites_can_be_drawn_as_lines_and_become_a_tracing(visible: User, tmp_path: Path) -> None:
    window, _ = open_stack(visible, tmp_path)
    start(window)
    window.state("dendrites", "Drawn lines")
    assert window.state("add_line")["message"].startswith("Draw a segmented line")
    assert visible.host.ask("script", str(JYTHON / "use_tool.py"), name="line") == "line"
    window.plane(4)
    visible.drag("cell.tif", 30, 90, 200, 80)
    window.state("add_line")
    window.until(lambda state: "1 drawn line" in state["told"]["dendrite"], "no line")
    assert visible.host.ask("script", str(JYTHON / "add_ovals.py"), places=json.dumps(SPINES[:2])) == "2"
    window.until(lambda state: "2 ROIs" in state["told"]["spine"], "the spines are not read")
    window.state("crop", "false")
    window.state("write", str(tmp_path / "drawn.d3data"))
    window.until(lambda state: state["message"].startswith("wrote "), "nothing is told")
    data = read_d3data(tmp_path / "drawn.d3data")
    assert data.stack.shape == SHAPE
    assert data.dendrite[3, 90, 32]
    assert not data.dendrite[[0, 7]].any()
    tracing = read_swc(tmp_path / "drawn_dendrites.swc")
    assert tracing.radius.tolist() == pytest.approx([0.3, 0.3])
    np.testing.assert_allclose(tracing.xyz[:, 2], 1.5)


def test_what_is_wrong_is_told_in_the_window_and_nothing_is_written(visible: User, tmp_path: Path,
                                                                    locked_folder: Path) -> None:
    window, _ = open_stack(visible, tmp_path)
    start(window)
    tifffile.imwrite(tmp_path / "turned.tif", np.zeros((8, 240, 160), np.uint8))
    (tmp_path / "far.swc").write_text(SWC.replace("22.5", "22500").replace("2.0 9.0", "2000 9000"))
    for field, kind, name, expected in (
            ("dendrite_file", "dendrite", "turned.tif", "turned.tif has the shape (8, 240, 160)"),
            ("dendrite_file", "dendrite", "far.swc", "The tracing lies outside of the volume"),
            ("dendrite_file", "dendrite", "missing.swc", "missing.swc"),
            ("spine_file", "spine", "turned.tif", "turned.tif has the shape (8, 240, 160)")):
        window.state("spines", "File" if kind == "spine" else "ROI Manager")
        window.state(field, str(tmp_path / name))
        told = window.until(lambda state, kind=kind, expected=expected: expected in state["told"][kind],
                            f"nothing is told of {name}")["told"][kind]
        assert "voxels" not in told
        assert "Traceback" not in told
        window.state("save")
        assert window.state()["message"].startswith("Spines: ")
    window.state("begin", "6")
    assert window.state("end", "3")["message"] == "z begin is 6 and z end 3; z begin must not lie after z end."
    window.state("undo")
    window.state("undo")
    assert window.state("width", "400")["message"].startswith("The box x 0, y 0, 400 x 160 px reaches out of the stack")
    window.state("undo")
    window.state("spines", "ROI Manager")
    assert visible.host.ask("script", str(JYTHON / "add_ovals.py"), places=json.dumps(SPINES[:2])) == "2"
    window.state("dendrite_file", str(tmp_path / "cell.swc"))
    window.until(lambda state: "voxels" in state["told"]["dendrite"] and "2 ROIs" in state["told"]["spine"], "not read")
    window.state("write", str(locked_folder / "made.d3data"))
    window.until(lambda state: "cannot" in state["message"] or "denied" in state["message"], "nothing is told")
    window.state("write", str(tmp_path / "made.d3data"))
    window.until(lambda state: state["message"].startswith("wrote "), "nothing is lost, so that it can be saved")
    assert [path.name for path in tmp_path.glob("*.d3data")] == ["made.d3data"]
