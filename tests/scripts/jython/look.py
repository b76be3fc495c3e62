#@ Context context
#@output String answer
import json

from deepd3_images import Images, shape_of
from deepd3_names import PROVENANCE, ROIS_PROVENANCE, ROLE
from java.awt import GraphicsEnvironment

image = Images(context).current()
overlay = image.getOverlay() if image is not None else None
manager = None
if not GraphicsEnvironment.isHeadless():
    from ij.plugin.frame import RoiManager
    manager = RoiManager.getInstance()
frame = overlay.get(0).getBounds() if overlay is not None and overlay.size() else None
answer = json.dumps(None if image is None else {
    "title": image.getTitle(), "shape": shape_of(image), "role": image.getProp(ROLE),
    "pixel_width": image.getCalibration().pixelWidth, "unit": image.getCalibration().getUnit(),
    "rois": overlay.size() if overlay is not None else 0,
    "manager": manager.getCount() if manager is not None else 0,
    "frame": [frame.x, frame.y, frame.width, frame.height] if frame is not None else None,
    "outlines": sum(hash(str(roi.getFloatPolygon().xpoints.tolist())) % 1000003 for roi in overlay.toArray())
    if overlay is not None else 0,
    "sum": sum(image.getStack().getProcessor(n + 1).getStats().mean for n in range(image.getStackSize())),
    "maximum": max(image.getStack().getProcessor(n + 1).getStats().max for n in range(image.getStackSize())),
    "provenance": image.getProp(PROVENANCE), "rois_provenance": image.getProp(ROIS_PROVENANCE)})
