#@ Integer spine
#@output String answer
"""Select the first row of a spine in the ROI Manager."""

from deepd3_rois import spine_of
from ij.plugin.frame import RoiManager

manager = RoiManager.getInstance()
manager.select([row for row in range(manager.getCount()) if spine_of(manager.getRoi(row)) == spine][0])
answer = "selected"
