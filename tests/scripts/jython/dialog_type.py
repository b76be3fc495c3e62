#@ String field
#@ String text
#@output String answer
"""Type a text into a field of the open dialog of DeepD3, or press its button of this name; NAME.list opens a list."""

from deepd3_events import on_event_thread
from javax.swing import AbstractButton, JCheckBox, JComboBox
from seen_windows import below, dialogs


def enter():
    for dialog in dialogs():
        for part in below(dialog.getContentPane()):
            if field == "%s.list" % part.getName() and isinstance(part, JComboBox):
                part.showPopup()
            elif part.getName() == field and isinstance(part, JCheckBox):
                if part.isSelected() != (text == "true"):
                    part.doClick()
            elif part.getName() == field and isinstance(part, JComboBox):
                part.setSelectedItem(text)
            elif part.getName() == field and isinstance(part, AbstractButton):
                part.doClick()
            elif part.getName() == field:
                part.setText(text)


on_event_thread(enter)
answer = "typed"
