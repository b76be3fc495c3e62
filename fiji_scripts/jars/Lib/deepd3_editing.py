"""Corrections of spines: delete, merge, split, add, keep, base and tip.

Jython 2.7. The menu's commands and the spine panel call the same functions; what the panel did is recorded as the
command that does it.
"""

import jarray
from deepd3_errors import DeepD3Error
from deepd3_images import describe, map_channels, pixels, shape_of
from deepd3_names import KEPT, MERGED, PREDICTION, PROVENANCE, REDRAWN, ROLE
from deepd3_rois import encoded, spine_of
from deepd3_texts import quoted
from deepd3_transport import CODES, Array
from ij.gui import PolygonRoi, Roi
from java.lang import System

_MARGIN_PX = 5


def delete(spines, ids):
    """Delete spines, in all their planes."""
    _check(spines, ids, 1)
    spines.replace(ids, None, None)
    return u"deleted %s" % named(ids)


def merge(spines, call, ids):
    """Make one spine of several; it keeps the smallest number."""
    _check(spines, ids, 2)
    reply, arrays = call("merge_rois", *_about(spines, ids))
    spines.replace(ids, reply, arrays)
    return u"merged %s into %d" % (named(ids), min(ids))


def split(spines, call, spine, line=None):
    """Make two spines of one; line: ends of a cut (x, y, x, y), None for the waist."""
    _check(spines, [spine], 1)
    new = max(spines.ids()) + 1
    values, arrays = _about(spines, [spine])
    ends = None if line is None else [line[1], line[0], line[3], line[2]]
    reply, received = call("split_roi", dict(values, new_id=new, line=ends), arrays)
    spines.replace([spine], reply, received)
    return u"split spine %d into %d and %d" % (spine, spine, new)


def keep(spines, ids):
    """Note that a person found spines to be right."""
    _check(spines, ids, 1)
    spines.review(ids, KEPT)
    return u"kept %s" % named(ids)


def place_ends(spines, image, spine, line, planes):
    """Let base and tip of a spine be the ends of a line (x, y, x, y), in planes (from 1) of an image."""
    _check(spines, [spine], 1)
    for plane in planes:
        if not 1 <= plane <= image.getNSlices():
            raise DeepD3Error(u"plane is %g; accepted: 1 to %d." % (plane, image.getNSlices()))
    base, tip = [spines.um_of((spines.plane_in_anchor(image, plane) - 1, y, x))
                 for plane, (x, y) in zip(planes, (line[:2], line[2:]))]
    spines.place(spine, base, tip)
    return u"placed base and tip of spine %d" % spine


def ends_of(spines, image, spine):
    """(line (x, y, x, y), planes of base and tip) that a person gave a spine, in pixels and planes of an image."""
    placed = spines.by_hand()["placed"][spine]
    base, tip = spines.pixel_of(placed[:3]), spines.pixel_of(placed[3:])
    return [base[2], base[1], tip[2], tip[1]], [spines.plane_of(image, each[0] + 1) for each in (base, tip)]


def add(spines, call, image, corners, plane, grow, instead_of=None):
    """Make a spine of an outline in a plane (from 1) of an image, and follow it through the planes of the spine map.

    corners: x and y of its corners in pixels. instead_of: the spine whose place and number it takes.
    Returns (number of the spine, what was done).
    """
    if instead_of is not None:
        _check(spines, [instead_of], 1)
    anchor = spines.anchor
    if not 1 <= plane <= image.getNSlices():
        raise DeepD3Error(u"plane is %d; accepted: 1 to %d." % (plane, image.getNSlices()))
    plane = spines.plane_in_anchor(image, plane)
    if not 1 <= plane <= anchor.getNSlices():
        raise DeepD3Error(u"That plane of %s is not part of %s; draw the outline in one of its planes."
                          % (quoted(image), quoted(anchor)))
    outline = PolygonRoi([x for x, _ in corners], [y for _, y in corners], Roi.POLYGON)
    if not outline.getBounds().intersects(0, 0, anchor.getWidth(), anchor.getHeight()):
        raise DeepD3Error(u"The outline lies beside %s; draw it inside of the image." % quoted(anchor))
    outline.setPosition(0, plane, 0)
    new = instead_of or max(spines.ids() + [0]) + 1
    drawn, outlines = encoded([outline])
    values = {"image": describe(anchor), "shape": shape_of(anchor), "rois": drawn, "new_id": new,
              "provenance": anchor.getProp(PROVENANCE)}
    arrays = {"outlines": outlines}
    box = _box(outline.getBounds(), anchor)
    values["others"], arrays["other_outlines"], _ = spines.values(
        lambda roi: spine_of(roi) != instead_of and roi.getBounds().intersects(*box)) \
        if spines.rows()[0] else encoded([]) + (None,)
    if grow and anchor.getProp(ROLE) in (PREDICTION, MERGED):
        arrays["spine"] = cropped(pixels(anchor, map_channels(anchor)[1]), (0, anchor.getNSlices()),
                                  (box[1], box[1] + box[3]), (box[0], box[0] + box[2]))
        values["corner"] = [0, box[1], box[0]]
    reply, received = call("grow_roi", values, arrays)
    spines.replace([] if instead_of is None else [instead_of], reply, received)
    if instead_of is not None:
        spines.review([new], REDRAWN, undoable=False)
    planes = len(reply["lengths"])
    return new, u"%s spine %d in %d plane%s" % (u"added" if instead_of is None else u"redrew", new, planes,
                                                u"" if planes == 1 else u"s")


def named(ids):
    """Numbers of spines in a sentence."""
    return u"spine%s %s" % (u"" if len(ids) == 1 else u"s", u", ".join(str(each) for each in sorted(ids)))


def ids_of(text):
    """Numbers of spines of a text such as '3, 7'."""
    try:
        ids = sorted(set(int(part) for part in text.replace(u",", u" ").split()))
    except ValueError:
        raise DeepD3Error(u"spines is '%s'; accepted: numbers of spines, for example 3, 7." % text)
    return ids


def corners_of(text):
    """Corners of a text such as '10,12;20,12;15,30'."""
    try:
        corners = [tuple(float(number) for number in corner.split(u","))
                   for corner in text.split(u";") if corner.strip()]
    except ValueError:
        corners = []
    if not corners or [corner for corner in corners if len(corner) != 2]:
        raise DeepD3Error(u"'%s' is no list of corners; accepted: x,y;x,y;... in pixels." % text)
    return corners


def text_of_corners(corners):
    """The text that `corners_of` reads."""
    return u";".join(u"%s,%s" % tuple(repr(round(value, 2)).rstrip("0").rstrip(".") for value in corner)
                     for corner in corners)


def drawn_corners(image):
    """Corners of the area that is selected on an image; DeepD3Error without one."""
    roi = image.getRoi()
    if roi is None or not roi.isArea():
        raise DeepD3Error(u"There is no outline on %s; draw one around the spine in one plane, with the freehand, "
                          u"polygon or oval tool." % quoted(image))
    polygon = roi.getFloatPolygon()
    return [(polygon.xpoints[i], polygon.ypoints[i]) for i in range(polygon.npoints)]


def drawn_line(image):
    """Ends (x, y, x, y) of the straight line that is drawn on an image, or None."""
    roi = image.getRoi()
    return [roi.x1d, roi.y1d, roi.x2d, roi.y2d] if roi is not None and roi.getType() == Roi.LINE else None


def line_of(text, image):
    """Ends of the line that a text such as '10,12;20,30' names; without a text, of what `drawn_line` finds."""
    return [number for corner in corners_of(text) for number in corner] if text else drawn_line(image)


def cropped(whole, planes, rows, columns):
    """Part of an array (z, y, x)."""
    (first, last), (top, bottom), (left, right) = planes, rows, columns
    width, crop = whole.shape[2], []
    for z in range(first, last):
        plane = jarray.zeros((bottom - top) * (right - left), CODES[whole.dtype])
        for row in range(top, bottom):
            System.arraycopy(whole.planes[z], row * width + left, plane, (row - top) * (right - left), right - left)
        crop.append(plane)
    return Array(whole.dtype, [last - first, bottom - top, right - left], crop)


def _about(spines, ids):
    """(values, arrays) of the outlines of some spines, for the service."""
    values, array, _ = spines.values(lambda roi: spine_of(roi) in ids)
    return ({"image": describe(spines.anchor), "shape": shape_of(spines.anchor), "rois": values},
            {"outlines": array})


def _check(spines, ids, fewest):
    known = spines.ids()
    unknown = [each for each in ids if each not in known]
    if unknown:
        raise DeepD3Error(u"There is no spine %d in %s; accepted: %s." % (
            unknown[0], quoted(spines.anchor), u", ".join(str(each) for each in known[:20]) or u"none"))
    if len(ids) < fewest:
        raise DeepD3Error(u"%s; choose %s in the spine panel or the ROI Manager, or name %s." % (
            u"No spine is selected" if not ids else u"One spine is selected",
            u"one" if fewest == 1 else u"at least two", u"it" if fewest == 1 else u"them"))


def _box(bounds, image):
    """(x, y, width, height) around an outline, inside of an image."""
    left, top = max(0, bounds.x - _MARGIN_PX), max(0, bounds.y - _MARGIN_PX)
    right = min(image.getWidth(), bounds.x + bounds.width + _MARGIN_PX)
    bottom = min(image.getHeight(), bounds.y + bounds.height + _MARGIN_PX)
    return left, top, max(1, right - left), max(1, bottom - top)
