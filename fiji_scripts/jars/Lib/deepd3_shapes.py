"""Shapes of spines over their images: a line from base over head to tip, the head's width, a cross at the base.

Jython 2.7. They are drawn of the table of spines, in the plane of the head. A line whose ends a person moved tells
where base and tip are: it knows where it was drawn.
"""

import json
import math

import jarray
from deepd3_errors import DeepD3Error
from deepd3_names import ID, ROI_DRAWN, ROI_ID, ROI_IMAGE, ROI_SHAPE, SOURCE
from deepd3_rois import spine_of
from deepd3_tables import column_of
from deepd3_texts import quoted
from ij.gui import OvalRoi, Overlay, PointRoi, PolygonRoi, Roi
from java.awt import GraphicsEnvironment

LINE, HEAD, BASE = "line", "head", "base"
_PLACES = ("base", "head", "tip")
_AXES = "zyx"
_SHAPES = "deepd3.shapes"
_HIDDEN = "deepd3.shapes_hidden"
_MOVED_PX = 0.01
_WIDTH = 1.0


class Shape(object):
    """Where base, head and tip of a spine are: (z, y, x) in um, None where that is not known; width of the head.

    height_um: where it is drawn, the head's if it is not given; None if no place is known.
    """

    def __init__(self, base, head, tip, width_um, height_um=None):
        self.base, self.head, self.tip, self.width_um = base, head, tip, width_um
        heights = [place[0] for place in (head, tip, base) if place is not None]
        self.height_um = height_um if height_um is not None or not heights else heights[0]

    def has_line(self):
        """True if base and tip are known."""
        return self.base is not None and self.tip is not None


def shapes_of(reply, arrays):
    """Shapes by spine of the tables that the service measured; none if it measured none."""
    table, values = reply["spines"], arrays["spine_values"]
    if "base_z_um" not in table["headings"]:
        return {}
    ids, widths = [column_of(table, values, name) for name in ("id", "head_fwhm_um")]
    places = [zip(*[column_of(table, values, "%s_%s_um" % (place, axis)) for axis in _AXES]) for place in _PLACES]
    return dict((int(spine), Shape(*([_known(place) for place in of_spine] + [_known((width,)) and width])))
                for spine, width, of_spine in zip(ids, widths, zip(*places)))


def _known(numbers):
    return None if any(math.isnan(number) for number in numbers) else tuple(numbers)


# What is shown


def show_shapes(spines, shapes):
    """Draw shapes (by spine) over all images of the spines, in place of earlier ones."""
    spines.anchor.setProperty(_SHAPES, shapes)
    draw_shapes(spines)


def shapes_shown(spines):
    """True if there are shapes and they are not hidden."""
    return bool(spines.anchor.getProperty(_SHAPES)) and spines.anchor.getProperty(_HIDDEN) is None


def hide_shapes(spines, hidden):
    """Hide the shapes, or show them."""
    spines.anchor.setProperty(_HIDDEN, True if hidden else None)
    draw_shapes(spines)


def toggle_shapes(spines):
    """Show the shapes, or hide them; DeepD3Error if none were measured."""
    if not spines.anchor.getProperty(_SHAPES):
        raise DeepD3Error(u"No shapes of the spines of %s were measured; use Measure Dendrites and Spines... first."
                          % quoted(spines.anchor))
    hide_shapes(spines, shapes_shown(spines))


def forget_shapes(spines, ids=None):
    """Take the shapes of spines away that were changed; None for all."""
    shapes = spines.anchor.getProperty(_SHAPES) or {}
    gone = set(shapes) if ids is None else set(shapes) & set(ids)
    if not gone:
        return
    spines.anchor.setProperty(_SHAPES, dict(item for item in shapes.items() if item[0] not in gone))
    for image in spines.members():
        overlay = image.getOverlay()
        for number in reversed(range(overlay.size() if overlay is not None else 0)):
            if is_part(overlay.get(number)) and spine_of(overlay.get(number)) in gone:
                overlay.remove(number)
        image.draw()


def is_part(roi):
    """True for what shows the shape of a spine and is no spine itself."""
    return roi.getProperty(ROI_SHAPE) is not None


def draw_shapes(spines):
    """Draw the shapes over all images, each in its plane; everything else that lies over an image stays."""
    shapes = spines.anchor.getProperty(_SHAPES) or {} if spines.anchor.getProperty(_HIDDEN) is None else {}
    colours = spines.colours(shapes)
    for image in spines.members():
        before = image.getOverlay()
        others = [roi for roi in before.toArray() if not is_part(roi)] if before is not None else []
        if not shapes and before is not None and len(others) == before.size():
            continue
        overlay, placing = Overlay(), spines.placing(image)
        overlay.selectable(before is not None and before.isSelectable())
        for roi in others:
            overlay.add(roi)
        for spine, shape in sorted(shapes.items()):
            for part, plane in _parts(spines, spine, shape, colours[spine]):  # clones would share their properties
                if placing(part, plane):
                    overlay.add(part)
        image.setOverlay(overlay)
        image.setHideOverlay(False)


def select_line(spines, spine):
    """Select a straight line from base to tip of a spine on all images, to be moved on any of them.

    Returns its plane in the anchor, None if base or tip are not known.
    """
    shape, moved = (spines.anchor.getProperty(_SHAPES) or {}).get(spine), spines.by_hand()["placed"].get(spine)
    if shape is not None:
        ends = (shape.base, shape.tip) if moved is None else (tuple(moved[:3]), tuple(moved[3:]))
        # A corner at the head would hide the handle at the tip.
        shape = Shape(ends[0], None, ends[1], None, shape.height_um)
    if shape is None or not shape.has_line():
        return None
    colour = spines.colours([spine])[spine]
    for image in spines.members():
        line, plane = _parts(spines, spine, shape, colour)[0]
        if spines.placing(image)(line, plane):
            image.setRoi(line)
    return plane


def plane_of_shape(spines, spine):
    """Plane of the anchor in which the shape of a spine is shown; None if it is not shown."""
    shape = (spines.anchor.getProperty(_SHAPES) or {}).get(spine) if shapes_shown(spines) else None
    return None if shape is None or shape.height_um is None else _plane(spines, shape)


def _plane(spines, shape):
    plane = int(round(spines.pixel_of((shape.height_um, 0, 0))[0])) + 1
    return max(1, min(spines.anchor.getNSlices(), plane))


def _parts(spines, spine, shape, colour):
    """[(ROI, its plane in the anchor)] of a shape."""
    if shape.height_um is None:
        return []
    plane, parts = _plane(spines, shape), []
    if shape.has_line():
        parts.append((LINE, _line(spines, [each for each in (shape.base, shape.head, shape.tip) if each])))
    if shape.head is not None and shape.width_um:
        _, y, x = spines.pixel_of(shape.head)
        wide, high = shape.width_um / spines.voxel_um()[2], shape.width_um / spines.voxel_um()[1]
        # Areas are counted from the corner of the first pixel, lines and points from its middle.
        parts.append((HEAD, OvalRoi(x + 0.5 - wide / 2, y + 0.5 - high / 2, wide, high)))
    if shape.base is not None:
        _, y, x = spines.pixel_of(shape.base)
        cross = PointRoi(x, y)
        cross.setPointType(PointRoi.CROSS)
        cross.setSize(0)
        parts.append((BASE, cross))
    belongs = spines.anchor.getProp(ID)
    for kind, roi in parts:
        roi.setName("spine%04d_z%03d" % (spine, plane))
        roi.setStrokeColor(colour)
        if kind == LINE:
            roi.setUnscalableStrokeWidth(_WIDTH)
        for name, value in ((ROI_SHAPE, kind), (ROI_ID, str(spine)), (ROI_IMAGE, belongs),
                            (SOURCE, spines.anchor.getProp(SOURCE) or spines.anchor.getTitle())):
            roi.setProperty(name, value)
    return [(roi, plane) for _, roi in parts]


def _line(spines, places):
    corners = [spines.pixel_of(place)[1:] for place in places]
    line = PolygonRoi(jarray.array([x for _, x in corners], "f"), jarray.array([y for y, _ in corners], "f"),
                      Roi.POLYLINE)
    _remember(line, places)
    return line


# What a person moved


def _remember(line, places):
    line.setProperty(ROI_DRAWN, json.dumps({"corners": _corners(line), "um": places}))


def _corners(line):
    polygon = line.getFloatPolygon()
    return [(polygon.xpoints[number], polygon.ypoints[number]) for number in range(polygon.npoints)]


def take_moved(spines, selected_only=False):
    """Let base and tip of a spine be where a person moved the ends of its line; returns the numbers of such spines.

    Lines that are selected on the images count, and else those over the images and in the ROI Manager too.
    """
    taken = []
    for line in _lines(spines, selected_only):
        drawn, corners = json.loads(line.getProperty(ROI_DRAWN)), _corners(line)
        if len(corners) < 2 or line.getState() in (Roi.MOVING, Roi.MOVING_HANDLE):
            continue
        ends = []
        for before, now, place in zip((drawn["corners"][0], drawn["corners"][-1]), (corners[0], corners[-1]),
                                      (drawn["um"][0], drawn["um"][-1])):
            moved = max(abs(now[0] - before[0]), abs(now[1] - before[1])) > _MOVED_PX
            ends.append((place[0],) + spines.um_of((0, now[1], now[0]))[1:] if moved else tuple(place))
        if ends != [tuple(drawn["um"][0]), tuple(drawn["um"][-1])]:
            spine = spine_of(line)
            _remember(line, [ends[0]] + drawn["um"][1:-1] + [ends[1]])
            if spine in spines.ids():
                spines.place(spine, *ends)
                taken.append(spine)
    return taken


def _lines(spines, selected_only):
    found = [image.getRoi() for image in spines.members()]
    for image in [] if selected_only else spines.members():
        overlay = image.getOverlay()
        found += list(overlay.toArray()) if overlay is not None else []
    if not selected_only and not GraphicsEnvironment.isHeadless():
        from ij.plugin.frame import RoiManager  # without windows, its class cannot be loaded
        manager = RoiManager.getInstance()
        found += list(manager.getRoisAsArray()) if manager is not None else []
    belongs = spines.anchor.getProp(ID)
    return [roi for roi in found if roi is not None and roi.getProperty(ROI_SHAPE) == LINE
            and roi.getProperty(ROI_DRAWN) and roi.getProperty(ROI_IMAGE) == belongs]
