#@ String press
#@ String text
#@output String answer
"""What the window of training data shows; first one of its buttons is pressed, or done what is named."""

import json

from deepd3_events import on_event_thread
from deepd3_training_viewer import WINDOW
from deepd3_windows import open_owners

found = []


def look():
    windows = open_owners(WINDOW)
    if not windows:
        return
    window, table = windows[0], windows[0].table.component
    headings = [table.getColumnName(column) for column in range(table.getColumnCount())]
    if press == "add":
        window.add(json.loads(text))
    elif press == "select":
        table.setRowSelectionInterval(int(text), int(text))
    elif press == "type":  # as a user does, who leaves the cell by pressing a button
        row, name, value = json.loads(text)
        assert table.editCellAt(row, headings.index(name))
        table.getEditorComponent().setText(value)
    elif press in window._buttons:
        window._buttons[press].doClick()
    found.append({"rows": [dict(zip(headings, row)) for row in window.table.texts()],
                  "message": window._message.getToolTipText() or "", "busy": window.busy() or window._saving,
                  "unsaved": len(window.metadata.changed_files()), "selected": len(window.table.selected())})


on_event_thread(look)
answer = json.dumps(found[0] if found else None)
