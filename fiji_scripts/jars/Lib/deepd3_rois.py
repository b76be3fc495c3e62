"""ROIs: to and from the service, the ROI Manager, the overlay.

Jython 2.7. Without a display there is no ROI Manager; ROIs are kept in the image's overlay then.
"""

import json

import jarray
from deepd3_colours import ANNOTATION as ANNOTATION_COLOUR
from deepd3_errors import DeepD3Error
from deepd3_images import check_open, shape_of
from deepd3_names import ANNOTATION, ROI_PARAMETERS, ROIS_PROVENANCE
from deepd3_texts import quoted
from deepd3_transport import Array
from ij.gui import Overlay, PointRoi
from ij.io import RoiDecoder, RoiEncoder
from java.awt import Color, GraphicsEnvironment
from java.lang import System
from java.util import Arrays

_NEAR_PLANES = 2


def kept_parameters(image):
    """3-D ROI parameters that the live test kept for an image, or an empty table."""
    return json.loads(image.getProp(ROI_PARAMETERS) or "{}")


def show_rois(image, reply, arrays):
    """Put the service's ROIs into the ROI Manager, or without a display into the image's overlay."""
    check_open(image)
    rois = decoded(reply["lengths"], arrays["outlines"])
    image.setProp(ROIS_PROVENANCE, reply["rois_provenance"])
    overlay = Overlay()
    for roi in rois:
        overlay.add(roi)
    if GraphicsEnvironment.isHeadless():
        image.setOverlay(overlay)
        return
    from ij.plugin.frame import RoiManager
    manager = RoiManager.getRoiManager()
    manager.reset()
    if rois:
        manager.setOverlay(overlay)
    manager.runCommand(image, "Show All without labels")


def toggle_rois(image):
    """Show or hide the ROIs on an image."""
    visible = image.getHideOverlay()
    image.setHideOverlay(not visible)
    if not GraphicsEnvironment.isHeadless():
        from ij.plugin.frame import RoiManager
        if RoiManager.getInstance() is not None:
            RoiManager.getInstance().runCommand(image, "Show All without labels" if visible else "Show None")


def show_annotations(image, array, name):
    """Draw annotated positions as blue points; returns how many lie inside of the image."""
    planes, height, width = shape_of(image)
    rows, values = array.shape[1] if len(array.shape) > 1 else 0, array.planes[0]
    inside = [(values[i], values[rows + i], values[2 * rows + i]) for i in range(rows)]
    inside = [(z, y, x) for z, y, x in inside if 0 <= z < planes and 0 <= y < height and 0 <= x < width]
    overlay = image.getOverlay() or Overlay()
    for plane in range(planes):
        points = PointRoi()
        for z, y, x in inside:
            if abs(z - plane) < _NEAR_PLANES:
                points.addPoint(x + 0.5, y + 0.5)
        if points.size() == 0:
            continue
        points.setPosition(0, plane + 1, 0)
        points.setStrokeColor(Color(*ANNOTATION_COLOUR))
        points.setPointType(3)
        points.setSize(2)
        points.setShowLabels(False)
        points.setProperty(ANNOTATION, name)
        overlay.add(points)
    image.setOverlay(overlay)
    image.setHideOverlay(False)
    return len(inside)


def decoded(lengths, array):
    """ImageJ ROIs of the bytes of .roi files, one after the other."""
    content, start, rois = array.planes[0], 0, []
    for length in lengths:
        rois.append(RoiDecoder.openFromByteArray(Arrays.copyOfRange(content, start, start + length)))
        start += length
    return rois


def roi_values(image):
    """Values and arrays of an image's ROIs for the service."""
    values, array = rois_of(image)
    return {"rois": values}, {"outlines": array}


def rois_of(image):
    """(values, array) of the ROIs as they are now: those of the ROI Manager, else of the image's overlay.

    Raises DeepD3Error if there are none and none were built.
    """
    found = [roi for roi in _present_rois(image) if roi.getProperty(ANNOTATION) is None]
    if not found and image.getProp(ROIS_PROVENANCE) is None:
        raise DeepD3Error(u"%s has no ROIs; use Build 3D ROIs... first, or open ROIs in the "
                          u"ROI Manager." % quoted(image))
    parts, lengths, names = [], [], []
    for roi in found:
        data = RoiEncoder.saveAsByteArray(_with_plane(roi, image))
        if data is None:
            continue
        parts.append(data)
        lengths.append(len(data))
        names.append(roi.getName() or "unnamed")
    content = jarray.zeros(sum(lengths), "b")
    start = 0
    for data in parts:
        System.arraycopy(data, 0, content, start, len(data))
        start += len(data)
    values = {"lengths": lengths, "names": names, "provenance": image.getProp(ROIS_PROVENANCE) or "{}"}
    return values, (Array("uint8", [len(content)], [content]) if parts else None)


def _present_rois(image):
    if not GraphicsEnvironment.isHeadless():
        from ij.plugin.frame import RoiManager
        manager = RoiManager.getInstance()
        if manager is not None and manager.getCount() > 0:
            return list(manager.getRoisAsArray())
    overlay = image.getOverlay()
    return list(overlay.toArray()) if overlay is not None else []


def _with_plane(roi, image):
    """The ROI with its plane as a hyperstack position, as a plain position counts channels too."""
    position = roi.getPosition()
    if roi.hasHyperStackPosition() or position == 0:
        return roi
    moved = roi.clone()
    moved.setPosition(0, image.convertIndexToPosition(position)[1] if image.getStackSize() > 1 else 1, 0)
    return moved
