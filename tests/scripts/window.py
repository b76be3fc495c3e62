"""A user at a window that stays open, seen through a script in ``jython``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.scripts.user import User

JYTHON = Path(__file__).parent / "jython"
State = dict[str, Any]


class Window:
    """A window as a script shows it.

    Parameters
    ----------
    user
        Whose display it is on.
    script
        Name of the script; it answers with the window's state as JSON, null while there is none.
    """

    def __init__(self, user: User, script: str) -> None:
        self.user, self.script = user, str(JYTHON / script)

    def state(self, **values: str) -> State:
        """What it shows; empty while there is no window. Values are those of the script."""
        return dict(json.loads(self.user.host.ask("script", self.script, **values)) or {})

    def until(self, condition: Callable[[State], Any], problem: str, seconds: float = 40) -> State:
        """Wait for a state."""
        def seen() -> State | None:
            state = self.state()
            return state if state and condition(state) else None

        try:
            return dict(self.user.until(seen, problem, seconds))
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows {self.state()}") from None


class FormWindow(Window):
    """A window whose script can press a part of it by its name, or give it a text."""

    def state(self, press: str = "-", text: object = "-") -> State:  # type: ignore[override]  # by position
        return super().state(press=press, text=text if isinstance(text, str) else json.dumps(text))

    def until(self, condition: Callable[[State], Any], problem: str, seconds: float = 40) -> State:
        """Wait for a state in which it is not busy."""
        return super().until(lambda state: not state["busy"] and condition(state), problem, seconds)
