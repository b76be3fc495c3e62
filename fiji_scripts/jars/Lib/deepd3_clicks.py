"""A double click on a stack or a prediction tries 3-D ROI parameters there.

Jython 2.7. One listener for all windows, from the first image that a command of DeepD3 works on until Fiji ends.
"""

from deepd3_menu import script_of, start
from deepd3_names import ID, MERGED, PREDICTION, ROLE, STACK, TEST_AT, TESTING
from deepd3_settings import Settings
from ij.gui import ImageCanvas, Toolbar
from java.awt import AWTEvent, Toolkit
from java.awt.event import AWTEventListener, MouseEvent
from java.util.concurrent.atomic import AtomicBoolean
from org.scijava.object import ObjectService

COMMAND = "Test 3D ROIs"
_LISTENING = "deepd3.clicks"
# With other tools a double click has a meaning of its own: it ends a polygon, sets a point, magnifies, picks a colour.
_TOOLS = (Toolbar.RECTANGLE, Toolbar.OVAL, Toolbar.FREEROI, Toolbar.HAND)


def listen(context, images):
    """Begin to listen, unless it is done already.

    images: all images that DeepD3 knows.
    """
    objects = context.service(ObjectService)
    for known in objects.getObjects(AtomicBoolean):
        if objects.getName(known) == _LISTENING:
            return
    objects.addObject(AtomicBoolean(True), _LISTENING)
    Toolkit.getDefaultToolkit().addAWTEventListener(_DoubleClicks(context, images), AWTEvent.MOUSE_EVENT_MASK)


class _DoubleClicks(AWTEventListener):
    def __init__(self, context, images):
        self.context = context
        self.images = images

    def eventDispatched(self, event):  # noqa: N802 - Java's name
        if event.getID() != MouseEvent.MOUSE_RELEASED or event.getClickCount() != 2 or event.getModifiersEx() \
                or event.getButton() != MouseEvent.BUTTON1 or not isinstance(event.getSource(), ImageCanvas):
            return
        canvas = event.getSource()
        image = canvas.getImage()
        if not _leaves_double_clicks() or not self._can_be_tested(image) \
                or Settings(self.context).read("double_click") == u"false":
            return
        image.setProp(TEST_AT, "%d %d %d" % (image.getZ() - 1, canvas.offScreenY(event.getY()),
                                             canvas.offScreenX(event.getX())))
        start(self.context, script_of(COMMAND), {"image": image})

    def _can_be_tested(self, image):
        if image is None or not image.getProp(ID) or image.getProp(TESTING):
            return False
        return image.getProp(ROLE) in (STACK, PREDICTION, MERGED) or bool(self.images.linked(image, PREDICTION))


def _leaves_double_clicks():
    """The tool in use does nothing of its own at a double click."""
    tool = Toolbar.getToolId()
    return tool in _TOOLS and not (tool == Toolbar.OVAL and Toolbar.getBrushSize() > 0)
