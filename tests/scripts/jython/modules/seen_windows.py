"""Windows as a test sees them.

Jython 2.7.
"""

from java.awt import Container, Window
from javax.swing import JDialog


def below(container):
    """All parts of a window."""
    for part in container.getComponents():
        yield part
        if isinstance(part, Container):
            for inner in below(part):
                yield inner


def dialogs():
    """The open dialogs of DeepD3."""
    return [window for window in Window.getWindows()
            if isinstance(window, JDialog) and window.getName() == "deepd3" and window.isShowing()]
