"""What the values of an open dialog give on the planes that are looked at, laid over the image; nothing is changed.

Jython 2.7. Only the shown plane and some around it are computed, of large images only the part that is in sight.
"""


import deepd3_transport
from deepd3_background import beside
from deepd3_colours import REMOVED
from deepd3_editing import cropped
from deepd3_images import describe, maps, prediction_values, shape_of
from deepd3_maps import as_bytes, layers_roi, opacity_of, tints
from deepd3_names import ROI_ID
from deepd3_rois import decoded, place, spine_of
from ij import WindowManager
from ij.gui import Overlay
from ij.process import Blitter, FloatProcessor
from java.awt import Color, Rectangle

_PREVIEW = "deepd3.preview"
_AROUND_PLANES, _AROUND_LARGE, _AROUND_PX = 3, 1, 48
_ALL_VOXELS, _ALL_PX, _LARGE_PX = 3 * 10**6, 512 * 512, 1024 * 1024
_OPACITY = 0.85
_INVISIBLE = Color(0, 0, 0, 0)


class Preview(object):
    """Follows the values of a dialog and the view of its image from start to stop.

    verb: the service's verb whose result is shown.
    texts: gives the texts of the fields by name, None while one of them is no value.
    tell: gets what to say about the preview.
    """

    def __init__(self, fiji, command, verb, texts, tell):
        self._fiji = fiji
        self._command = command
        self._verb = verb
        self._texts = texts
        self._tell = tell
        self._image = fiji.image
        self._box = self._shown_texts = self._texts_of_choices = self._choices = None
        self._busy = False
        self._on = False
        self._outlines = []

    def start(self):
        """Show it from now on."""
        self._on = True
        self._box = None
        for image in self._images():
            overlay = image.getOverlay()
            for roi in overlay.toArray() if overlay is not None and self._verb != "clean" else ():
                if spine_of(roi) is not None:  # the ROIs that there are would be taken for those of the preview
                    self._outlines.append((image, roi, roi.getStrokeColor()))
                    roi.setStrokeColor(_INVISIBLE)
        self.look()

    def stop(self):
        """Take it away."""
        self._on = False
        for _, roi, colour in self._outlines:
            roi.setStrokeColor(colour)
        self._outlines = []
        for image in self._images():
            _replace(image, [])

    def look(self):
        """Compute it anew if the values or the view have changed; called again and again on the event thread."""
        if not self._on or self._busy or not self._is_open():
            return
        texts, (plane, view) = self._texts(), self._view()
        if texts is None or (texts == self._shown_texts and self._covers(plane, view)):
            return
        box = self._box_around(plane, view)
        self._busy = True

        def finish(found, problem):
            self._busy = False
            self._shown_texts, self._box = texts, box
            if not self._on or not self._is_open():
                return
            if problem is not None:
                self._tell(problem)
                return
            self._draw(box, *found)

        beside(lambda: self._compute(texts, box), finish)

    def _compute(self, texts, box):
        if texts != self._texts_of_choices:
            fields = self._fiji.fields_of(self._command, texts, quietly=True)
            self._choices, self._texts_of_choices = {"typed": fields["choices"]}, texts
        before = dict((name, cropped(array, *box)) for name, array in maps(self._image).items())
        values = prediction_values(self._image)
        values["image"] = dict(describe(self._image), origin_px=[0, 0, 0])
        values["choices"] = self._choices
        reply, after = deepd3_transport.call(self._fiji.context, self._verb, values, before)
        return reply, after, before

    def _draw(self, box, reply, after, before):
        (first, last), (top, _), (left, _) = box
        planes = u"plane %d" % last if last - first == 1 else u"planes %d to %d" % (first + 1, last)
        if "lengths" in reply:
            outlines = decoded(reply["lengths"], after["outlines"]) if reply["lengths"] else []
            for image in self._images():
                rois = []
                for outline in outlines:
                    roi = outline.clone()
                    bounds = roi.getBounds()
                    roi.setLocation(bounds.x + left, bounds.y + top)
                    roi.setName(None)  # it is no spine yet
                    roi.setProperty(ROI_ID, None)
                    place(roi, image, outline.getZPosition() + first)
                    rois.append(roi)
                _replace(image, rois)
            self._tell(u"Preview: %d ROI%s in %s" % (reply["count"], u"" if reply["count"] == 1 else u"s", planes))
            return
        for image in self._images():
            rois = []
            for number in range(last - first):
                roi = self._tint(image, before, after, number)
                roi.setLocation(left, top)
                roi.setOpacity(_OPACITY)
                place(roi, image, first + number + 1)
                rois.append(roi)
            _replace(image, rois)
        self._tell(u"Preview of %s: yellow is removed" % planes)

    def _tint(self, image, before, after, number):
        """What cleaning removes, and on the stack what stays."""
        height, width = after["dendrite"].shape[1:]
        stays, removed = {}, []
        for name in ("dendrite", "spine"):
            old, new = [as_bytes(FloatProcessor(width, height, arrays[name].planes[number]))
                        for arrays in (before, after)]
            old.copyBits(new, 0, 0, Blitter.SUBTRACT)
            removed.append((old.getPixels(), REMOVED))
            stays[name] = new.getPixels()
        shown = image is self._image or opacity_of(image) > 0
        return layers_roi(removed + ([] if shown else tints(stays["dendrite"], stays["spine"])), width, height)

    # What is looked at

    def _images(self):
        """The prediction, and its stack if it has the same planes."""
        stack = self._fiji.images.stack_of(self._image)
        return [self._image] + ([stack] if stack is not None and stack is not self._image
                                and shape_of(stack) == shape_of(self._image) else [])

    def _is_open(self):
        return self._image.getStack() is not None and self._image.getWidth() > 0 \
            and self._image.getWindow() is not None

    def _view(self):
        """Plane (from 0) and part of the plane that are in sight in the image that is looked at."""
        current = WindowManager.getCurrentImage()
        image = ([each for each in self._images() if each is current] or [self._image])[0]
        whole = Rectangle(0, 0, image.getWidth(), image.getHeight())
        canvas = image.getCanvas()
        return image.getZ() - 1, whole if canvas is None else canvas.getSrcRect().intersection(whole)

    def _covers(self, plane, view):
        if self._box is None:
            return False
        (first, last), (top, bottom), (left, right) = self._box
        count = self._image.getNSlices()
        return (first == 0 or first < plane) and (last == count or plane < last - 1) and first <= plane < last \
            and Rectangle(left, top, right - left, bottom - top).contains(view)

    def _box_around(self, plane, view):
        """Planes, rows and columns that are computed."""
        count, height, width = shape_of(self._image)
        if height * width <= _ALL_PX:
            rows, columns = (0, height), (0, width)
        else:
            rows = (max(0, view.y - _AROUND_PX), min(height, view.y + view.height + _AROUND_PX))
            columns = (max(0, view.x - _AROUND_PX), min(width, view.x + view.width + _AROUND_PX))
        area = (rows[1] - rows[0]) * (columns[1] - columns[0])
        if count * area <= _ALL_VOXELS:
            return (0, count), rows, columns
        around = _AROUND_PLANES if area <= _LARGE_PX else _AROUND_LARGE
        return (max(0, plane - around), min(count, plane + around + 1)), rows, columns


def _replace(image, rois):
    """Put other ROIs of a preview over an image; what else lies there stays."""
    if image.getStack() is None or image.getWidth() == 0:
        return
    overlay = image.getOverlay() or Overlay()
    for number in reversed(range(overlay.size())):
        if overlay.get(number).getProperty(_PREVIEW) is not None:
            overlay.remove(number)
    for roi in rois:
        roi.setProperty(_PREVIEW, "true")
        overlay.add(roi)
    image.setOverlay(overlay if overlay.size() else None)
