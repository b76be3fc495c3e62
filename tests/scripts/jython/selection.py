#@ String title
#@output String answer
"""Bounds of what is selected on an image; nothing without a selection."""

from ij import WindowManager

roi = WindowManager.getImage(title).getRoi()
box = None if roi is None else roi.getBounds()
answer = "" if box is None else "%d %d %d %d" % (box.x, box.y, box.width, box.height)
