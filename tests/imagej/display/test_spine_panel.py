"""The spine panel on bad days."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class
from deepd3_ij.service.in_process import publish, run_command, run_jython
from tests.imagej.display.conftest import wait_for

STATE = """#@output String answer
import json
from deepd3_panel import open_panel
panel = open_panel()
answer = json.dumps([panel._message.getToolTipText() or "", panel._buttons["delete"].isEnabled(),
                     panel.frame.getTitle()])
"""
FAIL = """from deepd3_events import on_event_thread
from deepd3_panel import open_panel

def fail(call):
    raise ZeroDivisionError("the sky fell")

panel = open_panel()
on_event_thread(lambda: panel._edit(fail, "Delete Spines...", lambda: []))
"""


def built(session: Session, name: str) -> Any:
    """A prediction with a spine, and its ROIs."""
    spine = np.zeros((4, 40, 50), np.float32)
    spine[1:3, 10:16, 10:16] = 0.95
    like = label_stack(spine, xy_um=0.1, z_um=0.5, source=name)
    image = session.push(label_prediction(np.zeros_like(spine), spine, like, {}))
    run_command(session, "Build 3D ROIs...", image=image)
    return image


def state(session: Session) -> tuple[str, bool, str]:
    message, enabled, title = json.loads(str(run_jython(session, STATE).getOutput("answer")))
    return message, enabled, title


@pytest.fixture
def panel(session: Session) -> Iterator[Any]:
    publish(session)
    image = built(session, "one.tif")
    run_command(session, "Spine Panel", image=image)
    yield image
    for frame in java_class("java.awt.Frame").getFrames():
        if str(frame.getName()) == "deepd3.panel":
            frame.dispose()


def test_a_correction_that_fails_unexpectedly_is_told_and_the_panel_goes_on(session: Session, panel: Any) -> None:
    run_jython(session, FAIL)
    wait_for(lambda: "the sky fell" in state(session)[0] and state(session)[1])
    assert state(session)[0].startswith("Unexpected error")
    assert "ZeroDivisionError" in str(java_class("ij.IJ").getLog())


def test_the_panel_turns_to_another_image_when_its_own_was_closed(session: Session, panel: Any) -> None:
    assert state(session)[2] == "Spines of one"
    panel.changes = False
    panel.close()
    other = built(session, "two.tif")
    java_class("ij.WindowManager").setCurrentWindow(other.getWindow())
    wait_for(lambda: state(session)[2] == "Spines of two")
