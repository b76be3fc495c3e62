#@ String title
#@output String answer
"""Bring a window whose title begins like this before all others."""

from java.awt import Frame

answer = "nothing"
for frame in Frame.getFrames():
    if frame.isShowing() and frame.getTitle().startswith(title):
        frame.toFront()
        answer = "brought"
