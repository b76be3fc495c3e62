#@output String answer
"""What the open dialog of DeepD3 shows: values and origins by field, its message, whether OK can be pressed."""

import json

from javax.swing import JButton, JCheckBox, JComboBox, JLabel, JTextArea, JTextField
from seen_windows import below, dialogs


def value_of(part):
    if part.getName() == "region":
        return part.getActionCommand()
    if isinstance(part, JCheckBox):
        return "true" if part.isSelected() else "false"
    if isinstance(part, JComboBox):
        return part.getEditor().getItem() if part.isEditable() else part.getSelectedItem()
    return part.getText()


answer = "null"
for window in dialogs():
    fields, origins, choices, greyed, preview, message, ok = {}, {}, {}, [], None, "", False
    for part in below(window.getContentPane()):
        name = part.getName()
        if name == "preview":
            preview = part.isSelected()
        elif isinstance(part, (JCheckBox, JComboBox, JTextField)) and name and not name.startswith("ComboBox."):
            fields[name] = value_of(part)
            if not part.isEnabled():
                greyed.append(name)
            if isinstance(part, JComboBox):
                choices[name] = [part.getItemAt(number) for number in range(part.getItemCount())]
        elif isinstance(part, JTextArea) and name == "message":
            message = part.getText().strip()
        elif isinstance(part, JLabel) and name and name.startswith("origin."):
            origins[name[len("origin."):]] = part.getText()
        elif isinstance(part, JButton) and part.getText() == "OK":
            ok = part.isEnabled()
    answer = json.dumps({"title": window.getTitle(), "fields": fields, "origins": origins, "choices": choices,
                         "greyed": greyed, "preview": preview,
                         "message": message, "ok": ok,
                         "model": window.getContentPane().getClientProperty("deepd3.model")})
