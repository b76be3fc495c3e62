#@ String field
#@output String answer
"""Give a field of the open dialog of DeepD3 the focus."""

from java.awt import Container, Window
from javax.swing import JDialog


def below(container):
    """All parts of a window."""
    for part in container.getComponents():
        yield part
        if isinstance(part, Container):
            for inner in below(part):
                yield inner


answer = ""
for window in Window.getWindows():
    if isinstance(window, JDialog) and window.getName() == "deepd3" and window.isShowing():
        for part in below(window.getContentPane()):
            if part.getName() == field:
                part.requestFocusInWindow()
                answer = "focused" if part.isFocusOwner() else ""
