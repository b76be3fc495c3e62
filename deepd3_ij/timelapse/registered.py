"""Followed spines to look at: images of all time points laid on the reference, and where each spine lies in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.ndimage import find_objects, map_coordinates

from deepd3_ij.errors import StackError
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.contours import trace_contours
from deepd3_ij.stack import DIMS, voxel_size_um
from deepd3_ij.timelapse.aligning import Placement
from deepd3_ij.timelapse.following import Timelapse
from deepd3_ij.timelapse.states import ABSENT, UNDECIDED, UNOBSERVABLE, States
from deepd3_ij.timelapse.tables import GAINED, LOST, STABLE
from deepd3_ij.timelapse.timepoint import TimePoint

PLACE_RADIUS_UM = 0.5
"""Radius of the circle that marks the place of a spine that was not detected."""
NOT_YET = ""
"""Change of a spine at time points before it appears, at which there is nothing to mark."""
_GRID_UM = np.array([2.0, 3.0, 3.0])
"""Spacing of the places at which displacements are computed; they are smooth, so what lies between is interpolated."""
_AT_ONCE = 4096
_MAP_LEVELS = 255


@dataclass(frozen=True, eq=False)
class Mark:
    """A spine at one time point in the registered images.

    Attributes
    ----------
    track
        Number of its track, from 1.
    session
        Number of the time point, from 0.
    roi_id
        The ROI that it is there; 0 if it was not detected.
    state, change
        One of ``STATES``; ``stable``, ``gained``, ``lost``, ``unobservable`` or ``undecided``.
    plane
        Plane of the registered images, from 0.
    yx_px
        Place in corner coordinates, float64, shape ``(2,)``.
    outline_yx_px
        Outline of the ROI in its largest plane, in corner coordinates, float64, shape ``(n, 2)``; without a ROI a
        circle around the place.
    """

    track: int
    session: int
    roi_id: int
    state: str
    change: str
    plane: int
    yx_px: npt.NDArray[np.float64]
    outline_yx_px: npt.NDArray[np.float64]


def grid_of(series: Timelapse) -> xr.DataArray:
    """The grid of the registered images, that of the reference: its image, or else its map of dendrites.

    Raises
    ------
    StackError
        The reference has neither.
    """
    shown = _shown(series.points[series.reference])
    if shown is None:
        raise StackError(f"{series.points[series.reference].name} has neither an image nor a prediction, so there is "
                         "nothing to show its spines on; give the stacks.")
    return shown


def registered_dtype(series: Timelapse) -> np.dtype[np.generic]:
    """Type of the registered images: the one that holds those of all time points."""
    joined = np.result_type(*(_dtype(point) for point in series.points))
    return joined if joined in (np.uint8, np.uint16) else np.dtype(np.float32)


def registered_planes(series: Timelapse, progress: Progress = no_progress) -> Iterator[npt.NDArray[np.generic]]:
    """Images of all time points in the grid of the reference, plane by plane, one time point after the other.

    Time points without an image show their map of dendrites from 0 to 255; what a time point does not show is 0, and so
    is one that is not registered.

    Parameters
    ----------
    series
        Followed spines.
    progress
        Called after every plane.

    Yields
    ------
    numpy.ndarray
        Shape ``(y, x)``, of :func:`registered_dtype`.
    """
    grid, dtype = grid_of(series), registered_dtype(series)
    planes, *plane_px = grid.shape
    total = planes * len(series.points)
    for number, (point, placement) in enumerate(zip(series.points, series.placements, strict=True)):
        shown = _shown(point)
        source = None if placement is None or shown is None else _Source(grid, shown, placement)
        image = _levels(point)
        for plane in range(planes):
            if source is None:
                values = np.zeros(plane_px)
            else:
                values = map_coordinates(image, source.index(plane), output=np.float32, order=1, mode="constant")
            yield (np.rint(values) if dtype.kind == "u" else values).astype(dtype)
            progress(number * planes + plane + 1, total, "Laying images on the reference")


def display_range(series: Timelapse) -> tuple[float, float]:
    """Grey values of the reference that are shown black and white."""
    values = _levels(series.points[series.reference]).astype(np.float32)
    low, high = (float(value) for value in np.percentile(values, (20, 99.5)))
    return low, max(high, low + 1)


def marks(series: Timelapse) -> list[Mark]:
    """Where spines are in the registered images: one mark for each track and time point at which there is something."""
    grid = grid_of(series)
    change = changes(series.states)
    found = []
    for session, (point, placement) in enumerate(zip(series.points, series.placements, strict=True)):
        outlines = {} if placement is None else _outlines(series, session, point, placement)
        for track in np.flatnonzero(change[:, session] != NOT_YET):
            zyx_um, outline_um = outlines.get(int(track), (series.states.zyx_um[track], None))
            place = _corner_px(grid, zyx_um[None])[0]
            outline = _circle(grid, place[1:]) if outline_um is None else _corner_px(grid, outline_um)[:, 1:]
            plane = int(np.clip(np.floor(place[0]), 0, grid.sizes["z"] - 1))
            found.append(Mark(int(track) + 1, session, _roi_id(series, int(track), session),
                              str(series.states.state[track, session]), str(change[track, session]), plane,
                              place[1:], outline))
    return found


def changes(states: States) -> npt.NDArray[np.object_]:
    """What happened to each track since the last time point that tells.

    Returns
    -------
    numpy.ndarray
        ``stable``, ``gained``, ``lost``, ``unobservable``, ``undecided``, or nothing before it appears; object, shape
        ``(tracks, time points)``.
    """
    there, decided = states.there, states.decided
    change = np.full(states.state.shape, NOT_YET, dtype=object)
    for row in range(len(change)):
        was_there = was_absent = False
        for session, state in enumerate(states.state[row]):
            if state in (UNOBSERVABLE, UNDECIDED):
                change[row, session] = state
            elif there[row, session]:
                change[row, session] = GAINED if was_absent else STABLE
                was_there, was_absent = True, False
            elif state == ABSENT:
                change[row, session] = LOST if was_there else NOT_YET
                was_absent = was_absent or bool(decided[row, session])
    return change


class _Source:
    """Where the pixels of the registered images lie in a time point."""

    def __init__(self, grid: xr.DataArray, shown: xr.DataArray, placement: Placement) -> None:
        shape, voxel = np.array(grid.shape), np.array(voxel_size_um(grid))
        counts = np.maximum(2, np.ceil((shape - 1) * voxel / _GRID_UM).astype(int) + 1)
        knots = [np.linspace(0, max(size - 1, 1), count) for size, count in zip(shape, counts, strict=True)]
        places = np.stack(np.meshgrid(*knots, indexing="ij"), axis=-1).reshape(-1, 3) * voxel + _origin(grid)
        parts = np.array_split(places, max(1, len(places) // _AT_ONCE))
        index = np.concatenate([placement.inverse(part) for part in parts])
        index = (index - _origin(shown)) / np.array(voxel_size_um(shown))
        self._index = index.T.reshape(3, *counts)
        self._weights = [_weights(size, count) for size, count in zip(shape, counts, strict=True)]

    def index(self, plane: int) -> npt.NDArray[np.float64]:
        """Indices z, y, x in the image of the time point, float64, shape ``(3, y, x)``."""
        along_z, along_y, along_x = self._weights
        knots = np.tensordot(along_z[plane], self._index, axes=(0, 1))
        return np.asarray(along_y @ knots @ along_x.T)


def _weights(size: int, count: int) -> npt.NDArray[np.float64]:
    """Weights of linear interpolation from `count` even knots to `size` pixels, shape ``(size, count)``."""
    place = np.arange(size) * (count - 1) / max(size - 1, 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(count)[None]))


def _outlines(series: Timelapse, session: int, point: TimePoint, placement: Placement
              ) -> dict[int, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]]:
    """Place and outline of each detected track in the frame of the reference, in µm."""
    detection = series.states.detection[:, session]
    tracks = np.flatnonzero(detection >= 0)
    rows = series.detections.row[detection[tracks]]
    ids = point.spines["id"].to_numpy()[rows]
    traced = {} if point.labels is None else _largest_outlines(point.labels, ids)
    found: dict[int, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]] = {}
    for track, spine in zip(tracks.tolist(), ids.tolist(), strict=True):
        place = series.detections.zyx_um[detection[track]]
        outline = traced.get(int(spine))
        if outline is None:
            found[track] = place, None
        else:
            moved = placement(outline)
            found[track] = np.append(moved[:, 0].mean(), place[1:]), moved
    return found


def _largest_outlines(labels: xr.DataArray, ids: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.float64]]:
    """Outline of each label in the plane in which it is largest, z, y, x in µm."""
    volume = np.asarray(labels.values)
    boxes = find_objects(volume)
    voxel, origin = np.array(voxel_size_um(labels)), _origin(labels)
    found = {}
    for spine in ids.tolist():
        box = boxes[spine - 1] if 0 < spine <= len(boxes) else None
        if box is None:
            continue
        own = volume[box] == spine
        plane = int(own.sum(axis=(1, 2)).argmax())
        contours = trace_contours(own[plane:plane + 1].astype(np.int32))
        longest = max(range(len(contours)), key=lambda index: contours.count[index] * ~contours.is_hole[index])
        corners = contours.points(longest) + np.array([box[1].start, box[2].start], dtype=np.float64)
        middle = np.full((len(corners), 1), float(plane + box[0].start))
        found[spine] = np.hstack([middle, corners - 0.5]) * voxel + origin
    return found


def _roi_id(series: Timelapse, track: int, session: int) -> int:
    detection = series.states.detection[track, session]
    if detection < 0:
        return 0
    return int(series.points[session].spines["id"].to_numpy()[series.detections.row[detection]])


def _corner_px(grid: xr.DataArray, zyx_um: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Positions in corner coordinates of a grid."""
    return (zyx_um - _origin(grid)) / np.array(voxel_size_um(grid)) + 0.5


def _circle(grid: xr.DataArray, yx_px: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = PLACE_RADIUS_UM / np.array(voxel_size_um(grid)[1:])
    return yx_px + np.stack([np.sin(angle), np.cos(angle)], axis=1) * radius


def _shown(point: TimePoint) -> xr.DataArray | None:
    if point.stack is not None or point.prediction is None:
        return point.stack
    return point.prediction["dendrite"]


def _levels(point: TimePoint) -> npt.NDArray[np.generic]:
    if point.stack is not None:
        return np.asarray(point.stack.values)
    if point.prediction is None:
        return np.zeros((1, 1, 1), np.uint8)
    return np.rint(np.asarray(point.prediction["dendrite"].values) * _MAP_LEVELS).astype(np.uint8)


def _dtype(point: TimePoint) -> np.dtype[np.generic]:
    return np.dtype(np.uint8) if point.stack is None else point.stack.dtype


def _origin(data: xr.DataArray) -> npt.NDArray[np.float64]:
    return np.array([float(data.coords[dim][0]) for dim in DIMS])
