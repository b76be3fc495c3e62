"""Trying 3-D ROI parameters on a prediction: click, move sliders, see the ROIs of a crop at once.

Jython 2.7. The parameters, their ranges and defaults come from the service.
"""

import json
import threading

import deepd3_transport
from deepd3_colours import FRAME
from deepd3_editing import cropped
from deepd3_errors import DeepD3Error
from deepd3_images import describe, map_channels, pixels, shape_of
from deepd3_names import MERGED, ROI_PARAMETERS, ROLE, STACK, TEST_AT, TESTING
from deepd3_placement import place_beside
from deepd3_rois import decoded, kept_parameters
from ij.gui import DialogListener, NonBlockingGenericDialog, Overlay, Roi
from ij.plugin.frame import RoiManager
from java.awt import Color
from java.awt.event import MouseAdapter

SPINE_MAP, INTENSITY = "spine map", "intensity"
PLANES_BEFORE, PLANES, SIDE_PX = 3, 6, 128
# Useful parts of ranges that are wider than a slider; other values can be typed.
COMMAND = "Build 3D ROIs..."
SLIDERS = {"sigma_px": (0.0, 3.0), "distance_um": (0.0, 10.0), "min_voxels": (1, 500), "max_voxels": (1, 10000),
           "min_planes": (1, 10), "split_prominence": (0.0, 10.0), "split_sigma_um": (0.0, 1.0)}


class LiveTest(object):
    """Listens to clicks on a prediction and its stack until its dialog is closed."""

    def __init__(self, fiji, image):
        self.fiji = fiji
        self.prediction, self.grey = _sources(fiji, image)
        self.choices = [name for name, source in ((SPINE_MAP, self.prediction), (INTENSITY, self.grey)) if source]
        self.data = self.choices[0]
        self.image = image if image in (self.prediction, self.grey) else self.prediction or self.grey
        # All values are seen and sent here, so a preset would change none.
        self.fields = [item for item in fiji.fields_of(COMMAND, {}, calibrated=True)["fields"]
                       if item["step"] and item["name"] != "preset"]
        self.shown = dict((item["name"], item["value"]) for item in self.fields)
        self.values = dict(self.shown)
        self.crop = None
        self.pixels = {}
        self.dialog = None
        self._lock = threading.Lock()

    def start(self):
        """Show the dialog, for the place that was clicked or the middle; returns when it is closed."""
        images = [image for image in self._images() if image.getCanvas() is not None]
        before = [(image, image.getOverlay()) for image in images]
        listeners = []
        for image in images:
            image.setProp(TESTING, "true")
            _show_manager(image, "Show None")
            listeners.append((image.getCanvas(), _Clicks(self, image)))
            listeners[-1][0].addMouseListener(listeners[-1][1])
        try:
            self._place(*self._beginning())
            self._draw()
            if self._ask():
                self._keep()
        finally:
            for canvas, clicks in listeners:
                canvas.removeMouseListener(clicks)
            for image, overlay in before:
                image.setProp(TESTING, None)
                image.setOverlay(overlay)
                _show_manager(image, "Show All without labels")

    def _beginning(self):
        """Plane, row and column of the click, else of the middle."""
        clicked = self.image.getProp(TEST_AT)
        self.image.setProp(TEST_AT, None)
        if clicked:
            return [int(number) for number in clicked.split()]
        return [self.image.getZ() - 1, self.image.getHeight() // 2, self.image.getWidth() // 2]

    def _keep(self):
        """Keep what was changed, so that the model's values count for the rest, and what was kept before."""
        changed = dict(item for item in self.values.items() if item[1] != self.shown[item[0]])
        for image in self._images():
            image.setProp(ROI_PARAMETERS, json.dumps(dict(kept_parameters(image), **changed)))

    def _images(self):
        found = [self.image]
        for image in (self.prediction, self.grey):
            if image is not None and not [other for other in found if other is image]:
                found.append(image)
        return found

    def move_to(self, z, y, x):
        """Test around a pixel."""
        self._place(z, y, x)
        self.draw()

    def _place(self, z, y, x):
        starts = []
        for position, reach, size, whole in zip((z, y, x), (PLANES_BEFORE, SIDE_PX // 2, SIDE_PX // 2),
                                                (PLANES, SIDE_PX, SIDE_PX), shape_of(self.image)):
            start = max(0, min(position - reach, whole - size))
            starts.append((start, min(whole, start + size)))
        self.crop = starts
        self.pixels = {}

    def draw(self):
        """Build and show the ROIs of the crop with the values as they are; the dialog tells what fails."""
        try:
            self._draw()
        except DeepD3Error as error:
            self._say(error.message)

    def _draw(self):
        with self._lock:
            reply, arrays = self._ask_service()
        (z, last), (top, bottom), (left, right) = self.crop
        overlay = Overlay()
        overlay.selectable(False)  # a click is meant for the test
        frame = Roi(left, top, right - left, bottom - top)
        frame.setStrokeColor(Color(*FRAME))
        overlay.add(frame)
        for roi in decoded(reply["lengths"], arrays["outlines"]):
            bounds = roi.getBounds()
            roi.setLocation(bounds.x + left, bounds.y + top)
            roi.setPosition(0, roi.getZPosition() + z, 0)
            overlay.add(roi)
        for image in self._images():
            image.setOverlay(overlay)
        self._say("%d ROIs in %d x %d pixels, planes %d to %d; click elsewhere to move" % (
            reply["count"], right - left, bottom - top, z + 1, last))

    def _ask_service(self):
        values = {"image": dict(describe(self.image), origin_px=[0, 0, 0]),
                  "choices": {"typed": {"Roi3DParameters": self.values}}}
        if self.data not in self.pixels:
            self.pixels[self.data] = self._read()
        if self.data == SPINE_MAP:
            return self._call(values, {"spine": self.pixels[self.data]})
        low, high = self.grey.getDisplayRangeMin(), self.grey.getDisplayRangeMax()
        return self._call(dict(values, display_range=[low, high]), {"grey": self.pixels[self.data]})

    def _call(self, values, arrays):
        return deepd3_transport.call(self.fiji.context, "test_rois", values, arrays)

    def _read(self):
        """Pixels of the crop."""
        if self.data == SPINE_MAP:
            image, channel = self.prediction, map_channels(self.prediction)[1]
        else:
            image = self.grey
            channel = 1 if image.getProp(ROLE) == MERGED else image.getC()
        whole = pixels(image, channel)
        return cropped(whole, *self.crop)

    def _ask(self):
        dialog = NonBlockingGenericDialog("Test 3D ROIs")
        dialog.addChoice("Data", self.choices, self.data)
        for item in self.fields:
            value, label = self.values[item["name"]], _label(item)
            if item["type"] == "bool":
                dialog.addCheckbox(label, value)
            elif item["choices"]:
                dialog.addChoice(label, item["choices"], value)
            else:
                low, high = SLIDERS.get(item["name"], (item["low"], item["high"]))
                dialog.addSlider(label, float(low), float(high), float(value), 1.0 if item["type"] == "int" else 0.05)
        dialog.addMessage(" " * 70)
        dialog.setOKLabel("Keep settings")
        dialog.setCancelLabel("Close")
        dialog.addDialogListener(_Changes(self))
        dialog.centerDialog(False)
        self.dialog = dialog
        self.draw()  # its message is the widest part
        dialog.pack()
        place_beside(dialog, *[image.getWindow() for image in self._images() if image.getWindow() is not None])
        dialog.showDialog()
        self.dialog = None
        return dialog.wasOKed()

    def read(self, dialog):
        """Take the values of the dialog."""
        self.data, values = dialog.getNextChoice(), {}
        for item in self.fields:
            name, kind = item["name"], item["type"]
            if kind == "bool":
                values[name] = bool(dialog.getNextBoolean())
            elif item["choices"]:
                values[name] = dialog.getNextChoice()
            else:
                number = dialog.getNextNumber()
                values[name] = int(round(number)) if kind == "int" else round(number, 6)
        self.values = values

    def _say(self, text):
        label = self.dialog.getMessage() if self.dialog is not None else None
        if label is not None:
            label.setText(text)


def _sources(fiji, image):
    """The image with the spine map and the one with grey levels; None for what there is not."""
    role = image.getProp(ROLE)
    try:
        prediction = fiji.images.prediction_of(image)
    except DeepD3Error:
        prediction = None
    grey = image if role in (None, STACK, MERGED) else fiji.images.stack_of(image)
    if prediction is not None and grey is not None and shape_of(grey) != shape_of(prediction):
        # Only some planes of the stack were segmented.
        prediction, grey = (None, grey) if image is grey else (prediction, None)
    if prediction is None and grey is None:
        raise DeepD3Error(u"'%s' has neither a prediction nor a stack that is open; open the stack."
                                 % image.getTitle())
    return prediction, grey


def _show_manager(image, command):
    """The ROI Manager's outlines would lie over those of the test."""
    manager = RoiManager.getInstance()
    if manager is not None and manager.getCount() > 0:
        manager.runCommand(image, command)


def _label(item):
    return u"%s (%s)" % (item["label"], item["unit"]) if item["unit"] else item["label"]


class _Clicks(MouseAdapter):
    def __init__(self, test, image):
        self.test = test
        self.image = image

    def mousePressed(self, event):  # noqa: N802 - Java's name
        canvas = self.image.getCanvas()
        self.test.move_to(self.image.getZ() - 1, canvas.offScreenY(event.getY()), canvas.offScreenX(event.getX()))


class _Changes(DialogListener):
    def __init__(self, test):
        self.test = test

    def dialogItemChanged(self, dialog, event):  # noqa: N802 - Java's name
        self.test.read(dialog)
        if event is not None:
            self.test.draw()
        return not dialog.invalidNumber()
