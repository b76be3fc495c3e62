"""An overview picture of an analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from deepd3_ij.atomic import replacing
from deepd3_ij.colours import (
    PICTURE_BACKGROUND,
    PICTURE_DENDRITE,
    PICTURE_OUTLINE,
    PICTURE_SHADOW,
    PICTURE_SMALL_TEXT,
    PICTURE_SPINE,
    PICTURE_TEXT,
    Colour,
    as_hex,
    confidence_colour,
)
from deepd3_ij.drawing import drawing_library
from deepd3_ij.rois.labels import label_statistics
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import voxel_size_um

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from deepd3_ij.measurement.measurements import Measurements

Picture = npt.NDArray[np.float32]

_DPI = 100
_LARGEST_PX = (2100, 2800)
_MOST_ENLARGED = 12
_GAMMA = 0.6
_MARGIN_PX = 18
_TITLE_PX = 64
_NARROWEST_PX = 520
_TINT = 0.65
_MOST_NAMES = 400
_WIDER = 2.0  # outlines whose colours are to be told apart


def draw_overview(
    path: str | PathLike[str],
    stack: xr.DataArray,
    prediction: xr.Dataset,
    rois: RoiSet,
    measurements: Measurements | None = None,
    *,
    by_confidence: bool = False,
) -> None:
    """Draw maximum projection, probabilities, ROI outlines and ids into a PNG.

    The stack's maximum projection is grey (percentiles 1 to 99.8, gamma 0.6), dendrite probability is magenta, spine
    probability green, each as its maximum through the planes. Beside it (above it, for wide stacks) the
    projection alone, for comparison. ROIs are outlined as seen along z and named by their ids, as far as
    the names find a free place; beyond 400 ROIs names are left out. A bar shows the scale.

    Parameters
    ----------
    path
        File to make or replace.
    stack
        Image ``(z, y, x)``; may be lazy (planes are then read one by one).
    prediction
        Probability maps of the same shape.
    rois
        ROIs of the same shape.
    measurements
        Gives the number of dendrites and their length for the title, and the confidences.
    by_confidence
        Outlines have the colours of the ROIs' confidences, which a scale explains.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    new_canvas, new_figure = drawing_library("backends.backend_agg").FigureCanvasAgg, drawing_library("figure").Figure
    layout = _layout(stack.shape[1:])
    # What the picture cannot show takes memory, and much of it, as colours are drawn.
    every = max(1, int(1 / layout.scale))
    grey = np.repeat(_contrast(_pooled(_projection(stack), every))[..., None], 3, axis=2)
    background = as_hex(PICTURE_BACKGROUND)
    figure = new_figure(figsize=(layout.width / _DPI, layout.height / _DPI), dpi=_DPI, facecolor=background)
    new_canvas(figure)
    plain, painted = (_panel(figure, layout, number) for number in range(2))
    dendrite, spine = (_pooled(_projection(prediction[name]), every) for name in ("dendrite", "spine"))
    _show(plain, grey, layout, every, stack.shape[1:])
    _show(painted, _painted(grey, dendrite, spine), layout, every, stack.shape[1:])
    colours = confidence_colours(measurements) if by_confidence and measurements is not None else None
    _draw_outlines(painted, rois, layout, colours)
    if colours is not None:
        _draw_confidence_scale(painted, layout)
    _draw_scale_bar(plain, stack.shape[1:], voxel_size_um(stack)[1], layout)
    _draw_title(figure, layout, stack, rois, measurements)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor=background, metadata={"Software": "deepd3_ij"})


def confidence_colours(measurements: Measurements) -> Callable[[int], Colour]:
    """Colour of the confidence of a ROI, by its id."""
    spines = measurements.spines
    known = dict(zip(spines["id"].tolist(), spines["confidence"].tolist(), strict=True))
    return lambda roi_id: confidence_colour(known.get(roi_id, np.nan))


def nice_length_um(longest_um: float) -> float:
    """Largest of 1, 2 or 5 times a power of ten that is not longer than this."""
    power = 10.0 ** np.floor(np.log10(longest_um))
    return float(power * max(step for step in (1, 2, 5) if step * power <= longest_um * (1 + 1e-9)))


@dataclass(frozen=True)
class _Layout:
    """Sizes in pixels of the picture: two panels side by side or one above the other.

    ``scale`` enlarges the stack, ``unit`` the texts.
    """

    panel_width: int
    panel_height: int
    stacked: bool
    width: int
    height: int
    title: int
    scale: float
    unit: float


def _layout(shape_yx: tuple[int, ...]) -> _Layout:
    height, width = shape_yx
    stacked = width > height
    down, across = (2, 1) if stacked else (1, 2)
    scale = min(_LARGEST_PX[0] / (down * height), _LARGEST_PX[1] / (across * width), _MOST_ENLARGED)
    if scale > 1:
        scale = float(np.floor(scale))
    panel_width, panel_height = max(1, round(width * scale)), max(1, round(height * scale))
    # A title needs some room even above a very narrow stack.
    total_width = max(across * panel_width + (across + 1) * _MARGIN_PX, _NARROWEST_PX)
    unit = float(np.clip(total_width / 1100, 1, 1.8))
    title = round(_TITLE_PX * unit)
    total_height = title + down * (panel_height + _MARGIN_PX)
    return _Layout(panel_width, panel_height, stacked, total_width, total_height, title, scale, unit)


def _panel(figure: Figure, layout: _Layout, number: int) -> Axes:
    across = 1 if layout.stacked else 2
    used = across * layout.panel_width + (across - 1) * _MARGIN_PX
    left = (layout.width - used) / 2 + (0 if layout.stacked else number * (layout.panel_width + _MARGIN_PX))
    top = layout.title + (number * (layout.panel_height + _MARGIN_PX) if layout.stacked else 0)
    bottom = layout.height - top - layout.panel_height
    axes = figure.add_axes((left / layout.width, bottom / layout.height,
                            layout.panel_width / layout.width, layout.panel_height / layout.height))
    axes.set_axis_off()
    return axes


def _show(axes: Axes, picture: Picture, layout: _Layout, every: int, shape_yx: tuple[int, ...]) -> None:
    height, width = (side * every for side in picture.shape[:2])
    # Corner coordinates: pixel (y, x) fills the square from (y, x) to (y + 1, x + 1), as contours have it.
    axes.imshow((picture * 255).round().astype(np.uint8), extent=(0, width, height, 0), aspect="auto",
                interpolation="nearest" if layout.scale >= 1 else "antialiased")
    axes.set_xlim(0, shape_yx[1])
    axes.set_ylim(shape_yx[0], 0)


def _pooled(picture: Picture, every: int) -> Picture:
    """Mean of each ``every`` × ``every`` pixels; the border is repeated where a square is not full."""
    if every == 1:
        return picture
    filled = np.pad(picture, [(0, -side % every) for side in picture.shape], mode="edge")
    height, width = (side // every for side in filled.shape)
    return np.asarray(filled.reshape(height, every, width, every).mean((1, 3)), np.float32)


def _projection(volume: xr.DataArray) -> Picture:
    """Maximum through the planes, plane by plane so that a lazy stack is never loaded whole."""
    result: Any = None
    for index in range(volume.sizes["z"]):
        plane = np.asarray(volume.isel(z=index).values)
        result = plane if result is None else np.fmax(result, plane)
    return np.nan_to_num(np.asarray(result, dtype=np.float32), posinf=0, neginf=0)


def _contrast(projection: Picture) -> Picture:
    low, high = (float(value) for value in np.percentile(projection, (1, 99.8)))
    if high <= low:
        low, high = float(projection.min()), float(projection.max())
    return np.asarray(np.clip((projection - low) / ((high - low) or 1.0), 0, 1) ** _GAMMA)


def _painted(grey: Picture, dendrite: Picture, spine: Picture) -> Picture:
    """Grey levels tinted by the probabilities; brightness still shows the image."""
    spine_part = np.clip(spine, 0, 1)[..., None]
    dendrite_part = np.clip(dendrite, 0, 1)[..., None] * (1 - spine_part)
    tinted = 0.25 + 0.75 * grey
    magenta, green = (np.array(colour, dtype=np.float32) / 255 for colour in (PICTURE_DENDRITE, PICTURE_SPINE))
    return np.asarray(grey * (1 - _TINT * (spine_part + dendrite_part))
                      + _TINT * tinted * (spine_part * green + dendrite_part * magenta))


def _draw_outlines(axes: Axes, rois: RoiSet, layout: _Layout, colour_of: Callable[[int], Colour] | None) -> None:
    from matplotlib.collections import PolyCollection

    from deepd3_ij.rois.contours import trace_contours

    flat = _seen_along_z(rois.labels)
    contours = trace_contours(flat[np.newaxis])
    outlines = [contours.points(index)[:, ::-1] for index in range(len(contours))]
    width = float(np.clip(layout.scale * 0.35, 0.6, 1.2)) * (1 if colour_of is None else _WIDER)
    colours = [as_hex(PICTURE_OUTLINE if colour_of is None else colour_of(int(roi_id))) for roi_id in contours.roi_id]
    lines = PolyCollection(outlines, facecolors="none", edgecolors=colours, linewidths=width)
    axes.add_collection(lines, autolim=False)
    if 0 < len(rois) <= _MOST_NAMES:
        _draw_names(axes, flat, layout)


def _seen_along_z(labels: xr.DataArray) -> npt.NDArray[np.int32]:
    """ROI ids seen from above: the first plane's on top."""
    flat = np.zeros(labels.shape[1:], dtype=np.int32)
    for z in range(labels.shape[0]):
        np.copyto(flat, labels.variable[z].values, where=flat == 0)
    return flat


def _draw_names(axes: Axes, flat: npt.NDArray[np.int32], layout: _Layout) -> None:
    """Write ids beside their ROIs where neither other ids nor ROIs are hidden."""
    from matplotlib.patheffects import withStroke

    statistics = label_statistics(flat[np.newaxis])
    font = 11.0 * layout.unit
    taken = np.zeros((layout.panel_height, layout.panel_width), dtype=np.int32)
    _mark_outlined(taken, statistics.low_zyx[:, 1:], statistics.high_zyx[:, 1:], layout.scale)
    for row, roi_id in enumerate(statistics.ids.tolist()):
        text = str(roi_id)
        width, height = round(0.64 * font * len(text)) + 2, round(font)
        low, high = statistics.low_zyx[row, 1:] * layout.scale, (statistics.high_zyx[row, 1:] + 1) * layout.scale
        place = _free_place(taken, low, high, (height, width))
        if place is None:
            continue
        top, left = place
        taken[top:top + height, left:left + width] += 2
        axes.annotate(text, (left + width / 2, layout.panel_height - top - height / 2), xycoords="axes pixels",
                      ha="center", va="center_baseline", color=as_hex(PICTURE_TEXT), fontsize=font * 72 / _DPI,
                      path_effects=[withStroke(linewidth=2.0, foreground=as_hex(PICTURE_SHADOW))])


def _mark_outlined(taken: npt.NDArray[np.int32], low: npt.NDArray[Any], high: npt.NDArray[Any], scale: float) -> None:
    for first, last in zip((low * scale).astype(int), np.ceil((high + 1) * scale).astype(int), strict=True):
        taken[first[0]:last[0], first[1]:last[1]] += 1


def _free_place(
    taken: npt.NDArray[np.int32], low: npt.NDArray[Any], high: npt.NDArray[Any], size: tuple[int, int]
) -> tuple[int, int] | None:
    """Upper left corner for a name around a box: first without hiding anything, then without hiding a name."""
    height, width = size
    middle_y, middle_x = (low + high) / 2 - np.array(size) / 2
    places = []
    for gap in (2, 8, 16, 26):
        above, below = low[0] - height - gap, high[0] + gap
        before, after = low[1] - width - gap, high[1] + gap
        places += [(middle_y, after), (middle_y, before), (above, middle_x), (below, middle_x),
                   (above, after), (below, after), (above, before), (below, before)]
    for limit in (0, 1):
        for y, x in places:
            top, left = round(float(y)), round(float(x))
            if top < 0 or left < 0 or top + height > taken.shape[0] or left + width > taken.shape[1]:
                continue
            if taken[top:top + height, left:left + width].max() <= limit:
                return top, left
    return None


def _draw_scale_bar(axes: Axes, shape_yx: tuple[int, ...], xy_um: float, layout: _Layout) -> None:
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    length_um = nice_length_um(max(shape_yx[1] * xy_um * 0.3, 1e-9))
    length_px = length_um / xy_um * layout.scale
    left, bottom, thickness = 14.0, 14.0, 5.0 * layout.unit
    effects = [withStroke(linewidth=2.5, foreground=as_hex(PICTURE_SHADOW))]
    axes.add_patch(Rectangle((left / layout.panel_width, bottom / layout.panel_height), length_px / layout.panel_width,
                             thickness / layout.panel_height, transform=axes.transAxes, facecolor=as_hex(PICTURE_TEXT),
                             edgecolor=as_hex(PICTURE_SHADOW), linewidth=0.8))
    axes.annotate(f"{length_um:g} µm", (left, bottom + thickness + 5), xycoords="axes pixels", ha="left", va="bottom",
                  color=as_hex(PICTURE_TEXT), fontsize=14 * layout.unit * 72 / _DPI, path_effects=effects)


def _draw_confidence_scale(axes: Axes, layout: _Layout) -> None:
    from matplotlib.patheffects import withStroke

    height, steps = round(7 * layout.unit), 101
    width = round(min(150 * layout.unit, 0.4 * layout.panel_width))
    left, bottom = layout.panel_width - width - 14, 14
    strip = np.array([[confidence_colour(place / (steps - 1)) for place in range(steps)]], dtype=np.uint8)
    scale = axes.inset_axes((left / layout.panel_width, bottom / layout.panel_height, width / layout.panel_width,
                             height / layout.panel_height))
    scale.imshow(strip, extent=(0, 1, 0, 1), aspect="auto")
    scale.set_axis_off()
    effects = [withStroke(linewidth=2.5, foreground=as_hex(PICTURE_SHADOW))]
    for text, place, aligned in (("0", 0, "left"), ("confidence", 0.5, "center"), ("1", 1, "right")):
        axes.annotate(text, (left + place * width, bottom + height + 4), xycoords="axes pixels", ha=aligned,
                      va="bottom", color=as_hex(PICTURE_TEXT), fontsize=12 * layout.unit * 72 / _DPI,
                      path_effects=effects)


def _draw_title(
    figure: Figure, layout: _Layout, stack: xr.DataArray, rois: RoiSet, measurements: Measurements | None
) -> None:
    name = str(stack.attrs.get("source", "stack")).replace("\\", "/").rsplit("/", 1)[-1]
    z_um, xy_um, _ = voxel_size_um(stack)
    planes, height, width = stack.shape
    facts = [f"{len(rois)} spine{'' if len(rois) == 1 else 's'}"]
    if measurements is not None:
        count = len(measurements.dendrites)
        facts.append(f"{count} dendrite{'' if count == 1 else 's'}")
        if "length_um" in measurements.dendrites:
            facts.append(f"{measurements.dendrites['length_um'].sum():.0f} µm")
    facts += [f"{width} × {height} px, {planes} plane{'' if planes == 1 else 's'}",
              f"{xy_um:g} × {xy_um:g} × {z_um:g} µm"]
    free = layout.width - 2 * _MARGIN_PX
    letters = int(free / (0.64 * 17 * layout.unit))
    if len(name) > letters:
        name = name[:letters - 1] + "…"
    second = " · ".join(facts)
    small = min(13.0 * layout.unit, free / (0.6 * len(second)))
    for text, top, font, colour in ((name, 10, 17.0 * layout.unit, PICTURE_TEXT),
                                    (second, 38, small, PICTURE_SMALL_TEXT)):
        figure.text(_MARGIN_PX / layout.width, 1 - top * layout.unit / layout.height, text, ha="left", va="top",
                    color=as_hex(colour), fontsize=font * 72 / _DPI, parse_math=False)
