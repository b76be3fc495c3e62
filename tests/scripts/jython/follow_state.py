#@output String answer
"""What the window of followed spines shows, with its image and the ROI Manager; null if it is closed."""

import json

from deepd3_follow import WINDOW
from ij import WindowManager
from ij.plugin.frame import RoiManager
from java.awt import Frame, KeyboardFocusManager
from java.lang import Class, Runnable
from javax.swing import SwingUtilities


def outline(roi):
    colour = roi.getStrokeColor()
    return {"c": roi.getCPosition(), "z": roi.getZPosition(), "t": roi.getTPosition(),
            "colour": "#%02x%02x%02x" % (colour.getRed(), colour.getGreen(), colour.getBlue()),
            "chosen": roi.getStrokeWidth() > 1}


def listeners():
    field = Class.forName("ij.ImagePlus").getDeclaredField("listeners")
    field.setAccessible(True)
    return len(field.get(None))


def dispatchers():
    manager = KeyboardFocusManager.getCurrentKeyboardFocusManager()
    method = Class.forName("java.awt.KeyboardFocusManager").getDeclaredField("keyEventDispatchers")
    method.setAccessible(True)
    return len(method.get(manager) or ())


class Look(Runnable):
    def run(self):
        frames = [frame for frame in Frame.getFrames() if frame.getName() == WINDOW and frame.isDisplayable()]
        manager = RoiManager.getInstance()
        self.answer = {"images": list(WindowManager.getImageTitles()), "listeners": listeners(),
                       "manager": [roi.getName() for roi in manager.getRoisAsArray()] if manager is not None else []}
        image = WindowManager.getImage("timelapse_registered.tif")
        overlay = image.getOverlay() if image is not None else None
        self.answer["outlines"] = dict((roi.getName(), outline(roi)) for roi in overlay.toArray()) if overlay else {}
        if image is not None:
            self.answer["place"] = [image.getC(), image.getZ(), image.getT()]
            self.answer["clicks"] = len(image.getCanvas().getMouseListeners())
        if not frames:
            self.answer["window"] = None
            return
        window = frames[0].getRootPane().getClientProperty(WINDOW)
        table = window.table.component
        corner = table.getLocationOnScreen() if table.isShowing() else None
        cells = {}
        for row in range(table.getRowCount()):
            for column in range(table.getColumnCount()):
                cell = table.getCellRect(row, column, True)
                where = [corner.x + cell.x + cell.width // 2, corner.y + cell.y + cell.height // 2] if corner else None
                cells["%s %s" % (table.getValueAt(row, 0), table.getColumnName(column))] = where
        self.answer.update(
            window=frames[0].getTitle(), cells=cells, chosen=window._place_line.getToolTipText(),
            message=window._message.getToolTipText(), totals=window._total.getToolTipText(),
            rows=[[unicode(table.getValueAt(row, column)) for column in range(table.getColumnCount())]
                  for row in range(table.getRowCount())], ready=window._buttons["link"].isEnabled())


look = Look()
SwingUtilities.invokeAndWait(look)
answer = json.dumps(look.answer)
