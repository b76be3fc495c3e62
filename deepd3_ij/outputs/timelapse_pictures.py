"""Pictures of followed spines: a montage, straightened dendrites, survival."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from deepd3_ij.atomic import replacing
from deepd3_ij.colours import (
    PICTURE_BACKGROUND,
    PICTURE_SMALL_TEXT,
    PICTURE_TEXT,
    STATE_COLOURS,
    as_hex,
)
from deepd3_ij.drawing import drawing_library
from deepd3_ij.stack import DIMS, voxel_size_um
from deepd3_ij.timelapse import TimePoint
from deepd3_ij.timelapse.aligning import Placement
from deepd3_ij.timelapse.decay import NAMES, ONE, one_exponential, two_exponentials
from deepd3_ij.timelapse.following import Timelapse
from deepd3_ij.timelapse.states import STATES
from deepd3_ij.timelapse.survival import FIRST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Picture = npt.NDArray[np.float32]

_DPI = 100
_GAMMA = 0.7
_CROP_UM = 3.0
_CROP_PX = 45
_EDGE_PX = 3
_GAP_PX = 5
_ROWS = 24
_MOST_TRACKS = 240
_STRIP_HALF_UM = 3.5
_STRIP_STEP_UM = 0.12
_DEPTH_UM = (-1.0, 0.0, 1.0)
_MOST_DENDRITES = 6
_LEAST_DENDRITE_UM = 5.0


def draw_montage(path: Path, series: Timelapse) -> None:
    """Draw a row per spine and a column per time point: what lies at its place, with a border in its state's colour.

    Nothing is drawn if no time point has an image.
    """
    if all(point.stack is None for point in series.points):
        return
    tracks = series.tracks.head(_MOST_TRACKS)
    images = [_grey_levels(point) for point in series.points]
    count, sessions = len(tracks), len(series.points)
    blocks = max(1, math.ceil(count / _ROWS))
    rows = min(count, _ROWS)
    cell = _CROP_PX + 2 * _EDGE_PX + _GAP_PX
    label = 46
    width, height = max(620, blocks * (label + sessions * cell + 14) + 16), 112 + max(rows, 1) * cell
    figure, axes = _canvas(width, height)
    for number, track in enumerate(tracks.itertuples()):
        block, row = divmod(number, _ROWS)
        left, top = 12 + block * (label + sessions * cell + 14), 106 + row * cell
        axes.text(left + label - 6, top + cell / 2 - 2, str(track.track_id), color=as_hex(PICTURE_TEXT), ha="right",
                  va="center", fontsize=8)
        for session in range(sessions):
            colour = np.array(STATE_COLOURS[series.states.state[number, session]]) / 255
            tile = np.tile(colour.astype(np.float32), (_CROP_PX + 2 * _EDGE_PX, _CROP_PX + 2 * _EDGE_PX, 1))
            crop = _crop(series, session, number, images[session])
            tile[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX] = crop[..., None]
            x = left + label + session * cell
            axes.imshow(tile, extent=(x, x + tile.shape[1], top + tile.shape[0], top), interpolation="nearest",
                        aspect="auto")
    for block in range(blocks):
        for session, point in enumerate(series.points):
            middle = 12 + block * (label + sessions * cell + 14) + label + session * cell + cell / 2 - 3
            axes.text(middle, 100, f"{point.time:g}", color=as_hex(PICTURE_SMALL_TEXT), ha="center", va="bottom",
                      fontsize=8)
    more = "" if count == len(series.tracks) else f" (the first {count} of {len(series.tracks)})"
    _title(axes, f"{count} spines at {sessions} time points{more}",
           f"rows: spines along their dendrites; columns: days; {_CROP_UM:g} µm across")
    _legend(axes, 12, 66)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    _save(figure, path)


def _crop(series: Timelapse, session: int, track: int, image: Picture | None) -> Picture:
    """What a time point shows at the place of a track, in the orientation of the reference."""
    point, placement = series.points[session], series.placements[session]
    if image is None or placement is None:
        return np.full((_CROP_PX, _CROP_PX), 0.12, dtype=np.float32)
    centre = placement.inverse(series.states.zyx_um[track][None])[0]
    steps = (np.arange(_CROP_PX) - (_CROP_PX - 1) / 2) * _CROP_UM / _CROP_PX
    planes = [np.stack(np.broadcast_arrays(depth, steps[:, None], steps[None, :]), axis=-1) for depth in _DEPTH_UM]
    offsets = np.stack(planes).reshape(-1, 3) @ placement.rigid.matrix[:3, :3]
    values = _sampled(point, image, centre + offsets).reshape(len(_DEPTH_UM), _CROP_PX, _CROP_PX)
    return np.asarray(values.max(axis=0))


def _grey_levels(point: TimePoint) -> Picture | None:
    """The image of a time point from 0 to 1."""
    if point.stack is None:
        return None
    values = np.asarray(point.stack.values, dtype=np.float32)
    low, high = (float(value) for value in np.percentile(values, (20, 99.9)))
    return np.asarray(np.clip((values - low) / max(high - low, 1e-9), 0, 1) ** _GAMMA)


def _sampled(point: TimePoint, image: Picture, zyx_um: np.ndarray) -> Picture:
    assert point.stack is not None
    origin = np.array([float(point.stack.coords[dim][0]) for dim in DIMS])
    index = (zyx_um - origin) / np.array(voxel_size_um(point.stack))
    return np.asarray(map_coordinates(image, index.T, order=1, mode="constant", cval=0.0))


def draw_strips(path: Path, series: Timelapse) -> None:
    """Draw the longest dendrites of the reference straightened, a strip per time point, with spines and their links."""
    lines = series.points[series.reference].lines
    numbers, lengths = np.unique(lines.tree), np.bincount(lines.tree, lines.length_um)
    chosen = sorted((number for number in numbers if lengths[number] >= _LEAST_DENDRITE_UM),
                    key=lambda number: -lengths[number])[:_MOST_DENDRITES]
    images = [_grey_levels(point) for point in series.points]
    paths = [_main_path(series, int(number)) for number in chosen]
    sessions, lane = len(series.points), round(2 * _STRIP_HALF_UM / _STRIP_STEP_UM) + 6
    width = max([900, *(len(each) + 90 for each in paths)])
    height = 112 + sum(30 + sessions * lane for _ in paths)
    figure, axes = _canvas(width, height)
    top = 106
    for number, places in zip(chosen, paths, strict=True):
        axes.text(12, top + 12, f"dendrite {number}, {lengths[number]:.0f} µm", color=as_hex(PICTURE_TEXT), fontsize=9,
                  va="center")
        top += 24
        _draw_dendrite(axes, series, int(number), places, images, top, lane)
        top += 6 + sessions * lane
    _title(axes, f"{len(chosen)} dendrite{'s' * (len(chosen) != 1)} at {sessions} time points",
           "a strip per time point; circles: spines; lines: the same spine; numbers: days")
    _legend(axes, 12, 66)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    _save(figure, path)


def _main_path(series: Timelapse, number: int) -> np.ndarray:
    """Positions along the longest way of a dendrite of the reference, one a pixel of the strip, shape ``(n, 3)``."""
    lines = series.points[series.reference].lines
    own = np.flatnonzero(lines.tree == number)
    along, first = np.unique(np.round(lines.along_um[own] / 0.5), return_index=True)
    places = lines.zyx_um[own[first]]
    even = np.arange(0, along[-1] * 0.5, _STRIP_STEP_UM)
    return np.stack([np.interp(even, along * 0.5, column) for column in places.T], axis=1)


def _draw_dendrite(axes: Axes, series: Timelapse, number: int, places: np.ndarray, images: Sequence[Picture | None],
                   top: float, lane: int) -> None:
    tangent = np.gradient(places, axis=0)[:, 1:]
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    normal = np.stack([np.zeros(len(places)), tangent[:, 1], -tangent[:, 0]], axis=1)
    left, height = 60, lane - 6
    for session, (point, placement, image) in enumerate(zip(series.points, series.placements, images, strict=True)):
        y = top + session * lane
        strip = _strip(point, placement, image, places, normal, height)
        axes.imshow(strip, cmap="gray", vmin=0, vmax=1, extent=(left, left + len(places), y + height, y),
                    aspect="auto", interpolation="nearest")
        axes.text(left - 8, y + height / 2, f"{point.time:g}", color=as_hex(PICTURE_SMALL_TEXT), ha="right",
                  va="center", fontsize=9)
    for track in np.flatnonzero(series.tracks["dendrite_id"].to_numpy() == number):
        zyx = series.states.zyx_um[track]
        at = int(np.argmin(((places - zyx)[:, 1:] ** 2).sum(axis=1) + (places - zyx)[:, 0] ** 2 / 9))
        across = float((zyx - places[at]) @ normal[at])
        if np.linalg.norm((zyx - places[at]) * (1 / 3, 1, 1)) > _STRIP_HALF_UM or not 0 < at < len(places) - 1:
            continue  # it is on another branch
        x = left + at
        ys = top + lane * np.arange(len(series.points)) + height / 2 + across / _STRIP_STEP_UM
        there = series.states.there[track]
        known = np.flatnonzero(there)
        if len(known) > 1:
            axes.plot([x] * len(known), ys[known], color="#ffffff", alpha=0.25, linewidth=0.8)
        for session, state in enumerate(series.states.state[track]):
            axes.plot(x, ys[session], marker="o", markersize=5, markerfacecolor="none",
                      markeredgecolor=as_hex(STATE_COLOURS[state]), markeredgewidth=1.2)


def _strip(point: TimePoint, placement: Placement | None, image: Picture | None, places: np.ndarray, normal: np.ndarray,
           height: int) -> Picture:
    if image is None or placement is None:
        return np.full((height, len(places)), 0.12, dtype=np.float32)
    centre = placement.inverse(places)
    across = normal @ placement.rigid.matrix[:3, :3]
    steps = (np.arange(height) - (height - 1) / 2) * _STRIP_STEP_UM
    points = centre[None, None] + steps[None, :, None, None] * across[None, None]
    points = points + np.array(_DEPTH_UM)[:, None, None, None] * np.array([1.0, 0, 0])
    values = _sampled(point, image, points.reshape(-1, 3)).reshape(len(_DEPTH_UM), height, len(places))
    return np.asarray(values.max(axis=0))


def draw_survival(path: Path, series: Timelapse) -> None:
    """Draw Kaplan-Meier's estimate of the first spines' survival, with its 95 % interval, and plain fractions."""
    table = series.survival
    steps, points = table[table["cohort"] == FIRST], table[table["cohort"] == "fraction"]
    figure, axes = _canvas(760, 520, room=(0.1, 0.13, 0.87, 0.74))
    axes.set_axis_on()
    last = float(max(points["days"].max(), steps["days"].max()))
    days = np.append(steps["days"], last)
    low, middle, high = (np.append(steps[name], steps[name].iloc[-1]) for name in ("low", "survival", "high"))
    text, small, line = as_hex(PICTURE_TEXT), as_hex(PICTURE_SMALL_TEXT), as_hex(STATE_COLOURS["present"])
    axes.fill_between(days, low, high, step="post", color=line, alpha=0.2, linewidth=0)
    axes.step(days, middle, where="post", color=line, linewidth=2, label="Kaplan–Meier, 95 % interval")
    axes.plot(points["days"], points["present_fraction"], "o", color=as_hex(STATE_COLOURS["recovered"]),
              label="share that is there")
    _draw_fit(axes, series, last)
    axes.set_ylim(0, 1.03)
    axes.set_xlim(0, last * 1.02 or 1)
    axes.set_xlabel("days", color=text)
    axes.set_ylabel("spines of the first time point", color=text)
    axes.tick_params(colors=small)
    for spine in axes.spines.values():
        spine.set_color(small)
    axes.set_facecolor(as_hex(PICTURE_BACKGROUND))
    legend = axes.legend(facecolor=as_hex(PICTURE_BACKGROUND), edgecolor="none", labelcolor=text)
    legend.set_zorder(5)
    count = int(steps["at_risk"].iloc[0])
    figure.text(0.1, 0.93, f"Survival of {count} spines", color=text, fontsize=12, va="center")
    _save(figure, path)


def _draw_fit(axes: Axes, series: Timelapse, last: float) -> None:
    """The exponential that fits, or two if one is not enough."""
    fits = series.survival_fits
    known = fits[(fits["cohort"] == FIRST) & (fits["reason"] == "")]
    if not len(known):
        return
    best = known.iloc[-1]
    days, values = np.linspace(0, last, 200), [float(best[name]) for name in NAMES]
    curve = one_exponential(days, *values[:2]) if best["model"] == ONE else two_exponentials(days, *values)
    lives = " and ".join(f"{math.log(2) / -rate:.3g}" for rate in values[1::2] if math.isfinite(rate) and rate < 0)
    axes.plot(days, curve, "--", color=as_hex(PICTURE_TEXT), linewidth=1.2,
              label=f"exponential{'s' * (best['model'] != ONE)}" + (f", half-life {lives} days" if lives else ""))


def _canvas(width: float, height: float, room: tuple[float, float, float, float] = (0, 0, 1, 1)
            ) -> tuple[Figure, Axes]:
    new_canvas, new_figure = drawing_library("backends.backend_agg").FigureCanvasAgg, drawing_library("figure").Figure
    figure = new_figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=as_hex(PICTURE_BACKGROUND))
    new_canvas(figure)
    axes = figure.add_axes(room)
    axes.set_axis_off()
    return figure, axes


def _title(axes: Axes, first: str, second: str) -> None:
    axes.text(12, 20, first, color=as_hex(PICTURE_TEXT), fontsize=12, va="center")
    axes.text(12, 42, second, color=as_hex(PICTURE_SMALL_TEXT), fontsize=9, va="center")


def _legend(axes: Axes, left: float, y: float) -> None:
    for number, state in enumerate(STATES):
        axes.plot(left + 6 + 116 * number, y, marker="o", markersize=7, markerfacecolor=as_hex(STATE_COLOURS[state]),
                  markeredgecolor="none")
        axes.text(left + 16 + 116 * number, y, state, color=as_hex(PICTURE_TEXT), fontsize=9, va="center")


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor=as_hex(PICTURE_BACKGROUND),
                       metadata={"Software": "deepd3_ij"})
