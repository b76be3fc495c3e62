"""A ROI is measured and shown in the plane of the image that it was drawn on: on every kind of image."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepd3_ij import label_stack
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.java import java_class
from deepd3_ij.names import FRAME, SOURCE_ID
from deepd3_ij.rois import RoiSet
from deepd3_ij.service.in_process import publish, run_command
from deepd3_ij.stack import label_prediction
from tests.imagej.display.conftest import wait_for

PLANES, HEIGHT, WIDTH = 8, 40, 48
KINDS = ("stack", "prediction", "merged", "hyperstack", "one plane")


def has_lines(image: Any, plane: int, frame: int = 1) -> bool:
    """Whether the window of an image shows ROIs in a plane: whether it looks otherwise than without them."""
    image.setPosition(image.getC(), plane, frame)
    canvas, overlay = image.getCanvas(), image.getOverlay()
    show_all = canvas.getShowAllList()
    size = canvas.getWidth(), canvas.getHeight()  # a window that was just opened may still change it
    with_rois = painted(canvas, *size)
    image.setOverlay(None)
    canvas.setShowAllList(None)
    without = painted(canvas, *size)
    image.setOverlay(overlay)
    canvas.setShowAllList(show_all)
    return bool((with_rois != without).any())


def painted(canvas: Any, width: int, height: int) -> np.ndarray:
    """The pixels that a window of a size shows."""
    picture = java_class("java.awt.image.BufferedImage")(width, height, 1)
    graphics = picture.createGraphics()
    canvas.paint(graphics)
    graphics.dispose()
    return np.array(picture.getRaster().getDataBuffer().getData())


class Bench:
    """A stack of some kind, its prediction, and a ROI Manager."""

    def __init__(self, session: Session, kind: str) -> None:
        self.session, self.kind = session, kind
        planes = 1 if kind == "one plane" else PLANES
        stack = label_stack(np.zeros((planes, HEIGHT, WIDTH), np.uint8), xy_um=0.1, z_um=0.5, source="cell.tif")
        empty = np.zeros((planes, HEIGHT, WIDTH), np.float32)
        prediction = label_prediction(empty, empty, stack, {})
        self.frame = 2 if kind == "hyperstack" else 1
        if kind == "hyperstack":
            self.stack = session.push(stack.expand_dims(t=3))
            self.stack.setT(self.frame)
        else:
            self.stack = session.push(stack)
        self.prediction = session.push(prediction, source=self.stack)
        if kind == "hyperstack":
            self.prediction.setProp(FRAME, str(self.frame))
        self.images = [self.stack, self.prediction]
        if kind == "merged":
            merged = session.push_merged(stack, prediction)
            merged.setProp(SOURCE_ID, self.stack.getProp("deepd3.id"))
            self.images.append(merged)
        self.image = {"prediction": self.prediction, "merged": self.images[-1]}.get(kind, self.stack)
        self.planes = planes
        self.first, self.second = (1, 1) if planes == 1 else (6, 3)
        java_class("ij.WindowManager").setCurrentWindow(self.image.getWindow())
        self.manager = java_class("ij.plugin.frame.RoiManager").getRoiManager()
        self.manager.reset()

    def draw(self, plane: int, x: int = 10, y: int = 12) -> None:
        """Draw a rectangle of 6 x 5 pixels in a plane, counted from 1."""
        self.image.setPosition(self.image.getC(), plane, self.frame if self.image.getNFrames() > 1 else 1)
        self.image.setRoi(java_class("ij.gui.Roi")(x, y, 6, 5))

    def add(self, plane: int, x: int = 10, y: int = 12) -> None:
        """Draw and press t."""
        self.draw(plane, x, y)
        self.manager.runCommand(self.image, "Add")
        self.image.deleteRoi()

    def measured(self, image: Any) -> dict[int, tuple[int, int]]:
        """First row and column of what is measured, by plane from 1, when a command is called on an image."""
        run_command(self.session, "Show Spine Labels", image=image)
        shown = java_class("ij.WindowManager").getCurrentImage()
        labels = self.session.pull(shown, kind="labels").values
        shown.changes = False
        shown.close()
        found = {}
        for plane in np.flatnonzero(labels.any(axis=(1, 2))):
            y, x = np.nonzero(labels[plane])
            assert len(y) == 30
            found[int(plane) + 1] = (int(y.min()), int(x.min()))
        return found

    def shown(self, image: Any) -> set[int]:
        """Planes, from 1, in which an image shows a ROI."""
        image.deleteRoi()
        return {plane for plane in range(1, image.getNSlices() + 1)
                if has_lines(image, plane, self.frame if image.getNFrames() > 1 else 1)}


def draw_and_add(bench: Bench, folder: Path) -> tuple[int, int, int]:
    bench.add(bench.first)
    return bench.first, 12, 10


def update(bench: Bench, folder: Path) -> tuple[int, int, int]:
    bench.add(bench.first)
    bench.manager.select(bench.image, 0)
    wait_for(lambda: bench.image.getRoi() is not None)
    bench.draw(bench.second, 20, 22)
    bench.manager.runCommand(bench.image, "Update")
    return bench.second, 22, 20


def move(bench: Bench, folder: Path) -> tuple[int, int, int]:
    bench.add(bench.first)
    bench.manager.select(bench.image, 0)
    bench.image.getRoi().setLocation(15, 17)
    bench.manager.runCommand(bench.image, "Update")
    return bench.first, 17, 15


def move_the_shown_one(bench: Bench, folder: Path) -> tuple[int, int, int]:
    """With Show All, ImageJ moves the very ROI of the manager; nothing is told by an Update."""
    bench.add(bench.first)
    bench.manager.runCommand(bench.image, "Show All without labels")
    wait_for(lambda: bench.image.getOverlay() is not None and bench.image.getOverlay().size() == 1)
    bench.manager.select(bench.image, 0)
    bench.manager.getRoi(0).setLocation(15, 17)
    bench.manager.runCommand(bench.image, "Show None")
    return bench.first, 17, 15


def delete(bench: Bench, folder: Path) -> tuple[int, int, int]:
    bench.add(bench.first)
    bench.add(bench.second, 30, 30)
    bench.manager.select(1)
    bench.manager.runCommand("Delete")
    return bench.first, 12, 10


def set_position(bench: Bench, folder: Path) -> tuple[int, int, int]:
    bench.add(bench.first)
    roi = bench.manager.getRoi(0)
    if bench.image.isHyperStack():
        roi.setPosition(1, bench.second, bench.frame)
    elif bench.planes > 1:
        roi.setPosition(bench.second)
    return bench.second, 12, 10


def load_zip(bench: Bench, folder: Path) -> tuple[int, int, int]:
    bench.add(bench.first)
    bench.add(bench.first, 30, 30)
    bench.manager.deselect()
    assert bench.manager.runCommand("Save", str(folder / "rois.zip"))
    bench.manager.reset()
    bench.manager.runCommand("Open", str(folder / "rois.zip"))
    bench.manager.select(1)
    bench.manager.runCommand("Delete")
    return bench.first, 12, 10


@pytest.fixture
def bench(session: Session, request: pytest.FixtureRequest) -> Iterator[Bench]:
    publish(session)
    made = Bench(session, request.param)
    yield made
    for frame in java_class("java.awt.Frame").getFrames():
        if str(frame.getName()) == "deepd3.panel":
            frame.dispose()
    made.manager.reset()
    for image in made.images:
        image.changes = False
        image.close()


@pytest.mark.parametrize("action", [draw_and_add, update, move, move_the_shown_one, delete, set_position, load_zip])
@pytest.mark.parametrize("bench", KINDS, indirect=True)
def test_a_roi_is_measured_and_shown_in_its_plane_only(
        bench: Bench, action: Callable[[Bench, Path], tuple[int, int, int]], tmp_path: Path) -> None:
    run_command(bench.session, "Spine Panel", image=bench.image)
    plane, y, x = action(bench, tmp_path)
    for image in bench.images:
        assert bench.measured(image) == {plane: (y, x)}
    for image in bench.images:
        wait_for(lambda image=image: bench.shown(image) == {plane}, 20)


@pytest.mark.parametrize("where", ["overlay", "manager"])
def test_rois_that_python_pushes_onto_a_plain_stack_show_in_their_plane_only(session: Session, where: str) -> None:
    stack = label_stack(np.zeros((PLANES, HEIGHT, WIDTH), np.uint8), xy_um=0.1, z_um=0.5)
    image = session.push(stack)
    labels = np.zeros(stack.shape, np.int32)
    labels[3, 10:15, 10:15] = 1
    session.push_rois(RoiSet.from_labels(labels, stack), image, where=where)
    wait_for(lambda: [plane for plane in range(1, PLANES + 1) if has_lines(image, plane)] == [4], 20)
