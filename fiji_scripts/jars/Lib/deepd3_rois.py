"""Single ROIs: to and from the bytes of ROI files, what they say about themselves; annotations.

Jython 2.7.
"""

import json
import re

import jarray
from deepd3_colours import ANNOTATION as ANNOTATION_COLOUR
from deepd3_images import shape_of
from deepd3_names import ANNOTATION, ROI_ID, ROI_PARAMETERS
from deepd3_transport import Array
from ij.gui import Overlay, PointRoi
from ij.io import RoiDecoder, RoiEncoder
from java.awt import Color, Rectangle
from java.lang import System
from java.util import Arrays

_NEAR_PLANES = 2
_NAME = re.compile(r"spine(\d+)_z\d+")


def kept_parameters(image):
    """3-D ROI parameters that the live test kept for an image, or an empty table."""
    return json.loads(image.getProp(ROI_PARAMETERS) or "{}")


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
        place(points, image, plane + 1)
        points.setStrokeColor(Color(*ANNOTATION_COLOUR))
        points.setPointType(3)
        points.setSize(2)
        points.setShowLabels(False)
        points.setProperty(ANNOTATION, name)
        overlay.add(points)
    image.setOverlay(overlay)
    image.setHideOverlay(False)
    return len(inside)


def place(roi, image, plane, frame=0):
    """Give a ROI the position of a plane (from 1; 0 for all) as an image shows it: in this plane only."""
    if image.getStackSize() == 1 or plane == 0:
        roi.setPosition(0)
    elif image.isHyperStack() or image.getNChannels() > 1:
        roi.setPosition(0, plane, frame)
    else:
        roi.setPosition(plane)


def selected_box(shown, others=()):
    """Box (x, y, width, height) around the area that a user selected on an image, or on others of its size; or None."""
    for image in [shown] + list(others):
        if image is None or (image.getWidth(), image.getHeight()) != (shown.getWidth(), shown.getHeight()):
            continue
        roi = image.getRoi()
        if roi is None or not roi.isArea() or spine_of(roi) is not None:
            continue
        box = roi.getBounds().intersection(Rectangle(0, 0, image.getWidth(), image.getHeight()))
        if not box.isEmpty():
            return box.x, box.y, box.width, box.height
    return None


def spine_of(roi):
    """Number of the spine that a ROI says to belong to, or None."""
    stated = roi.getProperty(ROI_ID)
    if stated and stated.isdigit() and int(stated) > 0:
        return int(stated)
    named = _NAME.match(roi.getName() or "")
    return int(named.group(1)) or None if named else None


def decoded(lengths, array):
    """ImageJ ROIs of the bytes of .roi files, one after the other."""
    rois, start = [], 0
    for length in lengths:
        content = array.planes[0]
        rois.append(RoiDecoder.openFromByteArray(Arrays.copyOfRange(content, start, start + length)))
        start += length
    return rois


def encoded(rois, provenance=None):
    """(values, array) of ROIs for the service: the bytes of their files, one after the other."""
    parts, names = [], []
    for roi in rois:
        data = RoiEncoder.saveAsByteArray(roi)
        if data is not None:
            parts.append(data)
            names.append(roi.getName() or "unnamed")
    content, start = jarray.zeros(sum(len(data) for data in parts), "b"), 0
    for data in parts:
        System.arraycopy(data, 0, content, start, len(data))
        start += len(data)
    values = {"lengths": [len(data) for data in parts], "names": names, "provenance": provenance or "{}"}
    return values, (Array("uint8", [len(content)], [content]) if parts else None)
