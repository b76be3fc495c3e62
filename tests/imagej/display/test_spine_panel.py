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
from tests.imagej.display.conftest import wait_for, xdotool

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

SHAPES = """#@ String name
#@output String answer
from deepd3_events import on_event_thread
from deepd3_panel import open_panel
from deepd3_shapes import shapes_shown
panel = open_panel()
if name:
    on_event_thread(getattr(panel, name))
answer = "shown" if shapes_shown(panel.spines) else "no shapes"
"""
REVIEW = """from deepd3_events import on_event_thread
from deepd3_panel import open_panel
panel = open_panel()

def begin():
    panel.begin_review(panel.ids())
    panel.select(panel.ids())

on_event_thread(begin)
"""


def built(session: Session, name: str) -> Any:
    """A prediction with a spine, and its ROIs."""
    spine = np.zeros((4, 120, 150), np.float32)
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
    dispose_panel()


def dispose_panel() -> None:
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


def test_shapes_come_when_they_are_asked_for_though_the_tables_were_measured_without(session: Session,
                                                                                     panel: Any) -> None:
    run_command(session, "Measure Dendrites and Spines...", image=panel, shapes=False)
    assert str(run_jython(session, SHAPES, name="").getOutput("answer")) == "no shapes"
    run_jython(session, SHAPES, name="shapes")
    wait_for(lambda: str(run_jython(session, SHAPES, name="").getOutput("answer")) == "shown", 60)


def test_a_panel_that_is_closed_in_a_review_leaves_the_images_as_they_were(session: Session, panel: Any) -> None:
    before = panel.getCanvas().getMagnification()
    run_jython(session, REVIEW)
    wait_for(lambda: panel.getCanvas().getMagnification() > before, 60)
    dispose_panel()
    wait_for(lambda: panel.getCanvas().getMagnification() == before, 60)


def test_a_row_of_a_table_that_stayed_open_goes_to_the_spine_of_the_image_opened_anew(session: Session) -> None:
    publish(session)
    for _ in range(2):
        image = built(session, "one.tif")
        run_command(session, "Measure Dendrites and Spines...", image=image)
        window = java_class("ij.WindowManager").getWindow(f"Spines of {image.getTitle()}")
        wait_for(window.isShowing)
        image.setZ(1)
        window.toFront()
        corner = window.getTextPanel().getLocationOnScreen()
        xdotool("sleep", 0.5, "mousemove", corner.x + 20, corner.y + 28, "click", 1)
        wait_for(lambda image=image: image.getZ() in (2, 3), 20)
        image.changes = False
        image.close()
        java_class("ij.plugin.frame.RoiManager").getInstance().reset()
