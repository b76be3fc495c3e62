#@output String answer
"""How many pixels a preview of cleaning shows as removed, over all planes of the active image."""

from ij import WindowManager
from ij.gui import ImageRoi

count = 0
for roi in WindowManager.getCurrentImage().getOverlay() or ():
    if isinstance(roi, ImageRoi):
        picture = roi.getProcessor().getBufferedImage()
        for y in range(picture.getHeight()):
            for x in range(picture.getWidth()):
                count += picture.getRGB(x, y) & 0xffffff != 0
answer = str(count)
