"""A user at the spine panel of a host process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.files.hdf5 import write_prediction
from deepd3_ij.files.tiff import write_stack
from tests.scripts.user import User
from tests.scripts.window import JYTHON, State, Window


def build_spines(user: User, folder: Path, dendrite: np.ndarray, spine: np.ndarray) -> Panel:
    """A stack ``cell.tif`` with its prediction, whose spines a user builds; they come up in the panel."""
    stack = label_stack((np.maximum(spine, dendrite) * 200).astype(np.uint8), xy_um=0.1, z_um=0.5, source="cell.tif")
    write_stack(folder / "cell.tif", stack)
    write_prediction(folder / "cell.prediction", label_prediction(dendrite, spine, stack, {}))
    assert user.host.ask("quietly", "Open DeepD3 Stack...", path=str(folder / "cell.tif"), saved="true") == "done"
    user.host.ask("start", "dialog", "Build 3D ROIs...")
    user.dialog()
    user.enter("ok")
    assert user.host.ask("wait") == "done"
    return Panel(user)


def table(user: User, *columns: str) -> dict[str, dict[int, str]]:
    """Columns of the open table of spines, by spine; a column that it lacks is left out."""
    told = json.loads(user.host.ask("script", str(JYTHON / "table_rows.py"), title="Spines of cell prediction",
                                    columns=",".join(["id", *columns])))
    return {name: dict(zip(map(int, told["id"]), told[name], strict=True)) for name in columns
            if told[name] is not None}


class Panel(Window):
    """A user at the spine panel."""

    def __init__(self, user: User) -> None:
        super().__init__(user, "panel_state.py")

    def shows(self, **expected: Any) -> State:
        """Wait until the panel shows something: rows (their number) and any other part of its state."""
        def as_expected(state: State) -> bool:
            seen = {**state, "rows": len(state.get("rows", ()))}
            return bool(state.get("ready")) and all(seen[name] == value for name, value in expected.items())

        return self.until(as_expected, f"the panel does not show {expected}", 30)

    def click(self, spine: int, *modifiers: str) -> None:
        """Click the row of a spine."""
        self.user.xdotool("mousemove", *self.state()["places"][str(spine)], "sleep", 0.2)
        for key in modifiers:
            self.user.xdotool("keydown", key)
        self.user.xdotool("click", 1)
        for key in modifiers:
            self.user.xdotool("keyup", key)
