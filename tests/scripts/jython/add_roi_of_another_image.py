#@output String answer
"""Draw on an image that has nothing to do with DeepD3 and put that into the ROI Manager."""

from ij import IJ
from ij.gui import Roi
from ij.plugin.frame import RoiManager

image = IJ.createImage("other", "8-bit black", 50, 50, 3)
image.show()
image.setRoi(Roi(5, 5, 10, 10))
manager = RoiManager.getRoiManager()
manager.runCommand(image, "Add")
answer = str(manager.getCount())
