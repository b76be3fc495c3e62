#@output String answer
"""What the window of a training shows."""

import json

from deepd3_events import on_event_thread
from deepd3_training import open_training

found = []


def look():
    window = open_training()
    if window is None or not window.frame.isShowing():
        return
    found.append({
        "losses": dict((label, len(points)) for label, _, points in window.losses.curves),
        "scores": dict((label, len(points)) for label, _, points in window.scores.curves),
        "picture": window.pictures.picture is not None, "bar": window._bar.getString(),
        "message": window._message.getToolTipText(), "running": window._running,
        "buttons": sorted(name for name, button in window._buttons.items()
                          if button.isVisible() and button.isEnabled())})


on_event_thread(look)
answer = json.dumps(found[0] if found else None)
