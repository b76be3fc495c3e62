"""Shapes of spines on a display: shown, moved by the mouse, taken back, hidden."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.scripts.panel import JYTHON, Panel, build_spines, table
from tests.scripts.user import User

pytestmark = [pytest.mark.display, pytest.mark.slow]
SHAPE = (7, 120, 160)


@pytest.fixture
def panel(visible: User, tmp_path: Path) -> Iterator[Panel]:
    """Two round spines above and below a dendrite, with the panel open."""
    z, y, x = np.mgrid[:SHAPE[0], :SHAPE[1], :SHAPE[2]]
    spine = np.zeros(SHAPE, np.float32)
    for cz, cy, cx in ((2, 46, 50), (4, 80, 110)):
        distance = (3 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2
        spine = np.maximum(spine, np.exp(-distance / 30).astype(np.float32))
    dendrite = (np.exp(-((3 * (z - 3)) ** 2 + (y - 63) ** 2) / 40) * (abs(x - 80) < 70)).astype(np.float32)
    visible.host.ask("script", str(JYTHON / "close_all.py"))
    yield build_spines(visible, tmp_path, dendrite, spine)
    visible.host.ask("script", str(JYTHON / "close_all.py"))


def test_base_and_tip_follow_the_mouse_and_count_at_once(panel: Panel) -> None:
    user = panel.user
    state = panel.shows(rows=2)
    assert user.host.ask("quietly", "Measure Dendrites and Spines...") == "done"
    shown = user.until(lambda: (seen := panel.state())["shapes"] and seen, "no shapes", 30)
    assert set(shown["shapes"]) == {"1", "2"}
    (upper,) = [spine for spine, (_, y) in state["bounds"].items() if y < 60]
    before = table(user, "geometry_source", "length_xy_um", "tip_y_um", "tip_x_um")
    assert set(before["geometry_source"].values()) == {"measured"}
    panel.click(int(upper))
    panel.shows(selected=[int(upper)])
    user.press("b")
    user.until(lambda: panel.state()["selection"] == "line", "the line is not selected", 30)
    corners = panel.state()["shapes"][upper]
    x, y = map(round, corners[-1])
    user.drag("cell.tif", x, y, x, y - 8)
    user.until(lambda: table(user, "geometry_source")["geometry_source"][int(upper)] == "user", "nothing follows", 60)
    moved_um = float(table(user, "tip_y_um")["tip_y_um"][int(upper)]) - float(before["tip_y_um"][int(upper)])
    assert moved_um == pytest.approx(-0.8, abs=0.15)
    panel.click(int(upper))
    panel.shows(focused=True)
    user.press("ctrl+z")
    user.until(lambda: table(user, "tip_y_um")["tip_y_um"] == before["tip_y_um"], "undo does not count", 60)
    user.press("l")
    user.until(lambda: not panel.state()["shapes"], "the shapes stay", 30)
