#@ String plane
#@output String answer
"""Show a plane of the stack cell.tif; the position and opacity of the maps that are laid over it."""

import json

from ij import WindowManager
from java.lang import Runnable
from javax.swing import SwingUtilities


class Look(Runnable):
    def run(self):
        image = WindowManager.getImage("cell.tif")
        image.setSlice(int(plane))
        overlay = image.getOverlay()
        self.answer = []
        for roi in overlay.toArray() if overlay is not None else ():
            if roi.getProperty("deepd3.maps") is not None:
                self.answer.append({"plane": roi.getPosition(), "opacity": roi.getOpacity()})


look = Look()
SwingUtilities.invokeAndWait(look)
answer = json.dumps(look.answer)
