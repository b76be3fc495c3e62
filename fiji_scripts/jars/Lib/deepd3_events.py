"""Python functions as what Java calls: listeners, and work on the event thread or beside it.

Jython 2.7.
"""

import threading

from java.awt import KeyboardFocusManager, KeyEventDispatcher
from java.awt.event import ActionListener, FocusAdapter, KeyAdapter, KeyEvent, MouseAdapter, WindowAdapter
from java.lang import Runnable
from javax.swing import SwingUtilities
from javax.swing.event import ChangeListener, DocumentListener, ListSelectionListener, PopupMenuListener

_STILL_PX = 2


def on_event_thread(work):
    """Do something on Java's event thread, and wait for it."""
    if SwingUtilities.isEventDispatchThread():
        work()
    else:
        SwingUtilities.invokeAndWait(_Run(work))


def later(work):
    """Do something on Java's event thread, after what waits there already."""
    SwingUtilities.invokeLater(_Run(work))


def in_background(work):
    """Do something beside the event thread; Fiji does not wait for it when it ends."""
    thread = threading.Thread(target=work)
    thread.setDaemon(True)
    thread.start()


class _Run(Runnable):
    def __init__(self, work):
        self._work = work

    def run(self):
        self._work()


class Acted(ActionListener):
    """Calls a function when a button is pressed, a choice made or a timer rings."""

    def __init__(self, work):
        self._work = work

    def actionPerformed(self, event):  # noqa: N802 - Java's name
        self._work()


class MouseReleased(MouseAdapter):
    """Calls a function when a button of the mouse is let go."""

    def __init__(self, work):
        self._work = work

    def mouseReleased(self, event):  # noqa: N802 - Java's name
        self._work()


class Clicked(MouseAdapter):
    """Calls a function with the event of a click, another one after a drag."""

    def __init__(self, work, dragged=None):
        self._work = work
        self._dragged = dragged
        self._pressed = None

    def mousePressed(self, event):  # noqa: N802 - Java's name
        self._pressed = (event.getX(), event.getY())

    def mouseReleased(self, event):  # noqa: N802 - Java's name
        pressed, self._pressed = self._pressed, None
        if pressed is not None and abs(event.getX() - pressed[0]) <= _STILL_PX \
                and abs(event.getY() - pressed[1]) <= _STILL_PX:
            self._work(event)
        elif self._dragged is not None:
            self._dragged()


class DoubleClicked(MouseAdapter):
    """Calls a function at a double click."""

    def __init__(self, work):
        self._work = work

    def mouseClicked(self, event):  # noqa: N802 - Java's name
        if event.getClickCount() == 2:
            self._work()


class KeyReleased(KeyAdapter):
    """Calls a function when a key is let go."""

    def __init__(self, work):
        self._work = work

    def keyReleased(self, event):  # noqa: N802 - Java's name
        self._work()


class ImageKeys(KeyEventDispatcher):
    """Keys that do something on an image, before ImageJ, for which they are shortcuts, gets them.

    keys: what to call, by (key code, with Ctrl or Meta). Those of other windows stay ImageJ's own. Ends with stop().
    """

    def __init__(self, image, keys):
        self._image = image
        self._keys = keys
        KeyboardFocusManager.getCurrentKeyboardFocusManager().addKeyEventDispatcher(self)

    def stop(self):
        """Give the keys back to ImageJ."""
        KeyboardFocusManager.getCurrentKeyboardFocusManager().removeKeyEventDispatcher(self)

    def dispatchKeyEvent(self, event):  # noqa: N802 - Java's name
        window, focused = self._image.getWindow(), event.getComponent()
        if window is None or window not in (focused, SwingUtilities.windowForComponent(focused)):
            return False
        if event.getID() != KeyEvent.KEY_PRESSED or event.isAltDown() or event.isShiftDown():
            return False
        work = self._keys.get((event.getKeyCode(), event.isControlDown() or event.isMetaDown()))
        if work is None:
            return False
        later(work)
        return True


class Left(FocusAdapter):
    """Calls a function when the cursor leaves a field."""

    def __init__(self, work):
        self._work = work

    def focusLost(self, event):  # noqa: N802 - Java's name
        self._work()


class Typed(DocumentListener):
    """Calls a function when a text changes."""

    def __init__(self, work):
        self._work = work

    def insertUpdate(self, event):  # noqa: N802 - Java's name
        self._work()

    def removeUpdate(self, event):  # noqa: N802 - Java's name
        self._work()

    def changedUpdate(self, event):  # noqa: N802 - Java's name
        self._work()


class Moved(ChangeListener):
    """Calls a function when a slider moves."""

    def __init__(self, work):
        self._work = work

    def stateChanged(self, event):  # noqa: N802 - Java's name
        self._work()


class Selected(ListSelectionListener):
    """Calls a function when rows are selected, once for each selection."""

    def __init__(self, work):
        self._work = work

    def valueChanged(self, event):  # noqa: N802 - Java's name
        if not event.getValueIsAdjusting():
            self._work()


class Opened(PopupMenuListener):
    """Calls a function when a list is opened."""

    def __init__(self, work):
        self._work = work

    def popupMenuWillBecomeVisible(self, event):  # noqa: N802 - Java's name
        self._work()

    def popupMenuWillBecomeInvisible(self, event):  # noqa: N802 - Java's name
        pass

    def popupMenuCanceled(self, event):  # noqa: N802 - Java's name
        pass


class Closing(WindowAdapter):
    """Calls a function when the button that closes a window is pressed."""

    def __init__(self, work):
        self._work = work

    def windowClosing(self, event):  # noqa: N802 - Java's name
        self._work()


class Closed(WindowAdapter):
    """Calls a function when a window was closed."""

    def __init__(self, work):
        self._work = work

    def windowClosed(self, event):  # noqa: N802 - Java's name
        self._work()


class Activated(WindowAdapter):
    """Calls a function when a window comes to the front."""

    def __init__(self, work):
        self._work = work

    def windowActivated(self, event):  # noqa: N802 - Java's name
        self._work()
