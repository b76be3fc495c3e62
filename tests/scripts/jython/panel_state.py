#@output String answer
"""What the spine panel shows and what the images and the ROI Manager show with it."""

import json

from deepd3_panel import open_panel
from deepd3_rois import spine_of
from ij.plugin.frame import RoiManager
from java.lang import Runnable
from javax.swing import SwingUtilities


def corners(roi):
    polygon = roi.getFloatPolygon()
    return [list(corner) for corner in zip(polygon.xpoints, polygon.ypoints)[:polygon.npoints]]


class Look(Runnable):
    def run(self):
        panel = open_panel()
        if panel is None:
            self.answer = None
            return
        table, manager = panel._table, RoiManager.getInstance()
        corner = table.getLocationOnScreen() if table.isShowing() else None
        overlay = panel.looked_at().getOverlay()
        overlay = overlay.toArray() if overlay is not None else ()
        rows, places = {}, {}
        for row in range(table.getRowCount()):
            spine = int(table.getValueAt(row, 0))
            cell = table.getCellRect(row, 0, True)
            rows[spine] = [None if value is None else float(value) for value in
                           [table.getValueAt(row, column) for column in range(1, table.getColumnCount())]]
            if corner is not None:
                places[spine] = [corner.x + cell.x + cell.width // 2, corner.y + cell.y + cell.height // 2]
        self.answer = {
            "rows": rows, "places": places, "selected": panel.selected(), "totals": panel._total.getText(),
            "message": panel._message.getToolTipText(), "ready": panel._buttons["delete"].isEnabled(),
            "headings": [table.getColumnName(column) for column in range(table.getColumnCount())],
            "planes": dict((image.getTitle(), image.getZ()) for image in panel.spines.members()),
            "manager": [spine_of(roi) or 0 for roi in manager.getRoisAsArray()],
            "chosen": sorted(set(spine_of(manager.getRoi(row)) or 0 for row in manager.getSelectedIndexes())),
            "white": sorted(set(spine_of(roi) or 0 for image in panel.spines.members()
                                for roi in (image.getOverlay().toArray() if image.getOverlay() else ())
                                if roi.getStrokeWidth() > 1)),
            "bounds": dict((spine_of(roi), [roi.getBounds().getCenterX(), roi.getBounds().getCenterY()])
                           for roi in manager.getRoisAsArray() if spine_of(roi)),
            "shapes": dict((spine_of(roi), corners(roi)) for roi in overlay
                           if roi.getProperty("deepd3.shape") == "line"),
            "focused": table.isFocusOwner(),
            "selection": None if panel.looked_at().getRoi() is None
            else panel.looked_at().getRoi().getProperty("deepd3.shape"),
            "review": None if panel.review is None else panel.review._text.getText(),
            "zoom": dict((image.getTitle(), image.getCanvas().getMagnification()) for image in panel.spines.members()),
            "frame": [panel.frame.getX(), panel.frame.getY(), panel.frame.getWidth(), panel.frame.getHeight()]}


look = Look()
SwingUtilities.invokeAndWait(look)
answer = json.dumps(look.answer)
