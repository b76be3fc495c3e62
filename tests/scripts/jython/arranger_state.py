#@ String press
#@ String text
#@output String answer
"""What the window of a training set shows; first one of its buttons is pressed, or done what is named."""

import json

from deepd3_arranger import WINDOW
from deepd3_events import on_event_thread
from deepd3_windows import open_owners
from java.awt.datatransfer import DataFlavor, Transferable
from java.io import File
from java.util import ArrayList
from javax.swing import TransferHandler

found = []


class Files(Transferable):
    """Files as a file manager hands them over."""

    def __init__(self, paths):
        self._files = ArrayList([File(path) for path in paths])

    def getTransferDataFlavors(self):  # noqa: N802 - Java's name
        return [DataFlavor.javaFileListFlavor]

    def isDataFlavorSupported(self, flavor):  # noqa: N802 - Java's name
        return flavor.equals(DataFlavor.javaFileListFlavor)

    def getTransferData(self, flavor):  # noqa: N802 - Java's name
        return self._files


def look():
    windows = open_owners(WINDOW)
    if not windows:
        return
    window, table = windows[0], windows[0].table.component
    if press == "add":
        window.add(json.loads(text))
    elif press == "drop":
        table.getTransferHandler().importData(TransferHandler.TransferSupport(table, Files(json.loads(text))))
    elif press == "select":
        table.setRowSelectionInterval(int(text), int(text))
    elif press == "write":
        window.write(text)
    elif press == "look":
        window.look_again()
    elif press in window._buttons:
        window._buttons[press].doClick()
    found.append({"rows": window.table.texts(), "total": window._total.getText(), "doubts": window._doubts.getText(),
                  "message": window._message.getToolTipText() or "", "busy": window.busy(),
                  "enabled": sorted(name for name, button in window._buttons.items() if button.isEnabled()),
                  "selected": window.table.selected()})


on_event_thread(look)
answer = json.dumps(found[0] if found else None)
