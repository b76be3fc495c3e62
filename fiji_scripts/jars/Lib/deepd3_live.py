"""Trying 3-D ROI parameters on a prediction: click, move sliders, see the ROIs of a crop at once.

Jython 2.7. The parameters, their ranges and defaults come from the service.
"""

import json
import threading

import deepd3_fiji as deepd3
from deepd3_transport import Array
from ij.gui import DialogListener, NonBlockingGenericDialog, Overlay, Roi
from ij.plugin.frame import RoiManager
from java.awt import Color
from java.awt.event import MouseAdapter
from java.lang import System
import jarray

PLANES_BEFORE, PLANES, SIDE_PX = 3, 6, 128
FIELDS = ("mode", "sigma_px", "area_threshold", "peak_threshold", "seed_delta", "distance_um", "min_px", "max_px",
          "min_planes", "watershed")
# Useful parts of ranges that are wider than a slider; other values can be typed.
SLIDERS = {"sigma_px": (0.0, 3.0), "distance_um": (0.0, 10.0), "min_px": (1, 500), "max_px": (1, 10000),
           "min_planes": (1, 10)}


class LiveTest(object):
    """Listens to clicks on a prediction until its dialog is closed."""

    def __init__(self, fiji, image):
        self.fiji = fiji
        self.image = image
        reply, _ = fiji.call("parameters", {"kind": "Roi3DParameters"})
        self.parameters = dict((item["name"], item) for item in reply["parameters"])
        self.values = dict((name, self.parameters[name]["default"]) for name in FIELDS)
        self.values.update((name, value) for name, value in deepd3.tested_parameters(image).items() if name in FIELDS)
        self.crop = None
        self.spine = None
        self.dialog = None
        self._lock = threading.Lock()

    def start(self):
        """Show the dialog; returns when it is closed."""
        before = self.image.getOverlay()
        self._show_manager("Show None")
        clicks = _Clicks(self)
        self.image.getCanvas().addMouseListener(clicks)
        try:
            planes, height, width = deepd3.shape_of(self.image)
            self.move_to(self.image.getZ() - 1, height // 2, width // 2)
            if self._ask():
                self.image.setProp(deepd3.ROI_PARAMETERS, json.dumps(self.values))
        finally:
            if self.image.getCanvas() is not None:
                self.image.getCanvas().removeMouseListener(clicks)
            self.image.setOverlay(before)
            self._show_manager("Show All without labels")

    def _show_manager(self, command):
        """The ROI Manager's outlines would lie over those of the test."""
        manager = RoiManager.getInstance()
        if manager is not None and manager.getCount() > 0:
            manager.runCommand(self.image, command)

    def move_to(self, z, y, x):
        """Test around a pixel."""
        starts = []
        for position, reach, size, whole in zip((z, y, x), (PLANES_BEFORE, SIDE_PX // 2, SIDE_PX // 2),
                                                (PLANES, SIDE_PX, SIDE_PX), deepd3.shape_of(self.image)):
            start = max(0, min(position - reach, whole - size))
            starts.append((start, min(whole, start + size)))
        self.crop = starts
        self.spine = self._read()
        self.draw()

    def draw(self):
        """Build and show the ROIs of the crop with the values as they are."""
        with self._lock:
            values = {"image": dict(deepd3.describe(self.image), origin_px=[0, 0, 0]),
                      "choice": {"typed": self.values}}
            try:
                reply, arrays = deepd3.deepd3_transport.call(self.fiji.context, "test_rois", values,
                                                             {"spine": self.spine})
            except deepd3.DeepD3Error as error:
                self._say(error.message)
                return
        (z, _), (top, bottom), (left, right) = self.crop
        overlay = Overlay()
        frame = Roi(left, top, right - left, bottom - top)
        frame.setStrokeColor(Color.yellow)
        overlay.add(frame)
        for roi in deepd3.decoded(reply["lengths"], arrays["outlines"]):
            bounds = roi.getBounds()
            roi.setLocation(bounds.x + left, bounds.y + top)
            roi.setPosition(0, roi.getZPosition() + z, 0)
            overlay.add(roi)
        self.image.setOverlay(overlay)
        self._say("%d ROIs in %d x %d pixels, planes %d to %d; click elsewhere to move" % (
            reply["count"], right - left, bottom - top, z + 1, self.crop[0][1]))

    def _read(self):
        channel = deepd3.map_channels(self.image)[1]
        (first, last), (top, bottom), (left, right) = self.crop
        width, stack, planes = self.image.getWidth(), self.image.getStack(), []
        for z in range(first, last):
            source = stack.getPixels(self.image.getStackIndex(channel, z + 1, 1))
            plane = jarray.zeros((bottom - top) * (right - left), "f")
            for row in range(top, bottom):
                System.arraycopy(source, row * width + left, plane, (row - top) * (right - left), right - left)
            planes.append(plane)
        return Array("float32", [last - first, bottom - top, right - left], planes)

    def _ask(self):
        dialog = NonBlockingGenericDialog("Test 3D ROIs")
        for name in FIELDS:
            item, value = self.parameters[name], self.values[name]
            label = _label(item)
            if item["type"] == "bool":
                dialog.addCheckbox(label, value)
            elif item["choices"]:
                dialog.addChoice(label, item["choices"], value)
            else:
                low, high = SLIDERS.get(name, (item["low"], item["high"]))
                dialog.addSlider(label, float(low), float(high), float(value), 1.0 if item["type"] == "int" else 0.05)
        dialog.addMessage(" " * 70)
        dialog.setOKLabel("Keep settings")
        dialog.setCancelLabel("Close")
        dialog.addDialogListener(_Changes(self))
        _place_beside(dialog, self.image.getWindow())
        self.dialog = dialog
        self.draw()
        dialog.showDialog()
        self.dialog = None
        return dialog.wasOKed()

    def read(self, dialog):
        """Take the values of the dialog."""
        values = {}
        for name in FIELDS:
            kind = self.parameters[name]["type"]
            if kind == "bool":
                values[name] = bool(dialog.getNextBoolean())
            elif self.parameters[name]["choices"]:
                values[name] = dialog.getNextChoice()
            else:
                number = dialog.getNextNumber()
                values[name] = int(round(number)) if kind == "int" else round(number, 6)
        self.values = values

    def _say(self, text):
        label = self.dialog.getMessage() if self.dialog is not None else None
        if label is not None:
            label.setText(text)


def _place_beside(dialog, window):
    """Right of a window, so that it does not cover what it changes; left of it where the screen ends."""
    dialog.centerDialog(False)
    dialog.pack()
    x = window.getX() + window.getWidth() + 10
    if x + dialog.getWidth() > dialog.getToolkit().getScreenSize().width:
        x = max(0, window.getX() - dialog.getWidth() - 10)
    dialog.setLocation(x, window.getY())


def _label(item):
    text, unit = item["label"], {"um": "micron"}.get(item["unit"], item["unit"])
    for ending in (" um", " px"):
        if text.endswith(ending):
            text = text[:-len(ending)]
    return "%s (%s)" % (text, unit) if unit and not text.endswith(unit) else text


class _Clicks(MouseAdapter):
    def __init__(self, test):
        self.test = test

    def mousePressed(self, event):  # noqa: N802 - Java's name
        canvas = self.test.image.getCanvas()
        self.test.move_to(self.test.image.getZ() - 1, canvas.offScreenY(event.getY()), canvas.offScreenX(event.getX()))


class _Changes(DialogListener):
    def __init__(self, test):
        self.test = test

    def dialogItemChanged(self, dialog, event):  # noqa: N802 - Java's name
        self.test.read(dialog)
        if event is not None:
            self.test.draw()
        return not dialog.invalidNumber()
