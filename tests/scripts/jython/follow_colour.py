#@ String by
#@output String answer
"""Choose what the outlines of followed spines are coloured by."""

from deepd3_events import on_event_thread
from deepd3_follow import WINDOW
from java.awt import Frame

window = [frame for frame in Frame.getFrames() if frame.getName() == WINDOW and frame.isDisplayable()][0]
on_event_thread(lambda: window.getRootPane().getClientProperty(WINDOW)._colour.setSelectedItem(by))
answer = by
