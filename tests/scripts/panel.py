"""A user at the spine panel of a host process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.scripts.user import User

STATE = str(Path(__file__).parent / "jython" / "panel_state.py")


class Panel:
    """A user at the spine panel."""

    def __init__(self, user: User) -> None:
        self.user = user

    def state(self) -> dict[str, Any]:
        return json.loads(self.user.host.ask("script", STATE)) or {}

    def until(self, **expected: Any) -> dict[str, Any]:
        """Wait until the panel shows something: rows (their number) and any other part of its state."""
        def as_expected() -> dict[str, Any] | None:
            state = self.state()
            seen = {**state, "rows": len(state.get("rows", ()))}
            return state if state.get("ready") and all(seen[name] == value for name, value in expected.items()) \
                else None

        return self.user.until(as_expected, f"the panel does not show {expected}, but {self.state()}", 30)

    def click(self, spine: int, *modifiers: str) -> None:
        """Click the row of a spine."""
        self.user.xdotool("mousemove", *self.state()["places"][str(spine)], "sleep", 0.2)
        for key in modifiers:
            self.user.xdotool("keydown", key)
        self.user.xdotool("click", 1)
        for key in modifiers:
            self.user.xdotool("keyup", key)
