"""Windows that stay open: the spine panel, followed spines, training data.

Jython 2.7.
"""

from deepd3_events import Acted, Closed
from java.awt import Color, Dimension, FlowLayout, Font, Frame, Insets
from java.awt.event import KeyEvent
from java.lang import Short
from javax.swing import JButton, JComponent, JFrame, JLabel, JPanel, KeyStroke, WindowConstants

PROBLEM = Color(180, 0, 0)
"""Colour of what tells a problem."""


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


def only_window(name, new):
    """The owner of the one window of a name, made by new() if it is not open; it comes to the front."""
    owners = open_owners(name)
    owner = owners[0] if owners else new()
    owner.frame.setVisible(True)
    owner.frame.toFront()
    return owner


def on_key(frame, key, modifiers, work):
    """Call a function at a key, wherever the focus is in a window."""
    frame.getRootPane().registerKeyboardAction(Acted(work), KeyStroke.getKeyStroke(key, modifiers),
                                               JComponent.WHEN_ANCESTOR_OF_FOCUSED_COMPONENT)


def on_undo(frame, work):
    """Call a function at the key that takes back."""
    for modifiers in (KeyEvent.CTRL_DOWN_MASK, KeyEvent.META_DOWN_MASK):
        on_key(frame, KeyEvent.VK_Z, modifiers, work)


def button_row(buttons, side, by_name):
    """A row of buttons (name, text, tip, action), at a side of FlowLayout; they are put into a dict by their names."""
    row = JPanel(FlowLayout(side, 4, 0))
    for name, text, tip, action in buttons:
        by_name[name] = new_button(name, text, tip, action)
        row.add(by_name[name])
    return row


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
    label.setForeground(PROBLEM if is_problem else None)
