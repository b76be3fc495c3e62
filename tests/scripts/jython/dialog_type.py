#@ String field
#@ String text
#@output String answer
"""Type a text into a field of the open dialog of DeepD3, or press its button of this name."""

from java.awt import Container, Window
from java.lang import Runnable
from javax.swing import AbstractButton, JCheckBox, JComboBox, JDialog, SwingUtilities


def below(container):
    """All parts of a window."""
    for part in container.getComponents():
        yield part
        if isinstance(part, Container):
            for inner in below(part):
                yield inner


class Enter(Runnable):
    def run(self):
        for window in Window.getWindows():
            if isinstance(window, JDialog) and window.getName() == "deepd3" and window.isShowing():
                for part in below(window.getContentPane()):
                    if part.getName() == field and isinstance(part, JCheckBox):
                        if part.isSelected() != (text == "true"):
                            part.doClick()
                    elif part.getName() == field and isinstance(part, JComboBox):
                        part.setSelectedItem(text)
                    elif part.getName() == field and isinstance(part, AbstractButton):
                        part.doClick()
                    elif part.getName() == field:
                        part.setText(text)


SwingUtilities.invokeAndWait(Enter())
answer = "typed"
