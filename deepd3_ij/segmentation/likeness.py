"""Is a stack like those that a model was trained on? Few planes are measured, and compared with ranges in its card."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import fft, ndimage

from deepd3_ij.notes import note
from deepd3_ij.stack import voxel_size_um

_MOST_PAIRS, _MOST_PLANES = 8, 36
_WINDOW_PX, _LINES_PX = 512, 1024
_SMALLEST_PX = 64
_BRIGHT = 0.99
_BRIGHT_ROWS = 0.8
_LARGEST_SHIFT_UM = 3.0
_LINE_REACH_UM, _MOVED_LINE_UM = 0.5, 0.2
_FEWEST_LINES = 500
_TELLING_NOISE = 3.0

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Measure:
    """One thing that is measured in a stack.

    Attributes
    ----------
    words
        What it is.
    unit
        Unit; empty for a pure number.
    margin
        Factor by which a stack may lie outside of the range; stacks of one microscope differ by less.
    low, high
        Whether a value that is too small, or too large, is worth a word.
    remedy
        What to do.
    least
        Values up to this one are never too large.
    """

    words: str
    unit: str
    margin: float
    low: bool
    high: bool
    remedy: str
    least: float = 0.0


MEASURES = {
    "xy_um": Measure("the pixel size", "µm", 1.3, True, True,
                     "check the voxel size; if it is right, train a model on such stacks"),
    "z_um": Measure("the distance of the planes", "µm", 1.3, True, True,
                    "check the voxel size; if it is right, train a model on such stacks"),
    "signal_to_noise": Measure("the signal-to-noise ratio of bright structures", "", 1.25, True, False,
                               "expect missed spines: image with more light or averaging, or lower the thresholds and "
                               "review the spines"),
    "saturated_fraction": Measure("the share of saturated voxels", "", 3.0, False, True,
                                  "expect false spines on bright shafts and no sizes from light: image with less gain",
                                  2e-3),
    "moved_lines": Measure("the share of lines that are shifted against the next one", "", 1.25, False, True,
                           "the sample moved while it was scanned: expect missed and doubled spines, and review "
                           "them", 0.1),
    "plane_shift_um": Measure("the usual shift from plane to plane", "µm", 2.0, False, True,
                              "the sample moved between planes: register the planes before", 0.25),
}
"""What is measured, by the name in a card."""


def measure_quality(stack: xr.DataArray) -> dict[str, float]:
    """Measure a stack on a few pairs of neighbouring planes.

    Parameters
    ----------
    stack
        Dimensions ``("z", "y", "x")`` with a voxel size; may be lazy.

    Returns
    -------
    dict of str to float
        Values by the names of :data:`MEASURES`; NaN for what cannot be told: all but the voxel size where a plane is
        smaller than 64 × 64 pixels or there is one plane only, saturation where pixels are no whole numbers, lines
        where fewer than 500 are bright, or where the signal-to-noise ratio is below 3: noise moves the best fit, too.
    """
    z_um, xy_um, _ = voxel_size_um(stack)
    quality = {**dict.fromkeys(MEASURES, math.nan), "xy_um": xy_um, "z_um": z_um}
    depth, height, width = stack.shape
    if depth < 2 or min(height, width) < _SMALLEST_PX:
        return quality
    firsts = np.unique(np.linspace(0, depth - 2, int(np.clip(depth // 5, 2, _MOST_PAIRS))).astype(int))
    pairs, saturated = [], []
    for first in firsts:
        planes = np.asarray(stack[first:first + 2].data)
        if planes.dtype.kind in "iu":
            saturated.append(float(np.mean(planes == np.iinfo(planes.dtype).max)))
        pairs.append(_of_pair(_brightest_window(planes, _WINDOW_PX), xy_um))
    found = np.array([pair for pair in pairs if pair[0] > 0]).reshape(-1, 3)
    if saturated:
        quality["saturated_fraction"] = float(np.mean(saturated))
    if len(found):
        # Planes in which there is something to see tell of motion and of the light; the other half may be empty.
        bright = found[np.argsort(-found[:, 0], kind="stable")[:(len(found) + 1) // 2]]
        noise, shift_um = map(float, np.median(bright[:, 1:], axis=0))
        quality |= {"signal_to_noise": noise, "plane_shift_um": shift_um,
                    "moved_lines": _moved_share(stack, xy_um) if noise >= _TELLING_NOISE else math.nan}
    return quality


def ranges_of(qualities: Iterable[Mapping[str, float]]) -> dict[str, list[float]]:
    """Smallest and largest value of each measure over training stacks, for a model's card; NaN does not count."""
    every = list(qualities)
    ranges = {}
    for name in MEASURES:
        values = [value for quality in every if math.isfinite(value := quality.get(name, math.nan))]
        if values:
            ranges[name] = [float(f"{min(values):.4g}"), float(f"{max(values):.4g}")]
    return ranges


def unlike(quality: Mapping[str, float], ranges: Mapping[str, Any]) -> list[str]:
    """What is outside of the ranges, one sentence each, with what to do.

    Parameters
    ----------
    quality
        As from :func:`measure_quality`.
    ranges
        As from :func:`ranges_of`; what it does not name gives no word.
    """
    told = []
    for name, measure in MEASURES.items():
        value = quality.get(name, math.nan)
        if name not in ranges or not math.isfinite(value):
            continue
        low, high = ranges[name]
        if (measure.low and value < low / measure.margin) or (
                measure.high and value > max(high * measure.margin, measure.least)):
            unit = f" {measure.unit}" if measure.unit else ""
            usual = (f"{low:.3g} to {high:.3g}" if measure.low and measure.high
                     else f"{low:.3g} or more" if measure.low else f"{high:.3g} or less")
            told.append(f"{measure.words} is {value:.3g}{unit}, in the model's training stacks {usual}{unit}; "
                        f"{measure.remedy}.")
    return told


def tell_unlike(stack: xr.DataArray, ranges: Mapping[str, Any]) -> None:
    """Note each thing in which a stack is unlike the training stacks; nothing without ranges."""
    if ranges:
        for text in unlike(measure_quality(stack), ranges):
            note(f"{stack.attrs.get('source', 'The stack')}: {text}")


def _brightest_window(planes: npt.NDArray[Any], side_px: int) -> FloatArray:
    """The part of planes, of this size at most, where most light is in the first."""
    _, height, width = planes.shape
    starts = [(y, x) for y in range(0, max(1, height - side_px // 2), side_px // 2)
              for x in range(0, max(1, width - side_px // 2), side_px // 2)]
    y, x = max(starts, key=lambda at: float(planes[0, at[0]:at[0] + side_px:4, at[1]:at[1] + side_px:4].std()))
    return planes[:, y:y + side_px, x:x + side_px].astype(np.float32)


def _of_pair(planes: FloatArray, xy_um: float) -> tuple[float, float, float]:
    """Contrast and signal-to-noise ratio of the first plane, and the shift to the other in µm."""
    bands = [ndimage.uniform_filter(plane, 3) - ndimage.uniform_filter(plane, 15) for plane in planes]
    contrast = float((bands[0] ** 2).sum())
    if contrast == 0 or not math.isfinite(contrast) or not bands[1].any():
        return 0.0, math.nan, math.nan
    return contrast, _signal_to_noise(planes[0]), _shift_px(bands[0], bands[1], xy_um) * xy_um


def _signal_to_noise(plane: FloatArray) -> float:
    """Light of bright structures over the noise along their lines, which lines that moved do not change."""
    near = ndimage.uniform_filter(plane, 5)[:, 2:-2]
    bright = near >= np.quantile(near[::2, ::2], _BRIGHT)
    noise = ((2 * plane[:, 2:-2] - plane[:, :-4] - plane[:, 4:]) / math.sqrt(6))[bright].std()
    signal = plane[:, 2:-2][bright].mean() - np.median(plane[::2, ::2])
    return float(signal / max(float(noise), 1e-6 * max(float(signal), 1e-6)))


def _moved_share(stack: xr.DataArray, xy_um: float) -> float:
    """Share of bright lines that fit the next one best when shifted by 0.2 µm or more: the median over planes."""
    found = [_moved_lines(_brightest_window(np.asarray(stack[z:z + 1].data), _LINES_PX)[0], xy_um)
             for z in np.unique(np.linspace(0, len(stack) - 1, min(len(stack), _MOST_PLANES)).astype(int))]
    bright = sorted(found, reverse=True)[:(len(found) + 1) // 2]
    shares = [moved / lines for _, moved, lines in bright if lines]
    return float(np.median(shares)) if sum(each[2] for each in bright) >= _FEWEST_LINES else math.nan


def _moved_lines(plane: FloatArray, xy_um: float) -> tuple[float, int, int]:
    """Contrast of a plane, its lines that are shifted against the next one, and the bright lines that have a next."""
    lines = ndimage.gaussian_filter1d(plane, 1, axis=1) - ndimage.gaussian_filter1d(plane, 6, axis=1)
    energy = (lines ** 2).sum(1)
    bright = energy > np.quantile(energy, _BRIGHT_ROWS)
    rows = np.flatnonzero(bright[:-1] & bright[1:])
    reach, width = max(2, round(_LINE_REACH_UM / xy_um)), lines.shape[1]
    one = lines[rows, reach:-reach]
    fits = np.stack([(one * lines[rows + 1, reach + shift:width - reach + shift]).sum(1)
                     for shift in range(-reach, reach + 1)])
    moved = np.abs(fits.argmax(0) - reach) >= max(1, math.ceil(_MOVED_LINE_UM / xy_um - 1e-9))
    return float(energy.sum()), int(np.count_nonzero(moved)), len(rows)


def _shift_px(one: FloatArray, other: FloatArray, xy_um: float) -> float:
    """Length of the shift at which two planes fit best, in pixels."""
    height, width = one.shape
    taper = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    reach = min(round(_LARGEST_SHIFT_UM / xy_um), height // 4, width // 4)
    fit = fft.irfft2(fft.rfft2(one * taper) * np.conj(fft.rfft2(other * taper)), (height, width))
    near = np.roll(fit, (reach, reach), (0, 1))[:2 * reach + 1, :2 * reach + 1]
    y, x = np.unravel_index(int(near.argmax()), near.shape)
    return math.hypot(y - reach, x - reach)
