#@output String answer
"""The text of the message that ImageJ shows, an empty text if there is none."""

from ij.gui import MessageDialog, MultiLineLabel
from java.awt import Window
from seen_windows import below

answer = ""
for window in Window.getWindows():
    if isinstance(window, MessageDialog) and window.isShowing():
        for part in below(window):
            if isinstance(part, MultiLineLabel):
                field = MultiLineLabel.getDeclaredField("lines")
                field.setAccessible(True)
                answer = " ".join([line for line in field.get(part) if line is not None])
