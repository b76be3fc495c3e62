"""Reviewing doubtful spines by real keys: each decision counts at once, in the panel and in the open tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.files.hdf5 import write_prediction
from deepd3_ij.files.tiff import write_stack
from tests.scripts.panel import Panel
from tests.scripts.user import User

pytestmark = pytest.mark.display
JYTHON = Path(__file__).parent / "jython"
SHAPE = (7, 200, 300)
PLACES = [(2 + number % 3, 30 + 65 * (number // 8), 22 + 36 * (number % 8)) for number in range(24)]
REVIEWED = 20
KEYS = ("k", "Delete", "n", "r")
"""What the user presses, again and again: keep, delete, next, redraw."""


def doubtful_order() -> list[int]:
    """Indices of PLACES, the least probable first."""
    return np.random.default_rng(4).permutation(len(PLACES)).tolist()


@pytest.fixture
def panel(visible: User, tmp_path: Path) -> Iterator[Panel]:
    """A stack with 24 spines of different probability along two dendrites, with tables and panel open."""
    host = visible.host
    spine = np.zeros(SHAPE, np.float32)
    for rank, number in enumerate(doubtful_order()):
        z, y, x = PLACES[number]
        spine[z - 1:z + 2, y - 4:y + 5, x - 4:x + 5] = 0.82 + 0.007 * rank
    dendrite = np.zeros_like(spine)
    for y in (55, 120, 185):
        dendrite[1:5, y:y + 7, 5:295] = 0.9
    stack = label_stack((np.maximum(spine, dendrite) * 200).astype(np.uint8), xy_um=0.1, z_um=0.5, source="cell.tif")
    write_stack(tmp_path / "cell.tif", stack)
    write_prediction(tmp_path / "cell.prediction", label_prediction(dendrite, spine, stack, {}))
    host.ask("script", str(JYTHON / "close_all.py"))
    assert host.ask("quietly", "Open DeepD3 Stack...", path=str(tmp_path / "cell.tif"), saved="true") == "done"
    host.ask("start", "dialog", "Build 3D ROIs...")
    visible.dialog()
    visible.enter("ok")
    assert host.ask("wait") == "done"
    assert host.ask("quietly", "Measure Dendrites and Spines...") == "done"
    yield Panel(visible)
    host.ask("script", str(JYTHON / "close_all.py"))


def table(panel: Panel) -> dict[int, str]:
    """Decisions in the open table of spines, by number."""
    columns = json.loads(panel.user.host.ask("script", str(JYTHON / "table_rows.py"), title="Spines of cell prediction",
                                             columns="id,review"))
    return dict(zip(map(int, columns["id"]), columns["review"] or [""] * len(columns["id"]), strict=True))


def test_twenty_doubtful_spines_are_decided_by_keys_and_count_in_the_tables_at_once(
        panel: Panel, tmp_path: Path) -> None:
    user = panel.user
    panel.until(rows=24)
    before = panel.state()["zoom"]
    user.host.ask("start", "dialog", "Review Doubtful Spines...")
    user.dialog()
    user.enter("most", str(REVIEWED))
    user.enter("ok")
    assert user.host.ask("wait") == "done"
    state = user.until(lambda: (seen := panel.state())["review"] and seen, "no review", 30)
    user.until(lambda: panel.state()["zoom"]["cell.tif"] > before["cell.tif"], "no close-up", 30)
    probabilities = {int(spine): values[state["headings"].index("Probability") - 1]
                     for spine, values in state["rows"].items()}
    order = sorted(probabilities, key=probabilities.__getitem__)[:REVIEWED]
    kept, deleted, redrawn = set(), set(), set()
    for number, spine in enumerate(order):
        user.until(lambda spine=spine, number=number: panel.state()["ready"] and panel.state()["selected"] == [spine]
                   and f"<b>Spine {spine}</b>, {number + 1} of {REVIEWED}" in panel.state()["review"],
                   f"not at spine {spine}, {number + 1}: {panel.state()}", 30)
        key = KEYS[number % len(KEYS)]
        if key == "r":
            user.press("r")  # there is no outline yet
            panel.until(message=f"Draw the outline of spine {spine} on the image, in one of its planes, then press R "
                                "again.")
            assert user.host.ask("script", str(JYTHON / "use_tool.py"), name="oval") == "oval"
            _, y, x = min(PLACES, key=lambda place, spine=spine: distance(panel, place, spine))
            user.drag("cell.tif", x - 6, y - 6, x + 6, y + 6)
            redrawn.add(spine)
        user.press(key)
        kept |= {spine} if key == "k" else set()
        deleted |= {spine} if key == "Delete" else set()
        panel.until(rows=24 - len(deleted))
        decided = {**dict.fromkeys(kept, "kept"), **dict.fromkeys(redrawn, "redrawn")}
        expected = {other: decided.get(other, "") for other in probabilities if other not in deleted}
        user.until(lambda expected=expected: table(panel) == expected, f"the table does not tell {expected}", 30)
    state = panel.state()
    assert "5 kept, 5 deleted, 5 redrawn, 5 left" in state["review"]
    user.press("ctrl+z")
    user.press("Escape")
    panel.until(message="20 spines reviewed: 5 kept, 5 deleted, 4 redrawn", review=None, zoom=before)
    assert user.host.ask("quietly", "Export DeepD3 Tables...", folder=str(tmp_path), overwrite="true") == "done"
    written = pd.read_csv(tmp_path / "cell_spines.csv").set_index("id")["review"].fillna("")
    assert len(written) == 19
    assert written.value_counts().to_dict() == {"": 10, "kept": 5, "redrawn": 4}


def distance(panel: Panel, place: tuple[int, int, int], spine: int) -> float:
    """How far a place is from the middle of what the image shows of a spine."""
    x, y = panel.state()["bounds"][str(spine)]
    return float(np.hypot(place[1] - y, place[2] - x))
