#@output String answer
"""What the window of followed spines shows, and the hyperstack with it."""

import json

from deepd3_follow import open_window
from ij import WindowManager
from ij.plugin.frame import RoiManager
from java.lang import Runnable
from javax.swing import SwingUtilities


def hexed(colour):
    return u"#%06x" % (colour.getRGB() & 0xFFFFFF)


class Look(Runnable):
    answer = None

    def run(self):
        window = open_window()
        if window is None:
            self.answer = {"open": False, "images": list(WindowManager.getImageTitles())}
            return
        table, image = window.table, window.image
        corner, cells = table.getLocationOnScreen(), {}
        for row in range(table.getRowCount()):
            track = int(table.getValueAt(row, 0))
            cells[track] = []
            for column in range(table.getColumnCount()):
                cell = table.getCellRect(row, column, True)
                cells[track].append([corner.x + cell.x + cell.width // 2, corner.y + cell.y + cell.height // 2])
        overlay = image.getOverlay()
        manager = RoiManager.getInstance()
        self.answer = {
            "open": True, "ready": not window.busy, "message": window._message.getText(),
            "cells": cells, "spines": window.marks.spines, "position": [image.getZ(), image.getT()],
            "title": image.getTitle(), "shape": [image.getNChannels(), image.getNSlices(), image.getNFrames()],
            "calibration": [image.getCalibration().pixelWidth, image.getCalibration().pixelDepth,
                            image.getCalibration().getUnit()],
            "chosen": [[spine["track_id"], spine["time_point"]] for spine in window.chosen],
            "outlines": [[roi.getName(), roi.getZPosition(), roi.getTPosition(), hexed(roi.getStrokeColor()),
                          roi.getProperty("deepd3.change")] for roi in overlay.toArray()],
            "manager": [] if manager is None else [[roi.getName(), roi.getZPosition(), roi.getTPosition()]
                                                   for roi in manager.getRoisAsArray()],
            "images": list(WindowManager.getImageTitles()),
            "buttons": dict((name, [button.getLocationOnScreen().x + button.getWidth() // 2,
                                    button.getLocationOnScreen().y + button.getHeight() // 2])
                            for name, button in window._buttons.items())}


look = Look()
SwingUtilities.invokeAndWait(look)
answer = json.dumps(look.answer)
