#@output String answer
"""Close the window of followed spines."""

from deepd3_events import on_event_thread
from deepd3_follow import WINDOW
from java.awt import Frame

for frame in Frame.getFrames():
    if frame.getName() == WINDOW:
        on_event_thread(frame.dispose)
answer = "closed"
