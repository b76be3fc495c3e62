"""A user's hands and eyes on the display of a host process."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.scripts.host_process import Host

STATE = str(Path(__file__).parent / "jython" / "dialog_state.py")
TYPE = str(Path(__file__).parent / "jython" / "dialog_type.py")
FOCUS = str(Path(__file__).parent / "jython" / "dialog_focus.py")
LOOK = str(Path(__file__).parent / "jython" / "look.py")


class User:
    """Clicks, drags and looks; every wait ends with an error after two minutes."""

    def __init__(self, host: Host, display: str) -> None:
        self.host, self.display = host, display

    def look(self) -> dict[str, Any]:
        """What the active image shows."""
        return dict(json.loads(self.host.ask("script", LOOK)) or {})

    def click(self, label: str) -> None:
        """Click a button as soon as it shows."""
        self.until(lambda: self.host.ask("where", label), f"no button {label!r}")
        time.sleep(0.5)  # its window comes to the front
        self._press(self.until(lambda: self.host.ask("where", label), f"no button {label!r} any more"))

    def dialog(self) -> dict[str, Any]:
        """What the open dialog of a command shows, as soon as there is one."""
        return dict(json.loads(str(self.until(lambda: self._dialog(), "no dialog"))))

    def no_dialog(self) -> bool:
        """No dialog of a command is open."""
        return self._dialog() == ""

    def enter(self, field: str, text: str = "") -> None:
        """Type into a field of the open dialog, choose there, press a button by its name, open NAME.list."""
        assert self.host.ask("script", TYPE, field=field, text=text) == "typed"

    def focus(self, field: str) -> None:
        """Put the cursor into a field of the open dialog."""
        self.until(lambda: self.host.ask("script", FOCUS, field=field) == "focused", "the field takes no focus")

    def press(self, key: str) -> None:
        """Press a key."""
        self.xdotool("key", key)

    def _dialog(self) -> str:
        state = self.host.ask("script", STATE)
        return "" if state == "null" else state

    def click_pixel(self, title: str, x: int, y: int, times: int = 1) -> None:
        """Click a pixel of an image, or double-click it."""
        self.until(lambda: self.host.ask("pixel", title, str(x), str(y)), f"no image {title!r}")
        time.sleep(0.5)  # the window comes to the front
        self._press(self.host.ask("pixel", title, str(x), str(y)), times)

    def drag(self, title: str, left: int, top: int, right: int, bottom: int) -> None:
        """Drag the mouse from one pixel of an image to another."""
        self.until(lambda: self.host.ask("pixel", title, str(left), str(top)), f"no image {title!r}")
        time.sleep(0.5)  # the window comes to the front
        begin, end = (self.host.ask("pixel", title, str(x), str(y)).split() for x, y in ((left, top), (right, bottom)))
        self.xdotool("mousemove", *begin, "sleep", 0.2, "mousedown", 1, "sleep", 0.1, "mousemove", *end, "sleep", 0.1,
                     "mousemove", *end, "sleep", 0.1, "mouseup", 1)

    def step_slider(self, number: int, steps: int) -> None:
        """Click the arrow at the right end of a slider of a dialog several times."""
        self.until(lambda: self.host.ask("slider", str(number)), f"no slider {number}")
        x, y, width, _ = map(int, self.host.ask("slider", str(number)).split())
        for _ in range(steps):
            self.xdotool("mousemove", x + width - 5, y, "click", 1)
            time.sleep(0.1)

    def until(self, condition: Callable[[], Any], problem: str, seconds: float = 120) -> Any:
        """Wait for something."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.1)
        raise AssertionError(f"{problem}; windows: {self.host.ask('windows')}; log: {self.host.log()[-2000:]}")

    def _press(self, place: str, times: int = 1) -> None:
        self.xdotool("mousemove", *place.split(), "sleep", 0.2, "click", "--repeat", times, "--delay", 80, 1)

    def xdotool(self, *arguments: object) -> None:
        """Move and press the mouse, press keys."""
        subprocess.run(["xdotool", *map(str, arguments)], check=True, env={**os.environ, "DISPLAY": self.display})
