#@ String places
#@output String answer
"""Outline spines on the active image and add them to the ROI Manager, as T does: plane, x, y, width, height each."""

import json

from deepd3_events import on_event_thread
from ij import IJ
from ij.gui import OvalRoi
from ij.plugin.frame import RoiManager

image = IJ.getImage()


def add():
    manager = RoiManager.getRoiManager()
    for plane, x, y, width, height in json.loads(places):
        image.setZ(plane)
        roi = OvalRoi(x, y, width, height)
        roi.setPosition(plane)
        image.setRoi(roi)
        manager.runCommand("Add")
    image.deleteRoi()


on_event_thread(add)
answer = str(RoiManager.getRoiManager().getCount())
