"""Windows beside an image that stay open: the spine panel, followed spines, training data.

Jython 2.7.
"""

from deepd3_events import Closed
from java.awt import Frame
from javax.swing import JFrame, WindowConstants


def new_window(name, title, owner, close):
    """A window that knows its owner; close is called once it was closed."""
    frame = JFrame(title)
    frame.setName(name)
    frame.getRootPane().putClientProperty(name, owner)
    frame.setDefaultCloseOperation(WindowConstants.DISPOSE_ON_CLOSE)
    frame.addWindowListener(Closed(close))
    return frame


def open_owners(name):
    """The owners of the open windows of a name."""
    return [frame.getRootPane().getClientProperty(name) for frame in Frame.getFrames()
            if frame.getName() == name and frame.isDisplayable()]
