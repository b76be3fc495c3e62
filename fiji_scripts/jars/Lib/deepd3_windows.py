"""Windows that stay open: the spine panel, followed spines, training data.

Jython 2.7.
"""

from deepd3_events import Acted, Closed
from java.awt import Color, Dimension, Font, Frame, Insets
from java.lang import Short
from javax.swing import JButton, JFrame, JLabel, WindowConstants

_PROBLEM = Color(180, 0, 0)


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


def new_button(name, text, tip, action):
    """A narrow button."""
    button = JButton(text)
    button.setName(name)
    button.setMargin(Insets(1, 6, 1, 6))
    button.setToolTipText(tip)
    button.addActionListener(Acted(action))
    return button


def message_label(name, lines):
    """A label for messages; whatever it says, it keeps its height, and what is beside it its place."""
    label = JLabel(u" ")
    label.setName(name)
    label.setFont(label.getFont().deriveFont(Font.PLAIN))
    label.setAlignmentX(0.0)
    label.setVerticalAlignment(JLabel.TOP)
    size = Dimension(0, lines * label.getFontMetrics(label.getFont()).getHeight() + 6)
    label.setPreferredSize(size)
    label.setMaximumSize(Dimension(Short.MAX_VALUE, size.height))
    return label


def show_message(label, text, is_problem=False):
    """Show a message in its label, in red if it is about a problem; the whole of it is the label's tip."""
    label.setText(u"<html>%s</html>" % text.replace(u"&", u"&amp;").replace(u"<", u"&lt;") if text else u" ")
    label.setToolTipText(text or None)
    label.setForeground(_PROBLEM if is_problem else None)
