"""A tour through the spine panel by real mouse and keys, and the recorded lines of it run again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.roi_zip import read_roi_zip
from tests.scripts.host_process import Host
from tests.scripts.panel import Panel, build_spines
from tests.scripts.user import User

pytestmark = pytest.mark.display
JYTHON = Path(__file__).parent / "jython"
SHAPE = (9, 160, 220)
BLOBS = {(2, 30, 40): 0.95, (3, 60, 180): 0.85, (4, 110, 40): 0.9, (5, 130, 120): 0.92, (6, 30, 120): 0.88}
MISSED = (4, 110, 190)


def maps() -> tuple[np.ndarray, np.ndarray]:
    """A horizontal dendrite with five spines, all in three planes."""
    spine = np.zeros(SHAPE, np.float32)
    for (z, y, x), peak in BLOBS.items():
        spine[z - 1:z + 2, y - 5:y + 5, x - 5:x + 5] = peak
    dendrite = np.zeros_like(spine)
    dendrite[2:6, 78:86, 10:210] = 0.9
    return dendrite, spine


@pytest.fixture
def panel(visible: User, tmp_path: Path) -> Iterator[Panel]:
    """A stack with its prediction, whose spines a user has built; a ROI of another image is there too."""
    host = visible.host
    host.ask("script", str(JYTHON / "close_all.py"))
    assert host.ask("script", str(JYTHON / "add_roi_of_another_image.py")) == "1"
    yield build_spines(visible, tmp_path, *maps())
    host.ask("script", str(JYTHON / "close_all.py"))


def spines_of(state: dict[str, Any]) -> dict[int, int]:
    """Number of a spine by the plane that the panel states, where they are."""
    return {round(values[0]): int(spine) for spine, values in state["rows"].items()}


def test_spines_are_found_deleted_merged_added_and_taken_back(panel: Panel) -> None:
    user, state = panel.user, panel.shows(rows=5)
    first, second, third, fourth, fifth = [spines_of(state)[plane] for plane in (3, 4, 5, 6, 7)]
    assert state["manager"].count(0) == 1
    state = panel.user.until(lambda: (seen := panel.state())["totals"].startswith("5 spines, 1 dendrite of") and seen,
                             "no totals", 30)
    assert "1 ROI of other images" in state["totals"]
    assert state["headings"][:6] == ["Spine", "Plane", "Planes", "Volume \u00b5m\u00b3", "Probability",
                                     "Distance \u00b5m"]

    panel.click(fifth)  # goes there, in all images, and selects it in the ROI Manager
    panel.shows(selected=[fifth], planes={"cell.tif": 7, "cell prediction": 7}, chosen=[fifth], white=[fifth])

    user.press("Delete")  # the next row is selected, or the one before the last
    state = panel.shows(rows=4, message=f"deleted spine {fifth}")
    assert len(state["selected"]) == 1
    assert state["selected"] != [fifth]
    assert fifth not in state["manager"]
    assert state["manager"].count(0) == 1
    user.until(lambda: panel.state()["totals"].startswith("4 spines, 1 dendrite"), "stale totals", 30)

    panel.click(first)
    panel.click(second, "ctrl")
    panel.shows(selected=sorted([first, second]), white=sorted([first, second]))
    user.press("m")
    state = panel.shows(rows=3, selected=[min(first, second)])
    assert state["rows"][str(min(first, second))][1] == 4  # planes 2 to 5 of both

    user.click("Undo")
    panel.shows(rows=4, message="took the last change back")

    panel.click(fourth)
    panel.shows(selected=[fourth], planes={"cell.tif": 6, "cell prediction": 6})
    user.press("less")
    panel.shows(planes={"cell.tif": 5, "cell prediction": 5})
    user.click_pixel("cell.tif", 40, 110)  # a click on a spine in the image selects its row
    panel.shows(selected=[third], white=[third])
    user.press("Delete")  # keys count for the panel then
    panel.shows(rows=3, message=f"deleted spine {third}")
    user.press("ctrl+z")
    panel.shows(rows=4)

    panel.click(third)
    panel.shows(planes={"cell.tif": 5, "cell prediction": 5})
    assert user.host.ask("script", str(JYTHON / "use_tool.py"), name="oval") == "oval"
    user.drag("cell.tif", MISSED[2] - 6, MISSED[1] - 6, MISSED[2] + 6, MISSED[1] + 6)
    user.click("Add")
    state = panel.shows(rows=5)
    (new,) = state["selected"]
    assert state["message"] == f"added spine {new} in 1 plane"
    assert state["rows"][str(new)][:2] == [5, 1]

    assert user.host.ask("script", str(JYTHON / "choose_in_manager.py"), spine=first) == "selected"
    panel.shows(selected=[first], white=[first])
    assert panel.state()["manager"].count(0) == 1


@pytest.mark.fiji
def test_the_recorded_tour_writes_the_same_files_again_with_and_without_windows(
        panel: Panel, host: Host, tmp_path: Path) -> None:
    user = panel.user
    if not user.host.full:
        pytest.skip("needs a whole Fiji, whose dialogs record")
    user.host.ask("script", str(JYTHON / "record.py"))
    stack = tmp_path / "tour" / "cell.tif"
    stack.parent.mkdir()
    shutil.copy(tmp_path / "cell.tif", stack)
    shutil.copy(tmp_path / "cell.prediction", stack.with_suffix(".prediction"))
    user.host.ask("script", str(JYTHON / "close_all.py"))
    run_from_menu(user, "Open DeepD3 Stack...", path=str(stack), saved="true")
    run_from_menu(user, "Build 3D ROIs...")
    state = panel.shows(rows=5)
    numbers = spines_of(state)
    panel.click(numbers[7])
    user.press("Delete")
    panel.shows(rows=4)
    panel.click(numbers[3])
    panel.click(numbers[4], "ctrl")
    panel.shows(selected=sorted([numbers[3], numbers[4]]))
    user.press("m")
    panel.shows(rows=3)
    panel.click(numbers[5])
    panel.shows(planes={"cell.tif": 5, "cell prediction": 5})
    user.host.ask("script", str(JYTHON / "use_tool.py"), name="oval")
    user.drag("cell.tif", MISSED[2] - 6, MISSED[1] - 6, MISSED[2] + 6, MISSED[1] + 6)
    user.click("Add")
    panel.shows(rows=4)
    for button, question in (("Measure\u2026", None), ("Export\u2026", "Replace")):
        assert user.host.ask("script", str(JYTHON / "forget_outcome.py")) == "forgotten"
        user.click(button)
        user.dialog()
        user.enter("ok")
        if question is not None:  # the prediction is there already
            user.click(question)
        user.until(lambda: user.host.ask("outcome") == "done", "the command does not end")
    command = "Export All DeepD3 Results..."
    user.until(lambda: f'run("{command}"' in user.host.ask("recorded"), "nothing is recorded")
    macro = "\n".join(user.host.ask("recorded").split("\t"))
    assert "roiManager(" not in macro
    written = contents(stack.parent)
    for place, again in (("visible", user.host), ("headless", host)):
        folder = tmp_path / place
        folder.mkdir()
        for path in (stack, stack.with_suffix(".prediction")):
            shutil.copy(tmp_path / path.name, folder / path.name)
        replayed = tmp_path / f"{place}.ijm"
        replayed.write_text(macro.replace(str(stack.parent), str(folder)))
        user.host.ask("script", str(JYTHON / "close_all.py"))
        again.ask("macro", str(replayed), seconds=120)
        assert contents(folder) == written, f"{macro}\n{again.log()[-2000:]}"


def run_from_menu(user: User, command: str, **values: str) -> None:
    user.host.ask("menu", command)
    user.dialog()
    for field, text in values.items():
        user.enter(field, text)
    user.until(lambda: user.dialog()["ok"], "the values are not accepted")
    user.enter("ok")
    user.until(lambda: user.host.ask("outcome") == "done", f"{command} does not end")
    user.until(lambda: f'run("{command}"' in user.host.ask("recorded"), "nothing is recorded")


def contents(folder: Path) -> dict[str, Any]:
    """What the written files say, whatever the time and the folder they were written in."""
    found: dict[str, Any] = {"files": sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))}
    for path in sorted(folder.glob("*.csv")):
        found[path.name] = pd.read_csv(path).round(6).to_csv()
    rois = read_roi_zip(folder / "cell_rois.zip", like=open_stack(folder / "cell.tif"))
    found["rois"] = rois.labels.values.tobytes()
    return found
