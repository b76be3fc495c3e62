#@ String press
#@ String text
#@output String answer
"""What the window of training data shows; first a part of it is pressed, or a text typed into it, if one is named."""

import json

from deepd3_annotator import open_annotator
from deepd3_events import on_event_thread
from ij import WindowManager
from javax.swing import AbstractButton, JCheckBox, JComboBox, JTextField

found = []


def look():
    windows = [open_annotator(WindowManager.getImage(number)) for number in WindowManager.getIDList() or ()]
    window = ([each for each in windows if each is not None] or [None])[0]
    if window is None:
        return
    part = window._parts.get(press)
    if press == "write":
        window.write(text)
    elif isinstance(part, JCheckBox):
        if part.isSelected() != (text == "true"):
            part.doClick()
    elif isinstance(part, AbstractButton):
        part.doClick()
    elif isinstance(part, JComboBox):
        part.setSelectedItem(text)
    elif isinstance(part, JTextField):
        part.setText(text)
        part.postActionEvent()
    elif part is not None:
        part.setValue(int(text))
    overlay = window.image.getOverlay()
    rois = [roi for roi in overlay.toArray() if roi.getProperty("deepd3.annotated")] if overlay is not None else []
    found.append({"values": dict((name, value) for name, value in window.annotation.values.items()),
                  "told": window._told, "message": window._message.getToolTipText() or "",
                  "busy": window._waiting > 0 or not window._parts["save"].isEnabled(),
                  "fields": [window._parts[name].getText() for name in ("x", "y", "width", "height", "begin", "end")],
                  "sliders": [window._parts[name].getValue() for name in ("begin_slider", "end_slider")],
                  "overlay": len(rois), "plane": window.image.getZ()})


on_event_thread(look)
answer = json.dumps(found[0] if found else None)
