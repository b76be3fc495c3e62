"""ImageJ ROIs: from outlines to the bytes of a ``.roi`` file, and from such bytes to pixels.

Pixels are found as ImageJ finds them when it measures or fills: a pixel belongs to a polygon if
its centre lies inside (a centre exactly on a left or upper edge is outside), outlines that
cross are filled by the even-odd rule, a rectangle covers whole pixels, an oval holds the pixels
whose centres satisfy its equation.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from deepd3_ij.colours import Colour, roi_colour
from deepd3_ij.errors import FileFormatError, one_line
from deepd3_ij.names import ROI_DIMENSIONS, ROI_ID, ROI_SHAPE
from deepd3_ij.rois.regroup import RoiPart
from deepd3_ij.rois.roiset import RoiSet

_NAME = re.compile(r"spine(\d+)_z(\d+)")
# ImageJ names a ROI of a stack by plane, row and column, and goes by this where the ROI has no position.
_STACK_NAME = re.compile(r"(\d{4,6})-\d{4,6}-\d{4,6}(?:-\d+)?")
# Far beyond any image; ImageJ's own coordinates are 32-bit.
_LARGEST_COORDINATE = 1e7
_MOST_CORNERS = 2_000_000
_MOST_CURVES = 100_000
_CROSSINGS_AT_ONCE = 5_000_000
_MOST_CROSSINGS = 1_000_000_000
_FLATNESS_PX = 0.01
_MAX_INT_COORDINATE = 32767
_MOVE, _LINE, _QUADRATIC, _CUBIC, _CLOSE = range(5)
_PATH_ARGUMENTS = (2, 2, 4, 6, 0)
_CIRCLE_BEZIER = 4 / 3 * (2**0.5 - 1)
# ImageJ's polygon filler moves edges by this amount so that rounding cannot flip a pixel.
_EDGE_SHIFT = 1e-8

_CLOSED = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_NO_AREA = {
    ROI_TYPE.LINE: "a line", ROI_TYPE.FREELINE: "a freehand line", ROI_TYPE.POLYLINE: "a segmented line",
    ROI_TYPE.ANGLE: "an angle", ROI_TYPE.POINT: "a point", ROI_TYPE.NOROI: "empty",
}


def roi_name(roi_id: int, plane: int) -> str:
    """Name of a ROI in one plane (0-based), as a Fiji user sees it: ``spine0012_z007`` (1-based)."""
    return f"spine{roi_id:04d}_z{plane + 1:03d}"


def stated_id(number: object, *names: str) -> int | None:
    """Id of the spine that an ImageJ ROI says to belong to: its property ``deepd3.id``, else one of its names."""
    matches = [_NAME.fullmatch(name) for name in names]
    for value in (number, *(int(match[1]) for match in matches if match)):
        if isinstance(value, int) and 0 < value <= np.iinfo(np.int32).max:
            return value
    return None


def encode_rois(
    rois: RoiSet, corner_zyx: tuple[int, int, int] = (0, 0, 0), colour_of: Callable[[int], Colour] = roi_colour
) -> Iterator[tuple[str, bytes]]:
    """Encode every ROI plane by plane as ImageJ ROIs.

    A region of one part without holes becomes a traced ROI with whole-number corner
    coordinates, any other a composite ROI with all its parts and holes.

    Parameters
    ----------
    rois
        The ROIs.
    corner_zyx
        Where their first voxel lies in the image, if they are those of a crop.
    colour_of
        Colour of a ROI by its id.

    Yields
    ------
    tuple of str and bytes
        Name (see :func:`roi_name`) and the content of a ``.roi`` file.
    """
    contours = rois.contours
    if len(contours) == 0:
        return
    changes = (np.diff(contours.plane) != 0) | (np.diff(contours.roi_id) != 0)
    bounds = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(contours)]])
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        plane, roi_id = int(contours.plane[first]) + corner_zyx[0], int(contours.roi_id[first])
        outlines = [contours.points(index) + np.array(corner_zyx[1:], np.int32) for index in range(first, last)]
        yield roi_name(roi_id, plane), _encode(outlines, roi_id, plane, rois.dimensions, colour_of(roi_id))


def encode_outline(name: str, outline_yx: np.ndarray, plane: int, frame: int, colour: Colour,
                   properties: Mapping[str, object]) -> bytes:
    """Encode one outline at a plane and time point of a hyperstack.

    Parameters
    ----------
    name
        What the ROI Manager calls it.
    outline_yx
        Vertices in corner coordinates, columns y and x, float64, shape ``(n, 2)``.
    plane, frame
        From 0.
    colour
        Of its stroke.
    properties
        What ImageJ keeps with the ROI.

    Returns
    -------
    bytes
        Content of a ``.roi`` file: a polygon with sub-pixel vertices.
    """
    roi = ImagejRoi.frompoints(np.asarray(outline_yx, dtype=np.float32)[:, ::-1], name=name)
    roi.roitype = ROI_TYPE.POLYGON
    roi.stroke_color = bytes((255, *colour))
    roi.position, roi.c_position, roi.z_position, roi.t_position = 0, 1, plane + 1, frame + 1
    roi.properties = dict(properties)
    return roi.tobytes()


def decode_roi(data: bytes, name: str, shape_yx: tuple[int, int]) -> RoiPart | str:
    """Find the pixels of an ImageJ ROI.

    Parameters
    ----------
    data
        Content of a ``.roi`` file.
    name
        Name of the ROI (in a zip: of the entry), for grouping and for messages.
    shape_yx
        Height and width of the image; what lies outside is cut off.

    Returns
    -------
    RoiPart or str
        The pixels, or, for a selection without an area (line, point, text), the reason why there are none.

    Raises
    ------
    FileFormatError
        The bytes are no complete ImageJ ROI.
    """
    try:
        roi = ImagejRoi.frombytes(data)
        no_area = _without_area(roi)
        if no_area:
            return no_area
        properties = roi.properties
        if ROI_SHAPE in properties:
            return "the shape of a spine"
        y, x, mask = _pixels(roi, data, shape_yx)
        named = _STACK_NAME.fullmatch(name) or _STACK_NAME.fullmatch(roi.name or "")
        plane = (roi.z_position or roi.position or (int(named[1]) if named else 0)) - 1
        others = [value - 1 if value > 0 else None for value in (roi.t_position, roi.c_position)]
        roi_id = stated_id(properties.get(ROI_ID), name, roi.name)
    except FileFormatError:
        raise
    except Exception as error:  # damaged bytes make roifile fail in many ways
        raise FileFormatError(f"The ROI {name!r} is damaged ({one_line(error, 120)}); save it again from ImageJ."
                              ) from error
    return RoiPart(name=name, plane=plane if plane >= 0 else None, y=y, x=x, mask=mask, roi_id=roi_id,
                   dimensions=2 if properties.get(ROI_DIMENSIONS) == 2 else None, frame=others[0],
                   channel=others[1])


def fill_polygons(outlines: list[np.ndarray], shape_yx: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """Pixels inside closed outlines (even-odd rule), as ImageJ's polygon filler finds them.

    Parameters
    ----------
    outlines
        Vertices, each array of shape ``(n, 2)``, columns x and y, in corner coordinates.
    shape_yx
        Height and width of the image.

    Returns
    -------
    tuple of int, int, numpy.ndarray
        First row, first column and the pixels (bool) of the part of the image that the outlines span.
    """
    outlines = [np.asarray(points, dtype=np.float64) for points in outlines if len(points) > 2]
    if not outlines:
        return 0, 0, np.zeros((0, 0), dtype=bool)
    start = np.concatenate(outlines)
    end = np.concatenate([np.roll(points, -1, axis=0) for points in outlines])
    if not (np.abs(start) <= _LARGEST_COORDINATE).all():
        raise ValueError("a coordinate is no number of a size that an image can have")
    height, width = shape_yx
    low, high = np.floor(start.min(axis=0)), np.ceil(start.max(axis=0))
    left, right = (int(np.clip(value, 0, width)) for value in (low[0], high[0]))
    top, bottom = (int(np.clip(value, 0, height)) for value in (low[1], high[1]))
    if right <= left or bottom <= top:
        return top, left, np.zeros((0, 0), dtype=bool)

    downwards = end[:, 1] >= start[:, 1]
    upper, lower = np.where(downwards[:, None], start, end), np.where(downwards[:, None], end, start)
    first = np.floor(upper[:, 1] + 0.5).astype(np.int64)
    stop = np.floor(lower[:, 1] + 0.5).astype(np.int64)
    edges = (first < stop) & (stop > top) & (first < bottom)
    upper, lower, first, stop = upper[edges], lower[edges], first[edges], stop[edges]
    slope = (lower[:, 0] - upper[:, 0]) / (lower[:, 1] - upper[:, 1])
    first_row, stop = np.maximum(first, top), np.minimum(stop, bottom)
    counts = stop - first_row
    ends = np.cumsum(counts)
    if len(ends) and ends[-1] > _MOST_CROSSINGS:
        raise ValueError(f"its outline crosses rows {ends[-1]} times")
    flips = np.zeros((bottom - top, right - left + 1), dtype=np.int32)
    begin = 0
    while begin < len(counts):
        done = int(ends[begin - 1]) if begin else 0
        last = max(begin + 1, int(np.searchsorted(ends, done + _CROSSINGS_AT_ONCE, side="right")))
        count = counts[begin:last]
        edge = begin + np.repeat(np.arange(len(count)), count)
        row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first_row[edge]
        crossing = upper[edge, 0] + (row + 0.5 - upper[edge, 1]) * slope[edge] + _EDGE_SHIFT
        column = np.clip(np.floor(crossing + 0.5).astype(np.int64) - left, 0, right - left)
        np.add.at(flips, (row - top, column), 1)
        begin = last
    inside = np.cumsum(flips, axis=1)[:, :-1] % 2 == 1
    return top, left, inside


def _encode(outlines: list[np.ndarray], roi_id: int, plane: int, dimensions: int, colour: Colour) -> bytes:
    corners_xy = np.concatenate(outlines)[:, ::-1]
    low, high = corners_xy.min(axis=0), corners_xy.max(axis=0)
    roi = ImagejRoi(
        name=roi_name(roi_id, plane),
        left=int(low[0]), top=int(low[1]), right=int(high[0]), bottom=int(high[1]),
        stroke_color=bytes((255, *colour)),
        # ImageJ goes by z_position; readers that know only the older field find the plane there.
        position=plane + 1, z_position=plane + 1,
        options=ROI_OPTIONS.OVERLAY_BACKGROUNDS | ROI_OPTIONS.OVERLAY_LABELS,
    )
    roi.properties = {ROI_ID: roi_id, **({ROI_DIMENSIONS: 2} if dimensions == 2 else {})}
    if len(outlines) == 1 and high.max() <= _MAX_INT_COORDINATE:
        roi.roitype = ROI_TYPE.TRACED
        roi.integer_coordinates = (corners_xy - low).astype(np.int32)
        roi.n_coordinates = len(corners_xy)
    else:
        roi.roitype = ROI_TYPE.RECT
        roi.multi_coordinates = np.concatenate([_path(points[:, ::-1]) for points in outlines])
        roi.shape_roi_size = len(roi.multi_coordinates)
    return roi.tobytes()


def _path(points_xy: np.ndarray) -> np.ndarray:
    path = np.full((len(points_xy), 3), _LINE, dtype=np.float32)
    path[0, 0] = _MOVE
    path[:, 1:] = points_xy
    return np.append(path.ravel(), np.float32(_CLOSE))


def _without_area(roi: ImagejRoi) -> str:
    if roi.subtype == ROI_SUBTYPE.TEXT:
        return "a text"
    if roi.subtype == ROI_SUBTYPE.IMAGE:
        return "an image"
    if roi.composite:
        return ""
    if roi.roitype in _CLOSED and roi.n_coordinates < 3 and roi.subtype == ROI_SUBTYPE.UNDEFINED:
        return "a polygon of fewer than three points"
    return _NO_AREA.get(roi.roitype, "")


def _pixels(roi: ImagejRoi, data: bytes, shape_yx: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    if roi.composite:
        if roi.multi_coordinates is None:
            raise ValueError("a composite without a shape")
        return fill_polygons(_flatten(roi.multi_coordinates.astype(np.float64)), shape_yx)
    if roi.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        return _box_pixels(roi, shape_yx)
    if roi.roitype not in _CLOSED:
        raise ValueError(f"type {int(roi.roitype)} is unknown")
    if roi.roitype == ROI_TYPE.FREEHAND and roi.subtype in (ROI_SUBTYPE.ELLIPSE, ROI_SUBTYPE.ROTATED_RECT):
        # roifile shows the four bytes of this number as arrow style, head size and arc size.
        parameter = float(struct.unpack_from(roi.byteorder + "f", data, 52)[0])
        ends = np.array([[roi.x1, roi.y1], [roi.x2, roi.y2]], dtype=np.float64)
        build = _ellipse if roi.subtype == ROI_SUBTYPE.ELLIPSE else _rotated_rectangle
        return fill_polygons([build(ends, parameter)], shape_yx)
    points = np.asarray(roi.coordinates(), dtype=np.float64)
    if roi.options & ROI_OPTIONS.SPLINE_FIT:
        points = _spline(points)
    return fill_polygons([points], shape_yx)


def _box_pixels(roi: ImagejRoi, shape_yx: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    """Pixels of a rectangle, a rectangle with round corners, or an oval."""
    if roi.subpixelrect:
        if not (np.abs([roi.xd, roi.yd, roi.widthd, roi.heightd]) <= _LARGEST_COORDINATE).all():
            raise ValueError("a coordinate is no number of a size that an image can have")
        left, top = int(roi.xd), int(roi.yd)
        width, height = max(1, int(np.ceil(roi.widthd))), max(1, int(np.ceil(roi.heightd)))
    else:
        left, top = roi.left, roi.top
        width, height = max(1, roi.right - left), max(1, roi.bottom - top)
    if roi.roitype == ROI_TYPE.RECT and roi.rounded_rect_arc_size > 0:
        path = _rounded_rectangle(left, top, width, height, roi.rounded_rect_arc_size)
        return fill_polygons(_flatten(path), shape_yx)
    first_row, stop_row = (int(np.clip(value, 0, shape_yx[0])) for value in (top, top + height))
    first_column, stop_column = (int(np.clip(value, 0, shape_yx[1])) for value in (left, left + width))
    if roi.roitype == ROI_TYPE.RECT:
        return first_row, first_column, np.ones((stop_row - first_row, stop_column - first_column), dtype=bool)
    y = np.arange(first_row, stop_row)[:, None] - top - (height / 2 - 0.5)
    x = np.arange(first_column, stop_column)[None, :] - left - (width / 2 - 0.5)
    return first_row, first_column, x * x / (width / 2) ** 2 + y * y / (height / 2) ** 2 <= 1.0


def _rounded_rectangle(left: int, top: int, width: int, height: int, diameter: int) -> np.ndarray:
    """Path of a rectangle whose corners are quarter ellipses (as cubic curves)."""
    rx, ry = min(diameter, width) / 2, min(diameter, height) / 2
    kx, ky = rx * (1 - _CIRCLE_BEZIER), ry * (1 - _CIRCLE_BEZIER)
    right, bottom = left + width, top + height
    return np.array([
        _MOVE, left + rx, top, _LINE, right - rx, top,
        _CUBIC, right - kx, top, right, top + ky, right, top + ry, _LINE, right, bottom - ry,
        _CUBIC, right, bottom - ky, right - kx, bottom, right - rx, bottom, _LINE, left + rx, bottom,
        _CUBIC, left + kx, bottom, left, bottom - ky, left, bottom - ry, _LINE, left, top + ry,
        _CUBIC, left, top + ky, left + kx, top, left + rx, top, _CLOSE], dtype=np.float64)


def _ellipse(ends_xy: np.ndarray, aspect_ratio: float) -> np.ndarray:
    """Polygon of 72 vertices that ImageJ uses for an ellipse given by its major axis."""
    centre, (dx, dy) = ends_xy.mean(axis=0), ends_xy[1] - ends_xy[0]
    major = np.hypot(dx, dy)
    angle = np.arange(72) * (2 * np.pi / 72)
    along, across = np.cos(angle) * major / 2, np.sin(angle) * major * np.clip(aspect_ratio, 0, 1) / 2
    cosine, sine = (dx / major, dy / major) if major else (1.0, 0.0)
    # ImageJ keeps these vertices in single precision.
    turned = np.stack([along * cosine - across * sine, along * sine + across * cosine], axis=1)
    return (centre + turned).astype(np.float32)


def _rotated_rectangle(ends_xy: np.ndarray, width: float) -> np.ndarray:
    (x1, y1), (x2, y2) = ends_xy
    length = np.hypot(x2 - x1, y2 - y1)
    if length == 0:
        return np.zeros((0, 2))
    aside = np.array([y2 - y1, x1 - x2]) / length * width / 2
    return np.stack([ends_xy[0] - aside, ends_xy[0] + aside, ends_xy[1] + aside, ends_xy[1] - aside]).astype(np.float32)


def _spline(points_xy: np.ndarray) -> np.ndarray:
    """Closed cubic spline through the vertices; the parameter grows with the root of the distance, as in ImageJ."""
    from scipy.interpolate import CubicSpline

    if not (np.abs(points_xy) <= _LARGEST_COORDINATE).all():
        raise ValueError("a coordinate is no number of a size that an image can have")
    closed = np.vstack([points_xy, points_xy[:1]])
    distance = np.hypot(*np.diff(closed, axis=0).T)
    position = np.concatenate([[0.0], np.cumsum(np.maximum(np.sqrt(distance), 1e-3))])
    count = max(100, int(distance.sum() / 2))
    if count > _MOST_CORNERS:
        raise ValueError(f"its spline has {count} corners")
    return np.asarray(CubicSpline(position, closed, bc_type="periodic")(np.linspace(0, position[-1], count)))


def _flatten(path: np.ndarray) -> list[np.ndarray]:
    """Polygons (x, y) of a path of moves, lines, quadratic and cubic curves."""
    if not (np.abs(path) <= _LARGEST_COORDINATE).all():
        raise ValueError("a coordinate is no number of a size that an image can have")
    outlines: list[list[np.ndarray]] = []  # of each the points of its steps, of a curve the control points
    steps: list[np.ndarray] = []
    index = curved = 0
    while index < len(path):
        operation = int(path[index])
        if not 0 <= operation <= _CLOSE or operation != path[index]:
            raise ValueError(f"step {path[index]:g} of a composite's path is unknown")
        count = _PATH_ARGUMENTS[operation]
        arguments = path[index + 1:index + 1 + count].reshape(-1, 2)
        if 2 * len(arguments) != count:
            raise ValueError("a composite's path ends in the middle of a step")
        index += 1 + count
        if operation in (_MOVE, _CLOSE):
            if steps:
                outlines.append(steps)
            steps = [arguments] if operation == _MOVE else steps[:1]
        elif not steps:
            raise ValueError("a composite's path starts without a point")
        elif operation == _LINE:
            steps.append(arguments)
        else:
            steps.append(np.vstack([steps[-1][-1:], arguments]))
            curved += 1
            if curved > _MOST_CURVES:
                raise ValueError(f"its outline has more than {_MOST_CURVES} curves")
    if steps:
        outlines.append(steps)
    for size in (3, 4):
        places = [(outline, number) for outline in outlines for number, step in enumerate(outline) if len(step) == size]
        if places:
            curves = _curves(np.stack([outline[number] for outline, number in places]))
            for (outline, number), points in zip(places, curves, strict=True):
                outline[number] = points
    return [np.concatenate(outline) for outline in outlines]


def _curves(control: np.ndarray, halvings: int = 10) -> list[np.ndarray]:
    """Points of Bézier curves of second or third degree, each without its start.

    A curve is halved until its control points lie near the chord, with the tolerance and the
    limit that ImageJ uses for filling; here all pieces of one level at a time.

    Parameters
    ----------
    control
        Control points, shape ``(n, 3 or 4, 2)``.
    halvings
        Largest number of halvings.

    Returns
    -------
    list of numpy.ndarray
        For each curve an array of shape ``(k, 2)``.
    """
    # Places along all curves, counted in pieces of the smallest length.
    pieces, places = control, np.arange(len(control), dtype=np.int64) << halvings
    ends: list[np.ndarray] = []
    order: list[np.ndarray] = []
    for level in range(halvings + 1):
        flat = np.full(len(pieces), True) if level == halvings else _bend(pieces) < _FLATNESS_PX
        ends.append(pieces[flat, -1])
        order.append(places[flat])
        pieces, places = pieces[~flat], places[~flat]
        if not len(pieces):
            break
        if 2 * len(pieces) + sum(map(len, ends)) > _MOST_CORNERS:
            raise ValueError(f"its outline has more than {_MOST_CORNERS} corners")
        first, last = [pieces[:, 0]], [pieces[:, -1]]
        while pieces.shape[1] > 1:
            pieces = (pieces[:, :-1] + pieces[:, 1:]) / 2
            first.append(pieces[:, 0])
            last.append(pieces[:, -1])
        halves = np.stack([np.stack(first, axis=1), np.stack(last[::-1], axis=1)], axis=1)
        pieces = halves.reshape(-1, *control.shape[1:])
        places = np.stack([places, places + (1 << (halvings - level - 1))], axis=1).ravel()
    along = np.concatenate(order)
    sorted_places = np.argsort(along)
    bounds = np.searchsorted(along[sorted_places], np.arange(1, len(control)) << halvings)
    return np.split(np.concatenate(ends)[sorted_places], bounds)


def _bend(control: np.ndarray) -> np.ndarray:
    """Largest distance of the inner control points from the chord; shape ``(n, k, 2)`` to ``(n,)``."""
    chord, inner = control[:, -1] - control[:, 0], control[:, 1:-1] - control[:, :1]
    square = (chord * chord).sum(axis=1)
    projected = (inner * chord[:, np.newaxis]).sum(axis=2)
    along = np.clip(projected / np.where(square > 0, square, 1)[:, np.newaxis], 0, 1) * (square > 0)[:, np.newaxis]
    away = inner - along[:, :, np.newaxis] * chord[:, np.newaxis]
    return np.asarray(np.sqrt((away ** 2).sum(axis=2)).max(axis=1))
