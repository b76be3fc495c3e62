"""The picture around a spine: the light across its shaft, and the way on which the spine leaves it.

Everything happens in the plane; neighbouring planes are averaged, since light blurs them more than they are apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.sampling import Volumes, bilinear, mean_of_planes

STEP_UM = 0.05
"""Distance between the points of a way, and of a profile."""
SHAFT_UM = 1.5
"""Length of shaft, to both sides, from which its middle and half width are taken."""
ACROSS_UM = 1.5
"""Farthest distance from the axis in a profile across the shaft."""
NEAR_AXIS_UM = 0.4
"""The middle of a shaft lies at most so far from its centre line."""
BACKGROUND_PERCENT = 20
"""Percentile of the farther half of a profile across the shaft that is its background."""
DEPTH_UM = 0.75
"""Planes so far above and below a spine are averaged."""
AROUND_HEAD_UM = 0.15
"""Light within this distance of the head's middle is its light."""
LEANS = np.linspace(-1.0, 1.0, 21)
"""Ways from the axis to the head that are tried: tangent of their lean along the shaft."""
BENDS = np.linspace(-0.3, 0.3, 7)
"""Deviations of their middle from a straight line, relative to their length."""
SPREAD_OF_LEANS, SPREAD_OF_BENDS = 0.25, 0.1
"""Standard deviation of leans and bends: upright and straight ways are preferred where the image does not tell."""
ACROSS_WAY_UM = 0.15
"""Light is averaged so far to both sides of a way."""
SAMPLES_ACROSS = 2.0
"""So many independent pixels this average holds."""
SHARED_SAMPLES = 4.0
"""So many samples along a way count as one, since they share pixels and noise."""


class Shaft(NamedTuple):
    """Light across a shaft.

    Attributes
    ----------
    middle_um
        Of the light, beside the centre line.
    half_width_um
        Where it falls to half; NaN if it does not.
    light
        In steps of 0.05 µm from the middle; zeros if the shaft is not in the spine's picture.
    background
        Light beside it.
    """

    middle_um: float
    half_width_um: float
    light: np.ndarray
    background: float


class Profile(NamedTuple):
    """Light along a way from axis to tip.

    Attributes
    ----------
    distance_um
        From the base along the way; negative inside the shaft.
    light
        Less the background.
    own_light
        Less the shaft's light and the background.
    noise_slope, background
        The variance of a sample is the first times its light, the background included.
    """

    distance_um: np.ndarray
    light: np.ndarray
    own_light: np.ndarray
    noise_slope: float
    background: float

    @classmethod
    def empty(cls) -> Profile:
        return cls(np.empty(0), np.empty(0), np.empty(0), np.nan, np.nan)

    def noise(self, light: float) -> float:
        """Standard deviation of a sample of this light."""
        return float(np.sqrt(max(self.noise_slope * max(light + max(self.background, 0.0), 0.0), 0.0)))


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Pictures of a spine and its piece of shaft, averaged over a few planes, y x.

    Attributes
    ----------
    shaft_light, spine_light
        The image, or the two maps if there is none.
    occupied, others
        Pixels of any ROI, and of any but the spine's.
    origin_um, pixel_um
        Position of the middle of the first pixel, size of a pixel.
    nodes_um
        Points of the centre line, y x.
    across
        Unit vector from the shaft to the spine, across the shaft.
    """

    shaft_light: np.ndarray
    spine_light: np.ndarray
    occupied: np.ndarray
    others: np.ndarray
    origin_um: np.ndarray
    pixel_um: float
    nodes_um: np.ndarray
    across: np.ndarray

    @classmethod
    def of(cls, identity: int, head: np.ndarray, foot: np.ndarray, nodes: np.ndarray, across: np.ndarray,
           volumes: Volumes, voxel_um: np.ndarray) -> Surroundings:
        ends = np.stack([head, foot])
        low_um = np.concatenate([ends[:, :1].min(axis=0) - DEPTH_UM,
                                 np.minimum(ends.min(axis=0), nodes.min(axis=0))[1:] - ACROSS_UM])
        high_um = np.concatenate([ends[:, :1].max(axis=0) + DEPTH_UM,
                                  np.maximum(ends.max(axis=0), nodes.max(axis=0))[1:] + ACROSS_UM])
        shape = np.array(volumes.rois.shape)
        low = np.clip(np.ceil(low_um / voxel_um).astype(np.int64), 0, shape - 1)
        high = np.clip(np.floor(high_um / voxel_um).astype(np.int64) + 1, low + 1, shape)
        names = ("dendrite", "spine") if volumes.stack is None else ("stack",)
        pictures = [mean_of_planes(volumes.box(name, low, high)) for name in names]
        labels = volumes.box("rois", low, high)
        others = np.any((labels > 0) & (labels != identity), axis=0)
        return cls(pictures[0], pictures[-1], np.any(labels > 0, axis=0), others, low[1:] * voxel_um[1:],
                   float(voxel_um[1]), nodes[:, 1:], across)

    def shaft(self) -> Shaft:
        """Middle and half width of the shaft, and its light."""
        offsets = np.arange(-ACROSS_UM, ACROSS_UM + STEP_UM / 2, STEP_UM)
        normals = _normals(self.nodes_um, self.across)
        profile = _profile_across(self.shaft_light, self.occupied, self.origin_um, self.pixel_um, self.nodes_um,
                                  normals, offsets)
        left, right, background = _half_crossings(profile, offsets, NEAR_AXIS_UM, BACKGROUND_PERCENT)
        middle_um, half_width_um = 0.0, np.nan
        if np.isfinite(left) and np.isfinite(right):
            middle_um, half_width_um = (left + right) / 2, (right - left) / 2
        elif np.isfinite(left) or np.isfinite(right):
            half_width_um = np.nanmax([-left, right])
        distance = np.arange(0.0, ACROSS_UM + STEP_UM / 2, STEP_UM)
        known = np.isfinite(profile)
        if known.sum() < 2 or self.spine_light is not self.shaft_light:
            return Shaft(float(middle_um), float(half_width_um), np.zeros(len(distance)), 0.0)
        sides = [np.interp(middle_um + sign * distance, offsets[known], profile[known]) for sign in (-1, 1)]
        return Shaft(float(middle_um), float(half_width_um), np.minimum(*sides), background)

    def profile(self, shaft: Shaft, way: np.ndarray, base_um: float, foot: np.ndarray) -> Profile:
        """Light along a way from axis to tip; `base_um` is the length from its first point to the base."""
        distance = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(way, axis=0), axis=1))]) - base_um
        middle = foot + shaft.middle_um * self.across
        place = np.minimum(np.abs((way[:, 1:] - middle) @ self.across) / STEP_UM, len(shaft.light) - 1)
        own = np.interp(place, np.arange(len(shaft.light)), shaft.light)
        light = _along(self.spine_light, self.origin_um, self.pixel_um, np.ascontiguousarray(way[:, 1:]), ACROSS_WAY_UM)
        return Profile(distance, light - shaft.background, light - own,
                       _noise_slope(self.spine_light) / SAMPLES_ACROSS, shaft.background)

    def way(self, shaft: Shaft, radius_um: float, foot: np.ndarray, along: np.ndarray, head: np.ndarray
            ) -> tuple[float, float]:
        """Lean along the shaft and bend (in µm) of the way from axis to head."""
        away = head - foot
        along_um, across_um = float(away @ along), float(away @ self.across) - shaft.middle_um
        if across_um - AROUND_HEAD_UM - radius_um < 2 * STEP_UM:
            return 0.0, 0.0
        origin = foot + shaft.middle_um * self.across
        ridges = _ridges(self.spine_light, self.others, self.origin_um, self.pixel_um, origin, along, self.across,
                         radius_um, along_um, across_um)
        known = ridges[np.isfinite(ridges)]
        noise = 1.4826 * float(np.median(np.abs(known - np.median(known)))) if len(known) else 0.0
        gain = _evidence(ridges, noise, LEANS, BENDS) if noise > 0 else np.zeros((len(LEANS), len(BENDS)))
        scores = gain - LEANS[:, None] ** 2 / (2 * SPREAD_OF_LEANS ** 2) - BENDS ** 2 / (2 * SPREAD_OF_BENDS ** 2)
        best, bend = np.unravel_index(int(np.argmax(scores)), scores.shape)
        lean = float(LEANS[best])
        if 0 < best < len(LEANS) - 1:
            before, here, after = scores[best - 1:best + 2, bend]
            curvature = before - 2 * here + after
            if curvature < 0:
                lean += 0.5 * (before - after) / curvature * float(LEANS[1] - LEANS[0])
        length_um = float(np.hypot(1.0, lean)) * (across_um - radius_um)
        return lean, float(BENDS[bend]) * length_um


def _normals(nodes: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Unit vectors across a line in the plane at each of its points, all to the side of `across`."""
    if len(nodes) < 3:
        return np.tile(across, (len(nodes), 1))
    tangents = np.gradient(nodes, axis=0)
    normals = np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)
    normals[normals @ across < 0] *= -1
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-12), across)


@compiled
def _half_crossings(profile, offsets, near, percent):  # type: ignore[no-untyped-def]  # numba types
    """Where a profile falls half way from its peak near 0 to its background, to both sides; NaN if not; background."""
    reach = offsets[-1]
    outside = profile[(np.abs(offsets) >= reach / 2) & np.isfinite(profile)]
    peak = -1
    for i in range(len(profile)):
        if abs(offsets[i]) <= near and np.isfinite(profile[i]) and (peak < 0 or profile[i] > profile[peak]):
            peak = i
    if len(outside) == 0 or peak < 0:
        return np.nan, np.nan, 0.0
    background = np.percentile(outside, percent)
    half = (profile[peak] + background) / 2
    found = np.full(2, np.nan)
    if not half < profile[peak]:
        return np.nan, np.nan, background
    for side in range(2):
        step = 2 * side - 1
        place = peak
        while 0 <= place + step < len(profile) and profile[place] > half:
            place += step
        if profile[place] <= half:
            before = profile[place - step]
            found[side] = offsets[place - step] + (before - half) / (before - profile[place]) * (
                offsets[place] - offsets[place - step])
    return found[0], found[1], background


@compiled
def _profile_across(picture, occupied, origin, pixel, nodes, normals, offsets):  # type: ignore[no-untyped-def]
    """Median along the shaft of what lies at each offset across it, without ROIs; NaN where there is too little."""
    profile = np.full(len(offsets), np.nan)
    values = np.empty(len(nodes))
    for i in range(len(offsets)):
        count = 0
        for node in range(len(nodes)):
            y = (nodes[node, 0] + offsets[i] * normals[node, 0] - origin[0]) / pixel
            x = (nodes[node, 1] + offsets[i] * normals[node, 1] - origin[1]) / pixel
            value = bilinear(picture, y, x)
            if np.isnan(value) or occupied[int(y + 0.5), int(x + 0.5)]:
                continue
            values[count] = value
            count += 1
        if count >= 3:
            profile[i] = np.median(values[:count])
    return profile


@compiled
def _ridges(picture, others, origin, pixel, axis, along, across, radius, head_along, head_across):  # type: ignore[no-untyped-def]
    """How much brighter each place between shaft and head is than what lies beside it along the shaft.

    Rows go from the shaft's surface to the head, columns along the shaft, relative to the head; both in steps of
    0.05 µm. The shaft's own light is the same beside a place, so that it cancels out. NaN where another ROI lies.
    """
    rows = max(int((head_across - radius - AROUND_HEAD_UM) / STEP_UM), 1)
    reach = int((head_across - radius) * 1.35 / STEP_UM) + 4
    beside = 7
    columns = 2 * (reach + beside + 1) + 1
    light = np.empty(columns)
    ridges = np.full((rows, 2 * reach + 1), np.nan)
    for row in range(rows):
        outward = radius + (row + 0.5) * STEP_UM
        for column in range(columns):
            sideways = head_along + (column - reach - beside - 1) * STEP_UM
            y = (axis[0] + sideways * along[0] + outward * across[0] - origin[0]) / pixel
            x = (axis[1] + sideways * along[1] + outward * across[1] - origin[1]) / pixel
            light[column] = bilinear(picture, y, x)
            if not np.isnan(light[column]) and others[int(y + 0.5), int(x + 0.5)]:
                light[column] = np.nan
        for column in range(2 * reach + 1):
            middle = column + beside + 1
            on = (light[middle - 1] + light[middle] + light[middle + 1]) / 3
            before = (light[middle - beside - 1] + light[middle - beside] + light[middle - beside + 1]) / 3
            after = (light[middle + beside - 1] + light[middle + beside] + light[middle + beside + 1]) / 3
            if np.isnan(before):
                before = after
            elif np.isnan(after):
                after = before
            ridges[row, column] = on - (before + after) / 2
    return ridges


@compiled
def _evidence(ridges, noise, leans, bends):  # type: ignore[no-untyped-def]  # numba types
    """Log-likelihood that there is a ridge on each way, of its best brightness, against none."""
    rows, columns = ridges.shape
    reach = columns // 2
    evidence = np.zeros((len(leans), len(bends)))
    for i in range(len(leans)):
        for j in range(len(bends)):
            total = 0.0
            for row in range(rows):
                share = (row + 0.5) / rows
                column = reach + int(np.round(-leans[i] * (rows - row - 0.5)
                                              + 4 * share * (1 - share) * bends[j] * rows))
                if 0 <= column < columns and not np.isnan(ridges[row, column]):
                    total += min(ridges[row, column], 6 * noise)
            # Neighbouring samples are half a pixel apart and share their noise.
            mean = max(total / rows, 0.0)
            evidence[i, j] = mean * mean / (2 * noise * noise) * max(rows / SHARED_SAMPLES, 1.0)
    return evidence


@compiled
def _along(picture, origin, pixel, way, beside):  # type: ignore[no-untyped-def]  # numba types
    """Mean light across a way at each of its points; NaN outside of the picture."""
    light = np.full(len(way), np.nan)
    for i in range(len(way)):
        before, after = max(i - 2, 0), min(i + 2, len(way) - 1)
        dy, dx = way[after, 0] - way[before, 0], way[after, 1] - way[before, 1]
        length = np.sqrt(dy * dy + dx * dx)
        if length > 0:
            dy, dx = dy / length, dx / length
        total, count = 0.0, 0
        for k in range(-3, 4):
            y = way[i, 0] + k / 3 * beside * dx
            x = way[i, 1] - k / 3 * beside * dy
            value = bilinear(picture, (y - origin[0]) / pixel, (x - origin[1]) / pixel)
            if not np.isnan(value):
                total += value
                count += 1
        if count:
            light[i] = total / count
    return light


@compiled
def _noise_slope(picture):  # type: ignore[no-untyped-def]  # numba types
    """Variance of a pixel over its light, from second differences down the columns, where smear along lines is not."""
    lowest = np.inf
    for value in picture.flat:
        lowest = min(lowest, value)
    squares, light = 0.0, 0.0
    for y in range(1, picture.shape[0] - 1):
        for x in range(picture.shape[1]):
            second = picture[y - 1, x] - 2 * picture[y, x] + picture[y + 1, x]
            squares += second * second / 6
            light += picture[y, x] - min(lowest, 0.0)
    return squares / light if light > 0 else 0.0
