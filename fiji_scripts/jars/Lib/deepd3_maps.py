"""Dendrite and spine map over the stack that they were made of, in the plane that is shown.

Jython 2.7. The tint of a pixel is as strong as its probability, times an opacity that a user chooses.
"""

import jarray
from deepd3_colours import DENDRITE, SPINE
from deepd3_images import map_channels, planes_before
from deepd3_names import MERGED, ROLE
from deepd3_rois import place
from ij import ImageListener, ImagePlus
from ij.gui import ImageRoi, Overlay
from ij.process import Blitter, ByteProcessor
from java.awt import Point
from java.awt.color import ColorSpace
from java.awt.image import BufferedImage, ComponentColorModel, DataBuffer, DataBufferByte, Raster
from java.lang import Class
from java.util import Hashtable

OPACITY = 0.5
_OVERLAY = "deepd3.maps"
_BYTES = Class.forName("[B")


def show_maps(stack, prediction, opacity=OPACITY):
    """Lay the maps of a prediction over its stack; opacity from 0 (not at all) to 1."""
    shown = stack.getProperty(_OVERLAY)
    if shown is not None:
        shown.stop()
    if opacity > 0 and prediction.getProp(ROLE) != MERGED and stack is not prediction:
        stack.setProperty(_OVERLAY, _MapOverlay(stack, prediction, opacity))


def opacity_of(stack):
    """How strongly maps lie over a stack, 0 for not at all."""
    shown = stack.getProperty(_OVERLAY)
    return shown.opacity if shown is not None else 0.0


class PlaneOverlay(ImageListener):
    """Draws something over the plane that a stack shows, whenever that changes.

    key: what tells its ROIs from others over the stack. layers: gives the layers of a plane (from 1), as layers_roi
    takes them, and other ROIs to draw there.
    """

    def __init__(self, stack, key, opacity, layers):
        self.stack = stack
        self.key = key
        self.opacity = opacity
        self._layers = layers
        self._drawn = None
        ImagePlus.addImageListener(self)

    def stop(self):
        """Take it away."""
        ImagePlus.removeImageListener(self)
        overlay = self.stack.getOverlay()
        if overlay is not None:
            for number in reversed(range(overlay.size())):
                if overlay.get(number).getProperty(self.key) is not None:
                    overlay.remove(number)
            self.stack.setOverlay(overlay)

    def imageOpened(self, image):  # noqa: N802 - Java's name
        pass

    def imageClosed(self, image):  # noqa: N802 - Java's name
        if image is self.stack:
            self.stop()

    def imageUpdated(self, image):  # noqa: N802 - Java's name
        if image is self.stack and self._drawn != image.getZ():
            self.draw()

    def draw(self):
        """Draw what belongs to the plane that is shown, anew if it has changed."""
        plane = self.stack.getZ()
        self._drawn = plane
        layers, others = self._layers(plane)
        roi = layers_roi(layers, self.stack.getWidth(), self.stack.getHeight())
        roi.setOpacity(self.opacity)
        earlier, overlay = self.stack.getOverlay(), Overlay()
        for own in [roi] + others:
            own.setProperty(self.key, "true")
            place(own, self.stack, plane)
            overlay.add(own)
        for other in earlier.toArray() if earlier is not None else ():
            if other.getProperty(self.key) is None:
                overlay.add(other)
        if earlier is None or not earlier.isSelectable():
            overlay.selectable(False)
        self.stack.setOverlay(overlay)


class _MapOverlay(PlaneOverlay):
    """The maps of a prediction."""

    def __init__(self, stack, prediction, opacity):
        PlaneOverlay.__init__(self, stack, _OVERLAY, opacity, self._maps)
        self.prediction = prediction
        self.draw()

    def stop(self):
        """Take the maps away."""
        self.stack.setProperty(_OVERLAY, None)
        PlaneOverlay.stop(self)

    def imageClosed(self, image):  # noqa: N802 - Java's name
        if image is self.stack or image is self.prediction:
            self.stop()

    def imageUpdated(self, image):  # noqa: N802 - Java's name
        if image is self.prediction:
            self.draw()
        else:
            PlaneOverlay.imageUpdated(self, image)

    def _maps(self, plane):
        own = plane + planes_before(self.prediction, self.stack)
        if not 1 <= own <= self.prediction.getNSlices():
            return [], []
        return tints(*[self._bytes(channel, own) for channel in map_channels(self.prediction)]), []

    def _bytes(self, channel, plane):
        index = self.prediction.getStackIndex(channel, plane, 1)
        return as_bytes(self.prediction.getStack().getProcessor(index)).getPixels()


def as_bytes(probabilities):
    """Probabilities from 0 to 1 as bytes from 0 to 255."""
    probabilities.setMinAndMax(0.0, 1.0)
    return probabilities.convertToByteProcessor(True)


def tints(dendrite, spine):
    """The two maps (bytes) with their colours, as layers_roi takes them."""
    return [(dendrite, DENDRITE), (spine, SPINE)]


def layers_roi(layers, width, height):
    """An image to lay over another one: (bytes, colour) pairs, each as opaque as its bytes say."""
    bands = [_brightest([values for values, colour in layers if colour[band]], width, height) for band in range(3)]
    return _image_roi(bands + [_brightest([values for values, _ in layers], width, height)], width, height)


def _brightest(maps, width, height):
    if not maps:
        return jarray.zeros(width * height, "b")
    result = ByteProcessor(width, height, maps[0][:], None)
    for other in maps[1:]:
        result.copyBits(ByteProcessor(width, height, other, None), 0, 0, Blitter.MAX)
    return result.getPixels()


def _image_roi(bands, width, height):
    """An image of red, green, blue and opacity; the colours are multiplied by the opacity already."""
    data = DataBufferByte(jarray.array(bands, _BYTES), width * height)
    raster = Raster.createBandedRaster(data, width, height, width, [0, 1, 2, 3], [0, 0, 0, 0], Point(0, 0))
    model = ComponentColorModel(ColorSpace.getInstance(ColorSpace.CS_sRGB), True, True, ComponentColorModel.TRANSLUCENT,
                                DataBuffer.TYPE_BYTE)
    return ImageRoi(0, 0, BufferedImage(model, raster, True, Hashtable()))
