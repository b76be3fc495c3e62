"""Whether each spine is there at each time point: also where it was not detected, and where nobody could see it.

A spine that is not detected is not gone. Its expected place is looked at in the probability map: a lower threshold than
that of new spines keeps it, a still lower one calls it absent. In between, the light at its place decides (forced
photometry), if it is clearly that of a spine or clearly less than a quarter of what the spine has at other time points;
else it stays undecided, and so does a single gap between two time points at which it is there. Places that the time
point does not show are unobservable.

Light decides nothing where the map is sure. On simulated stacks the map was right there, while the light of small heads
is within three of its standard errors also where they are, and saturated ones have none to compare with: with light as
the judge of all places, turnover was no better and more places stayed undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.ndimage import distance_transform_edt

from deepd3_ij.measurement.forced import light_at
from deepd3_ij.parameters import TimelapseParameters
from deepd3_ij.stack import DIMS, voxel_size_um
from deepd3_ij.timelapse.aligning import Placement
from deepd3_ij.timelapse.linking import Detections
from deepd3_ij.timelapse.registration import Z_WEIGHT, is_inside
from deepd3_ij.timelapse.timepoint import TimePoint
from deepd3_ij.timelapse.visibility import LEAST_SHAFT_SD, is_saturated, is_under_another

PRESENT, RECOVERED, ABSENT, UNOBSERVABLE, UNDECIDED = "present", "recovered", "absent", "unobservable", "undecided"
STATES = (PRESENT, RECOVERED, ABSENT, UNOBSERVABLE, UNDECIDED)
THERE = (PRESENT, RECOVERED)
SEARCH_Z_UM = 2.0
BLANK_UM, BLANK_Z_UM, BLANK_SHARE = 0.8, 1.0, 0.9
LIGHT_SD, UPPER_SD, LIGHT_SHARE = 3.0, 1.96, 0.25
"""A spine's light is above so many standard errors; a spine that is gone has less than this share of its usual light,
at the upper end of its 95 % interval."""
DOUBTFUL = "doubtful probability"
DENDRITE_UM = 1.5
"""A dendrite may be so much farther from a spine's place than usual."""


@dataclass(frozen=True, eq=False)
class States:
    """What is known of each track (row) at each time point (column).

    Attributes
    ----------
    detection
        Row of the detection, −1 if there is none, int64, shape ``(tracks, time points)``.
    state
        One of ``STATES``, object, same shape.
    reason
        Why it is unobservable or undecided, or that its light or a person decided, object, same shape; empty otherwise.
    observable
        Whether the place can be judged, detected or not, bool, same shape.
    probability
        Largest spine probability at the expected place; NaN without a map and outside of it, float64, same shape.
    light, light_error
        Light at the place of a spine that was not detected, as ``volume_relative``, and its standard error; NaN
        elsewhere, and where it cannot be measured, float64, same shape.
    zyx_um
        Mean position of each track in the frame of the reference, float64, shape ``(tracks, 3)``.
    """

    detection: np.ndarray
    state: np.ndarray
    reason: np.ndarray
    observable: np.ndarray
    probability: np.ndarray
    light: np.ndarray
    light_error: np.ndarray
    zyx_um: np.ndarray

    @property
    def there(self) -> np.ndarray:
        """Whether the spine is there, bool, shape ``(tracks, time points)``."""
        return np.isin(self.state, THERE)

    @property
    def decided(self) -> np.ndarray:
        """Whether it is known to be there or not, in an observable place, bool, same shape."""
        return self.observable & (self.there | (self.state == ABSENT))


def judge(points: Sequence[TimePoint], placements: Sequence[Placement | None], detections: Detections,
          track: np.ndarray, parameters: TimelapseParameters) -> States:
    """Decide the state of every track at every time point.

    Parameters
    ----------
    points, placements
        Time points and where they lie; None for one that could not be registered.
    detections, track
        Spines in the frame of the reference and the number of each one's track.
    parameters
        Thresholds, borders, how far a spine is looked for.
    """
    tracks = int(track.max()) + 1 if len(track) else 0
    shape = (tracks, len(points))
    detection = np.full(shape, -1, dtype=np.int64)
    detection[track, detections.session] = np.arange(len(track))
    count = np.maximum(np.bincount(track, minlength=tracks), 1)
    mean = np.stack([np.bincount(track, column, minlength=tracks) / count for column in detections.zyx_um.T], axis=1)
    reach = np.bincount(track, np.linalg.norm(detections.direction, axis=1), minlength=tracks) / count
    state = np.full(shape, PRESENT, dtype=object)
    reason = np.full(shape, "", dtype=object)
    observable = np.zeros(shape, dtype=bool)
    probability, light, light_error = (np.full(shape, np.nan) for _ in range(3))
    usual = _usual_sizes(detections.size, track, tracks)
    for number, (point, placement) in enumerate(zip(points, placements, strict=True)):
        if placement is None:
            state[:, number], reason[:, number] = UNOBSERVABLE, "not registered"
            continue
        places = placement.inverse(mean)
        why = _hidden(point, places, reach, parameters)
        missing = detection[:, number] < 0
        if point.stack is not None:
            # A spine that is seen is seen, however bright; only where none is, saturated light may hide it.
            rows = np.flatnonzero(missing & (why == ""))
            why[rows[is_saturated(point.stack, places[rows])]] = "saturated"
        observable[:, number] = why == ""
        state[missing, number] = np.where(why[missing] == "", ABSENT, UNOBSERVABLE)
        reason[missing, number] = why[missing]
        if point.prediction is not None:
            own = np.where(missing, 0, detection[:, number])
            ids = np.where(missing, 0, point.spines["id"].to_numpy()[detections.row[own]] if len(point.spines) else 0)
            probability[:, number], covered = _photometry(point, places, ids, parameters)
            looked = missing & (why == "")
            kept = looked & (probability[:, number] >= parameters.keep_threshold) & ~covered
            unclear = looked & ~kept & ((probability[:, number] >= parameters.absent_threshold) | covered)
            state[kept, number] = RECOVERED
            state[unclear, number] = UNDECIDED
            reason[unclear, number] = np.where(covered[unclear], "covered by another spine", DOUBTFUL)
            if point.stack is not None:
                found = light_at(point.stack, point.prediction, point.labels, places[looked], point.zyx_um,
                                 point.measured_with)
                light[looked, number], light_error[looked, number] = found.relative, found.error
                _decide_by_light(state[:, number], reason[:, number], light[:, number], light_error[:, number], usual)
    _doubt_single_gaps(state, reason, observable, probability)
    return States(detection, state, reason, observable, probability, light, light_error, mean)


def _usual_sizes(size: np.ndarray, track: np.ndarray, tracks: int) -> np.ndarray:
    """Median size of each track's detections; NaN where none is known."""
    known = np.isfinite(size)
    medians = pd.Series(size[known]).groupby(track[known]).median()
    return np.asarray(medians.reindex(range(tracks)).to_numpy(dtype=np.float64))


def _decide_by_light(state: np.ndarray, reason: np.ndarray, light: np.ndarray, error: np.ndarray, usual: np.ndarray
                     ) -> None:
    """Decide where the map left it open: by the light of one time point, beside what the spine has at others."""
    with np.errstate(invalid="ignore"):
        seen = (light > LIGHT_SD * error) & (light > LIGHT_SHARE * usual)
        dark = light + UPPER_SD * error < LIGHT_SHARE * usual
    open_ = reason == DOUBTFUL
    state[open_ & seen], reason[open_ & seen] = RECOVERED, "by its light"
    state[open_ & dark], reason[open_ & dark] = ABSENT, "by its light"


def _doubt_single_gaps(state: np.ndarray, reason: np.ndarray, observable: np.ndarray, probability: np.ndarray) -> None:
    """A spine that is there right before and right after was more likely overlooked once than gone and grown again.

    That holds where a map was looked at; an annotator who saw nothing is believed.
    """
    there = np.isin(state, THERE)
    for number in range(1, state.shape[1] - 1):
        between = ((state[:, number] == ABSENT) & there[:, number - 1] & there[:, number + 1]
                   & np.isfinite(probability[:, number]) & observable[:, number])
        state[between, number], reason[between, number] = UNDECIDED, "there before and after"


def _hidden(point: TimePoint, places: np.ndarray, reach_um: np.ndarray, parameters: TimelapseParameters) -> np.ndarray:
    """Why a place of the time point cannot be judged; empty where it can."""
    margin = np.array([parameters.border_z_um, parameters.border_um, parameters.border_um])
    # A single plane has no depth that could be kept away from.
    margin = np.where(point.box_um[1] > point.box_um[0], margin, -np.inf)
    why = np.full(len(places), "", dtype=object)
    distance, own = point.lines.nearest(places, Z_WEIGHT)
    why[distance > reach_um + DENDRITE_UM] = "no dendrite"
    if point.stack is not None:
        why[_blank(point.stack, places, np.flatnonzero(why == ""))] = "no data"
    if len(point.lines):
        why[(why == "") & (point.shaft_signal[own] < LEAST_SHAFT_SD)] = "weak shaft"
        why[(why == "") & is_under_another(point.lines, places)] = "covered by another dendrite"
    why[~is_inside(places, point.box_um, margin)] = "at the border"
    why[~is_inside(places, point.box_um)] = "outside"
    return why


def _blank(stack: xr.DataArray, places: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Those rows at whose places nearly all voxels have one value: edges that motion correction has filled."""
    voxel = np.array(voxel_size_um(stack))
    origin = np.array([float(stack.coords[dim][0]) for dim in DIMS])
    reach = np.maximum(np.array([BLANK_Z_UM, BLANK_UM, BLANK_UM]) / voxel, 0.5)
    image = np.asarray(stack.values)
    found = []
    for row in rows:
        at = (places[row] - origin) / voxel
        low = np.clip(np.ceil(at - reach), 0, np.array(image.shape) - 1).astype(int)
        high = np.clip(np.floor(at + reach), low, np.array(image.shape) - 1).astype(int) + 1
        part = image[tuple(slice(first, last) for first, last in zip(low, high, strict=True))]
        if (part == part.min()).mean() >= BLANK_SHARE and part.size > 1:
            found.append(row)
    return np.array(found, dtype=np.int64)


def observable_line(points: Sequence[TimePoint], placements: Sequence[Placement | None], reference: int,
                    parameters: TimelapseParameters) -> np.ndarray:
    """Which points of the reference's centre lines each time point shows, bool, shape ``(points, time points)``."""
    line = points[reference].lines
    seen = np.zeros((len(line), len(points)), dtype=bool)
    for number, (point, placement) in enumerate(zip(points, placements, strict=True)):
        if placement is not None:
            seen[:, number] = _hidden(point, placement.inverse(line.zyx_um), np.zeros(len(line)), parameters) == ""
    return seen


def _photometry(point: TimePoint, places: np.ndarray, ids: np.ndarray, parameters: TimelapseParameters
                ) -> tuple[np.ndarray, np.ndarray]:
    """Largest spine probability around each place outside of other spines, and whether another one covers the place."""
    assert point.prediction is not None
    spine = point.prediction["spine"]
    voxel = np.array(voxel_size_um(spine))
    origin = np.array([float(spine.coords[dim][0]) for dim in DIMS])
    reach = np.array([SEARCH_Z_UM, parameters.search_um, parameters.search_um]) / voxel
    centre = (places - origin) / voxel
    probability, covered = np.full(len(places), np.nan), np.zeros(len(places), dtype=bool)
    shape = np.array(spine.shape)
    for row, at in enumerate(centre):
        low = np.maximum(np.ceil(at - reach), 0).astype(int)
        high = np.minimum(np.floor(at + reach) + 1, shape).astype(int)
        if (low >= high).any():
            continue
        box = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
        axes = [np.arange(first, last) - middle for first, last, middle in zip(low, high, at, strict=True)]
        offset = np.meshgrid(*axes, indexing="ij")
        near = sum((axis / max(radius, 1e-9)) ** 2 for axis, radius in zip(offset, reach, strict=True)) <= 1
        others = _others(point.labels, box, int(ids[row]))
        if others is not None:
            middle = tuple(np.clip(np.rint(at - low).astype(int), 0, high - low - 1))
            covered[row] = ids[row] == 0 and bool(_near(others, middle, voxel))
            near &= ~others
        values = np.asarray(spine[box].values)[near]
        probability[row] = float(values.max()) if values.size else 0.0
    return probability, covered


def _others(labels: xr.DataArray | None, box: tuple[slice, ...], own: int) -> np.ndarray | None:
    if labels is None:
        return None
    part = np.asarray(labels[box].values)
    return np.asarray((part > 0) & (part != own))


def _near(others: np.ndarray, middle: tuple[int, ...], voxel: np.ndarray) -> bool:
    """Whether another spine lies at the place itself, as far as a pixel or two."""
    if not others.any():
        return False
    return bool(distance_transform_edt(~others, sampling=voxel)[middle] <= 0.25)
