"""Reviewing doubtful spines by real keys: each decision counts at once, in the panel and in the open tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.scripts.panel import JYTHON, Panel, build_spines, table
from tests.scripts.user import User

pytestmark = [pytest.mark.display, pytest.mark.slow]
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
    host.ask("script", str(JYTHON / "close_all.py"))
    panel = build_spines(visible, tmp_path, dendrite, spine)
    assert host.ask("quietly", "Measure Dendrites and Spines...") == "done"
    yield panel
    host.ask("script", str(JYTHON / "close_all.py"))


def test_twenty_doubtful_spines_are_decided_by_keys_and_count_in_the_tables_at_once(
        panel: Panel, tmp_path: Path) -> None:
    user = panel.user
    panel.shows(rows=24)
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
        place = f"<b>Spine {spine}</b>, {number + 1} of {REVIEWED}"
        user.until(lambda spine=spine, place=place: (seen := panel.state())["ready"] and seen["selected"] == [spine]
                   and place in seen["review"], f"not at {place}", 30)
        key = KEYS[number % len(KEYS)]
        if key == "r":
            user.press("r")  # there is no outline yet
            panel.shows(message=f"Draw the outline of spine {spine} on the image, in one of its planes, then press R "
                                "again.")
            assert user.host.ask("script", str(JYTHON / "use_tool.py"), name="oval") == "oval"
            x, y = map(round, state["bounds"][str(spine)])
            user.drag("cell.tif", x - 6, y - 6, x + 6, y + 6)
            panel.shows(focused=True)
            redrawn.add(spine)
        user.press(key)
        kept |= {spine} if key == "k" else set()
        deleted |= {spine} if key == "Delete" else set()
        decided = {**dict.fromkeys(kept, "kept"), **dict.fromkeys(redrawn, "redrawn")}
        expected = {other: decided.get(other, "") for other in probabilities if other not in deleted}
        user.until(lambda expected=expected: table(user, "review").get("review", {}) == expected,
                   f"the table does not tell {expected}", 30)
    state = panel.state()
    assert "5 kept, 5 deleted, 5 redrawn, 5 left" in state["review"]
    user.press("ctrl+z")
    panel.shows(message="took the last change back")
    user.press("Escape")
    panel.shows(message="20 spines reviewed: 5 kept, 5 deleted, 4 redrawn", review=None, zoom=before)
    assert user.host.ask("quietly", "Export DeepD3 Tables...", folder=str(tmp_path), overwrite="true") == "done"
    written = pd.read_csv(tmp_path / "cell_spines.csv").set_index("id")["review"].fillna("")
    assert len(written) == 19
    assert written.value_counts().to_dict() == {"": 10, "kept": 5, "redrawn": 4}
