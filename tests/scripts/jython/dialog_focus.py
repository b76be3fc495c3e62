#@ String field
#@output String answer
"""Give a field of the open dialog of DeepD3 the focus."""

from seen_windows import below, dialogs

answer = ""
for dialog in dialogs():
    for part in below(dialog.getContentPane()):
        if part.getName() == field:
            part.requestFocusInWindow()
            answer = "focused" if part.isFocusOwner() else ""
