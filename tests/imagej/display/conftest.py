"""A visible session, and a user's hands."""

import subprocess
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from deepd3_ij import fiji
from deepd3_ij.fiji.java import java_class
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack
from tests.imagej.conftest import host

SHAPE = (12, 200, 260)


@pytest.fixture(scope="session")
def session() -> Iterator[fiji.Session]:
    session = fiji.connect(host(), mode="interactive")
    yield session
    session.close()


@pytest.fixture(autouse=True)
def _no_windows_left(session: fiji.Session) -> Iterator[None]:
    yield
    manager = java_class("ij.plugin.frame.RoiManager").getInstance()
    if manager is not None:
        manager.reset()
    for window in java_class("java.awt.Window").getWindows():
        if isinstance(window, java_class("java.awt.Dialog")):
            window.dispose()
    windows = java_class("ij.WindowManager")
    for number in list(windows.getIDList() or ()):
        image = windows.getImage(number)
        image.changes = False
        image.close()


def wait_for(condition: Callable[[], object], seconds: float = 120) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"nothing happened within {seconds} s")


def xdotool(*arguments: object) -> None:
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def double_click(image: object, x: int, y: int) -> None:
    """A user's double click on a pixel of an image."""
    canvas = image.getCanvas()  # type: ignore[attr-defined]
    image.getWindow().toFront()  # type: ignore[attr-defined]
    wait_for(canvas.isShowing)
    time.sleep(0.3)
    corner = canvas.getLocationOnScreen()
    xdotool("mousemove", corner.x + canvas.screenX(x), corner.y + canvas.screenY(y),
            "click", "--repeat", 2, "--delay", 60, 1)


def press(button: object) -> None:
    """Press a button of a dialog, on the event thread as the mouse does."""
    event = java_class("java.awt.event.ActionEvent")
    button.getToolkit().getSystemEventQueue().postEvent(  # type: ignore[attr-defined]
        event(button, event.ACTION_PERFORMED, button.getLabel()))  # type: ignore[attr-defined]


def dialog(title: str) -> object:
    """The open dialog of a title."""
    def find() -> object:
        for window in java_class("java.awt.Window").getWindows():
            if isinstance(window, java_class("java.awt.Dialog")) and window.isShowing() \
                    and str(window.getTitle()) == title:
                return window
        return None

    found = wait_for(find)
    # A modal dialog is showing a moment before its thread waits; closed in between, that thread would wait for ever.
    time.sleep(0.5)
    return found


def balls() -> RoiSet:
    """Four spines on a stack of 12 planes."""
    z, y, x = np.mgrid[:SHAPE[0], :SHAPE[1], :SHAPE[2]]
    labels = np.zeros(SHAPE, np.int32)
    for number, (cz, cy, cx) in enumerate([(2, 30, 40), (5, 90, 130), (8, 150, 60), (9, 60, 220)], start=1):
        labels[(2 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= 36] = number
    return RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5, source="cell.tif"))
