"""Size of spines from their light.

A voxel count depends on thresholds, and a width below the resolution is none; light is what remains. The light of a
head is that of a spot fitted to the image together with its neck, the shaft and the heads beside it; divided by the
light of a µm of the shaft, it says of how much shaft the head has the dye (no radius and no blur needed). Widths follow
from the spot's size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.ndimage import distance_transform_edt, uniform_filter

from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.dendrites import Dendrites
from deepd3_ij.measurement.geometry import SpineGeometry
from deepd3_ij.measurement.noise import Noise
from deepd3_ij.measurement.optics import FWHM_PER_SIGMA
from deepd3_ij.measurement.straightened import (
    DEPTH_UM,
    Imaging,
    StraightBranch,
    gaussian_width,
    rows_of_planes,
    tube_radius_um,
)
from deepd3_ij.parameters import MeasureParameters

USUAL_PSF_XY_UM = 0.4
# Spots of these standard deviations (µm) are tried.
SIGMAS_UM = np.geomspace(0.09, 0.55, 16)
WINDOW_UM = 1.0
CORE_UM = 0.35
MOST_COVERED = 0.75
"""Half width of the window that is fitted; how much may be covered of what is so near to the head's middle."""
SHAFT_NEAR_UM, SHAFT_FAR_UM = 1.5, 4.0
FEWEST_SLICES = 8
KNOWN_ACROSS_UM = 1.5
SLICE_CORRELATION_UM = 1.0
INTO_SHAFT_UM = 0.15
PLACE_SD_UM = 0.1
FARTHEST_SHIFT_UM = 0.25
SHAFT_FACTOR_SD = 0.3
SHAFT_ERROR = 0.15
LITTLE_COVERED = 0.25
OTHER_PER_SHAFT_UM = 0.25
OTHERS_DEPTH_UM = 2.0
MOST_OTHERS = 5
NECK_PER_SHAFT, NECK_PER_SHAFT_SD = 1 / 16, 0.05
NECK_ENDS_UM = 0.25
NECK_STEP_UM = 0.1
"""Light of a neck relative to as much shaft (0.2 µm at 0.8 µm), its spread, and how far before the head's middle the
neck ends."""
MODEL_ERROR = 0.25
"""Relative error of the light of heads without noise, measured on simulated spines: heads are no balls."""
DIAMETER_MODEL_ERROR_UM = 0.14
"""The same of their diameters."""
MOST_SATURATED = 0.02
FEWEST_FOR_CALIBRATION = 50
SMALLEST_SHAFT = 1.2
SEEN = 2.0
"""Ratio of light and its error below which a head's sizes are not given."""


@dataclass(frozen=True, eq=False)
class Light:
    """Sizes from light.

    Attributes
    ----------
    columns
        ``head_fwhm_um … saturated_fraction`` of :data:`deepd3_ij.measurement.columns.SHAPE_COLUMNS`, float64.
    reasons
        For each word of :data:`deepd3_ij.measurement.columns.QUALITIES` that is used, which spines it is said of.
    """

    columns: Mapping[str, np.ndarray]
    reasons: Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _Shaft:
    """The shaft beside a spine.

    Light of a µm of it (grey level × µm²) and its relative error, profile across, width of that (a Gaussian's standard
    deviation), its direction, and the share of saturated places.
    """

    per_um: float
    error: float
    across_um: np.ndarray
    profile: np.ndarray
    sigma_um: float
    tangent_yx: np.ndarray
    saturated: float


def head_light(
    stack: xr.DataArray,
    dendrites: Dendrites,
    branches: Sequence[Sequence[StraightBranch]],
    geometry: SpineGeometry,
    parameters: MeasureParameters,
    imaging: Imaging,
) -> Light:
    """Measure sizes of heads from their light.

    Parameters
    ----------
    stack
        Image ``(z, y, x)``; may be lazy.
    dendrites
        Dendrites on the same grid.
    branches
        Branches of each dendrite, without the places of the ROIs.
    geometry
        Where the spines are.
    parameters
        ``psf_xy_um``. Without it the blur is that of the smallest heads, if there are 50.
    imaging
        How the stack was taken.

    Returns
    -------
    Light
        Values and the reasons for those that are missing.
    """
    shafts, windows, fits = _measured(stack, dendrites, branches, geometry, parameters, imaging)
    return _sizes(fits, windows, shafts, imaging, parameters)


def spot_light(
    stack: xr.DataArray,
    dendrites: Dendrites,
    branches: Sequence[Sequence[StraightBranch]],
    geometry: SpineGeometry,
    parameters: MeasureParameters,
    imaging: Imaging,
) -> tuple[np.ndarray, np.ndarray]:
    """Measure the light at places, as :func:`head_light` does, whether or not there is any.

    Returns
    -------
    tuple of numpy.ndarray
        Light in µm of shaft and its standard error, float64, shape ``(n,)``; NaN where it cannot be measured.
    """
    shafts, _, fits = _measured(stack, dendrites, branches, geometry, parameters, imaging)
    value, error = _averaged(fits, *_best_sigmas(fits.misfit))
    per_um = np.array([shaft.per_um if shaft else np.nan for shaft in shafts])
    shaft_error = np.array([shaft.error if shaft else np.nan for shaft in shafts])
    return _per_shaft(value, error, per_um, shaft_error)


def _per_shaft(value: np.ndarray, error: np.ndarray, per_um: np.ndarray, shaft_error: np.ndarray
               ) -> tuple[np.ndarray, np.ndarray]:
    """Light of heads in µm of shaft, and its error."""
    relative = value / per_um
    return relative, np.hypot(error / per_um, relative * np.hypot(shaft_error, MODEL_ERROR))


def _measured(
    stack: xr.DataArray, dendrites: Dendrites, branches: Sequence[Sequence[StraightBranch]], geometry: SpineGeometry,
    parameters: MeasureParameters, imaging: Imaging,
) -> tuple[list[_Shaft | None], list[_Window | None], _Fits]:
    shafts = _shafts(branches, geometry)
    windows = _windows(stack, dendrites, geometry, shafts, imaging)
    return shafts, windows, _fitted(windows, imaging, parameters.psf_xy_um or USUAL_PSF_XY_UM)


def _shafts(branches: Sequence[Sequence[StraightBranch]], geometry: SpineGeometry) -> list[_Shaft | None]:
    shafts: list[_Shaft | None] = [None] * len(geometry)
    for spine in np.flatnonzero(geometry.dendrite_id > 0):
        own, axis = branches[geometry.dendrite_id[spine] - 1], geometry.axis_zyx_um[spine]
        if not np.isfinite(axis).all() or not own:
            continue
        away = [((branch.zyx_um - axis) ** 2).sum(axis=1) for branch in own]
        branch = int(np.argmin([distance.min() for distance in away]))
        shafts[spine] = _shaft_beside(own[branch], int(away[branch].argmin()))
    return shafts


def _shaft_beside(branch: StraightBranch, row: int) -> _Shaft | None:
    """Light of the shaft on both sides of a spine, without other spines."""
    apart = np.abs(branch.position_um - branch.position_um[row])
    rows = np.flatnonzero((apart >= SHAFT_NEAR_UM) & (apart <= SHAFT_FAR_UM))
    if len(rows) < FEWEST_SLICES:
        return None
    light = branch.own_light[rows]
    across, step = branch.across_um, branch.across_um[1] - branch.across_um[0]
    known = np.isfinite(light)
    counts = known.sum(axis=0)
    if (counts[np.abs(across) <= KNOWN_ACROSS_UM] < FEWEST_SLICES).any():
        return None
    column = np.where(counts > 0, np.nansum(light, axis=0) / np.maximum(counts, 1), np.nan)
    sigma, base, _ = gaussian_width(across, column)
    if not sigma > 0:
        return None
    half = 2.5 * sigma + step
    inside = np.abs(across) <= half
    complete = known[:, inside].mean(axis=1) >= 0.8
    if complete.sum() < FEWEST_SLICES:
        return None
    filled = np.where(known, light, column)[complete][:, inside] - base
    slices = np.sort(filled.sum(axis=1) * step)
    quarter = len(slices) // 4
    slant = np.hypot(branch.tangent_zyx[rows, 1], branch.tangent_zyx[rows, 2]).mean()
    per_um = float(slices[quarter:len(slices) - quarter].mean() * slant)
    spread = float((np.percentile(slices, 75) - np.percentile(slices, 25)) / 1.349 * slant)
    independent = max(len(slices) * step / SLICE_CORRELATION_UM, 1.0)
    if per_um <= 0:
        return None
    return _Shaft(per_um=per_um, error=spread / np.sqrt(independent) / per_um,
                  across_um=across, profile=np.nan_to_num(column - base), sigma_um=sigma,
                  tangent_yx=branch.tangent_zyx[row, 1:],
                  saturated=float(branch.saturated[rows][:, inside].mean()))


@dataclass(frozen=True, eq=False)
class _Window:
    """The image around a head in focus: pixels that are free, their places from its middle, their noise."""

    yx_um: np.ndarray
    light: np.ndarray
    variance: np.ndarray
    shaft: np.ndarray
    shaft_per_um: float
    neck_yx_um: np.ndarray
    others_yx_um: np.ndarray
    planes_um: np.ndarray
    covered: float
    saturated: float


def _windows(
    stack: xr.DataArray, dendrites: Dendrites, geometry: SpineGeometry, shafts: list[_Shaft | None], imaging: Imaging
) -> list[_Window | None]:
    voxel, noise, focus, top = imaging.voxel_um, imaging.noise, imaging.focus, imaging.top
    count = len(geometry)
    known = np.isfinite(geometry.head_zyx_um).all(axis=1)
    head = np.where(known[:, None], geometry.head_zyx_um, 0.0) / voxel
    reach = int(np.ceil(WINDOW_UM / voxel[1]))
    shape = stack.shape
    middle = np.rint(head).astype(np.int64)
    low = np.clip(middle[:, 1:] - reach, 0, shape[1:])
    high = np.clip(middle[:, 1:] + reach + 1, 0, shape[1:])
    usable = known & (high > low).all(axis=1)
    raw = [np.zeros(tuple(size)) for size in np.maximum(high - low, 0)]
    full, looked = np.zeros(count), np.zeros(count)
    squares, fadings = np.zeros(count), np.zeros(count)
    planes_um: list[list[float]] = [[] for _ in range(count)]
    rows = np.flatnonzero(usable)
    for z, chosen in rows_of_planes(head[rows, 0], max(DEPTH_UM / voxel[0], 0.5), shape[0]):
        plane = stack.variable[z].values
        for spine in rows[chosen]:
            box = (slice(low[spine, 0], high[spine, 0]), slice(low[spine, 1], high[spine, 1]))
            away = float((z - head[spine, 0]) * voxel[0])
            fading = float(focus.fading(np.array(away)))
            values = plane[box].astype(np.float64)
            raw[spine] += fading * values
            squares[spine] += fading ** 2
            fadings[spine] += fading
            planes_um[spine].append(away)
            core = _near(middle[spine, 1:], low[spine], values.shape, voxel[1:], 0.4)
            full[spine] += (values[core] >= top).sum()
            looked[spine] += core.sum()
    windows: list[_Window | None] = [None] * count
    for spine in rows:
        windows[spine] = _window(
            int(spine), (raw[spine] - noise.level * fadings[spine]) / squares[spine], raw[spine] / fadings[spine],
            squares[spine], np.array(planes_um[spine]), full[spine] / max(looked[spine], 1), low[spine], head[spine],
            geometry, shafts[spine], dendrites, voxel, noise)
    return windows


def _near(
    middle: np.ndarray, low: np.ndarray, shape: tuple[int, ...], pixel: np.ndarray, reach_um: float
) -> np.ndarray:
    y, x = np.ogrid[:shape[0], :shape[1]]
    return np.asarray(np.hypot((y + low[0] - middle[0]) * pixel[0], (x + low[1] - middle[1]) * pixel[1]) <= reach_um)


def _window(
    spine: int, light: np.ndarray, raw: np.ndarray, squares: float, planes_um: np.ndarray,
    saturated: float, low: np.ndarray, head: np.ndarray, geometry: SpineGeometry, shaft: _Shaft | None,
    dendrites: Dendrites, voxel: np.ndarray, noise: Noise
) -> _Window:
    y, x = np.mgrid[:light.shape[0], :light.shape[1]]
    places = np.stack([(y + low[0] - head[1]) * voxel[1], (x + low[1] - head[2]) * voxel[2]], axis=-1)
    z = int(np.clip(np.rint(head[0]), 0, dendrites.runs.shape[0] - 1))
    box = (slice(z, z + 1), slice(int(low[0]), int(low[0]) + light.shape[0]),
           slice(int(low[1]), int(low[1]) + light.shape[1]))
    blocked = dendrites.labels_in(box)[0] > 0
    if blocked.any():
        blocked = distance_transform_edt(blocked, sampling=voxel[1:]) > INTO_SHAFT_UM
    away = np.hypot(places[..., 0], places[..., 1])
    inside = away <= WINDOW_UM
    core = away <= CORE_UM
    covered = float(blocked[core].mean()) if core.any() else 1.0
    free = inside & ~(blocked & (covered <= LITTLE_COVERED))
    beside = np.zeros(light.shape)
    if shaft is not None:
        tangent = geometry.tangent_zyx[spine, 1:]
        flat = max(float(np.hypot(*tangent)), 1e-9)
        axis = (geometry.axis_zyx_um[spine, 1:] - geometry.head_zyx_um[spine, 1:])
        across = ((places[..., 0] - axis[0]) * tangent[1] - (places[..., 1] - axis[1]) * tangent[0]) / flat
        beside = np.interp(across, shaft.across_um, shaft.profile, left=0, right=0)
    apart = geometry.head_zyx_um - geometry.head_zyx_um[spine]
    flat = np.hypot(apart[:, 1], apart[:, 2])
    near = np.flatnonzero((flat < WINDOW_UM + 0.4) & (np.abs(apart[:, 0]) < OTHERS_DEPTH_UM))
    others = apart[near[near != spine], 1:][np.argsort(flat[near[near != spine]])[:MOST_OTHERS]]
    to_base = geometry.base_zyx_um[spine, 1:] - geometry.head_zyx_um[spine, 1:]
    length = float(np.hypot(*to_base))
    steps_um = np.arange(NECK_ENDS_UM, length, NECK_STEP_UM) if np.isfinite(length) else np.empty(0)
    neck = steps_um[:, None] * to_base / max(length, 1e-9)
    smooth = uniform_filter(raw, 3, mode="nearest")
    variance = noise.variance(smooth) / squares + (SHAFT_ERROR * beside) ** 2
    return _Window(yx_um=places[free], light=light[free], variance=variance[free], shaft=beside[free],
                   shaft_per_um=shaft.per_um if shaft else 0.0, neck_yx_um=neck, others_yx_um=others,
                   planes_um=planes_um, covered=covered, saturated=saturated)


@dataclass(frozen=True, eq=False)
class _Fits:
    """Spots fitted to heads, for each of the tried sizes: light and its variance (grey level × µm²), misfit."""

    light: np.ndarray
    variance: np.ndarray
    misfit: np.ndarray


def _fitted(windows: list[_Window | None], imaging: Imaging, psf_xy_um: float) -> _Fits:
    focus = imaging.focus
    shape = (len(windows), len(SIGMAS_UM))
    light, variance, misfit = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    for row, window in enumerate(windows):
        if window is None or len(window.light) < 20 or window.covered > MOST_COVERED:
            continue
        fading = focus.fading(window.planes_um)
        defocus = (psf_xy_um / FWHM_PER_SIGMA) ** 2 * (window.planes_um / focus.range_um) ** 2
        light[row], variance[row], misfit[row] = _fit_spots(
            window.yx_um, window.light, 1 / window.variance, window.shaft, window.shaft_per_um, window.neck_yx_um,
            window.others_yx_um, fading ** 2 / (fading ** 2).sum(), defocus,
            imaging.smear_um2, SIGMAS_UM, imaging.noise.excess)
    return _Fits(light, variance, misfit)


@compiled
def _spot(yx, middle, shares, defocus, smear, sigma, slopes):  # type: ignore[no-untyped-def]  # numba types
    """A spot of unit light at each place; with its slopes along y and x if asked for."""
    values = np.zeros((3 if slopes else 1, len(yx)))
    for plane in range(len(shares)):
        wide_y = sigma * sigma + defocus[plane]
        wide_x = wide_y + smear
        height = shares[plane] / (2 * np.pi * np.sqrt(wide_y * wide_x))
        for i in range(len(yx)):
            dy, dx = yx[i, 0] - middle[0], yx[i, 1] - middle[1]
            value = height * np.exp(-0.5 * (dy * dy / wide_y + dx * dx / wide_x))
            values[0, i] += value
            if slopes:
                values[1, i] += value * dy / wide_y
                values[2, i] += value * dx / wide_x
    return values


@compiled
def _solved(columns, light, weights, prior, prior_weights):  # type: ignore[no-untyped-def]  # numba types
    """Weighted least squares with priors: coefficients, covariance, misfit."""
    count = len(columns)
    matrix, right = np.zeros((count, count)), np.zeros(count)
    for one in range(count):
        right[one] = (columns[one] * weights * light).sum() + prior[one] * prior_weights[one]
        for other in range(one + 1):
            matrix[one, other] = matrix[other, one] = (columns[one] * columns[other] * weights).sum()
        matrix[one, one] += prior_weights[one] + 1e-12
    inverse = np.linalg.inv(matrix)
    found = inverse @ right
    left = light.copy()
    for one in range(count):
        left -= found[one] * columns[one]
    misfit = (left * left * weights).sum() + ((found - prior) ** 2 * prior_weights).sum()
    return found, inverse, misfit


@compiled
def _fit_spots(  # type: ignore[no-untyped-def]  # numba types
    yx, light, weights, shaft, shaft_per_um, neck_places, others, shares, defocus, smear, sigmas, excess
):
    """Light of a spot of each size, its variance and the misfit; the spot's place is fitted at a middle size."""
    middle = np.zeros(2)
    start = sigmas[len(sigmas) // 2]
    neck = np.zeros(len(light))
    for place in neck_places:
        spot = _spot(yx, place, shares, defocus, smear, sigmas[len(sigmas) // 3], False)[0]
        neck += NECK_STEP_UM * shaft_per_um * spot
    even = np.ones(len(light))
    # Of head, shaft, level, neck, other heads, and shifts of the head along y and x.
    fixed = 4 + len(others)
    columns = np.zeros((fixed + 2, len(light)))
    columns[1], columns[2], columns[3] = shaft, even, neck
    prior, prior_weights = np.zeros(fixed + 2), np.zeros(fixed + 2)
    prior[1], prior_weights[1] = 1.0, excess / SHAFT_FACTOR_SD ** 2
    prior[3], prior_weights[3] = NECK_PER_SHAFT, excess / NECK_PER_SHAFT_SD ** 2
    for i in range(len(others)):
        columns[4 + i] = shaft_per_um * _spot(yx, others[i], shares, defocus, smear, start, False)[0]
        prior[4 + i], prior_weights[4 + i] = OTHER_PER_SHAFT_UM, excess / OTHER_PER_SHAFT_UM ** 2
    prior_weights[fixed:] = excess / PLACE_SD_UM ** 2
    size = 0.0  # light of the head; it has to be known before shifts are
    for _ in range(4):
        spots = _spot(yx, middle, shares, defocus, smear, start, True)
        columns[0], columns[fixed], columns[fixed + 1] = spots[0], size * spots[1], size * spots[2]
        prior[fixed:] = -middle
        found = _solved(columns, light, weights, prior, prior_weights)[0]
        if found[0] <= 0:
            break
        if size > 0:
            middle = middle + found[fixed:]
            far = np.sqrt((middle ** 2).sum())
            if far > FARTHEST_SHIFT_UM:
                middle = middle * (FARTHEST_SHIFT_UM / far)
        size = found[0]
    count = len(sigmas)
    lights, variances, misfits = np.empty(count), np.empty(count), np.empty(count)
    for i in range(count):
        columns[0] = _spot(yx, middle, shares, defocus, smear, sigmas[i], False)[0]
        found, covariance, misfit = _solved(columns[:fixed], light, weights, prior[:fixed], prior_weights[:fixed])
        lights[i], variances[i], misfits[i] = found[0], covariance[0, 0], misfit
    # Noise that runs along rows is averaged less than its pixels are many; a misfit beyond it makes errors larger.
    beyond = max(misfits.min() / max(len(light) - 6, 1), 1.0) * excess
    return lights, variances * beyond, misfits / beyond


def _sizes(
    fits: _Fits, windows: list[_Window | None], shafts: list[_Shaft | None], imaging: Imaging,
    parameters: MeasureParameters,
) -> Light:
    sigma, sigma_error = _best_sigmas(fits.misfit)
    value, error = _averaged(fits, sigma, sigma_error)
    dim = ~(value > SEEN * error) & np.isfinite(value)
    saturated = np.array([np.nan if window is None else max(window.saturated, shaft.saturated if shaft else 0.0)
                          for window, shaft in zip(windows, shafts, strict=True)])
    full = saturated > MOST_SATURATED
    unusable = full | dim
    per_um = np.array([shaft.per_um if shaft else np.nan for shaft in shafts])
    shaft_error = np.array([shaft.error if shaft else np.nan for shaft in shafts])
    relative, relative_error = (np.where(unusable, np.nan, each)
                                for each in _per_shaft(value, error, per_um, shaft_error))
    fwhm = np.where(dim, np.nan, sigma * FWHM_PER_SIGMA)
    psf_um = parameters.psf_xy_um
    if psf_um is None:
        good = fwhm[np.isfinite(fwhm) & ~full]
        psf_um = float(np.percentile(good, 10)) if len(good) >= FEWEST_FOR_CALIBRATION else np.nan
    psf = psf_um / FWHM_PER_SIGMA
    with np.errstate(invalid="ignore"):
        wider = sigma ** 2 - psf ** 2
        wider_error = 2 * sigma * sigma_error
        resolved = (wider >= wider_error) & (wider > 0)
        diameter = np.where(resolved & ~unusable, 2 * np.sqrt(5 * np.where(resolved, wider, np.nan)), np.nan)
        # d² = 20 (σ² − σ_psf²)
        diameter_error = np.where(np.isfinite(diameter), np.hypot(10 * wider_error / diameter, DIAMETER_MODEL_ERROR_UM),
                                  np.nan)
        radius = np.array([tube_radius_um(shaft.sigma_um, imaging.blur_across_um(psf_um, shaft.tangent_yx))
                           if shaft else np.nan for shaft in shafts])
        thick = radius >= SMALLEST_SHAFT * psf
        volume = np.where(thick, relative * np.pi * radius ** 2, np.nan)
    covered = np.array([window is not None and window.covered > MOST_COVERED for window in windows], dtype=bool)
    uncalibrated = np.full(len(windows), np.isnan(psf))
    return Light(
        columns={"head_fwhm_um": fwhm, "head_diameter_um": diameter, "head_diameter_se_um": diameter_error,
                 "volume_relative": relative, "volume_relative_se": relative_error, "volume_intensity_um3": volume,
                 "saturated_fraction": saturated},
        reasons={"saturated": full, "low signal": dim, "above or below shaft": covered,
                 "no calibration": uncalibrated,
                 "below resolution": ~resolved & ~unusable & np.isfinite(sigma) & ~uncalibrated,
                 "thin shaft": ~thick & np.isfinite(relative) & ~uncalibrated})


def _best_sigmas(misfit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Size of the spot with the least misfit, between those that were tried, and its standard error."""
    best, error = np.full(len(misfit), np.nan), np.full(len(misfit), np.nan)
    step = np.log(SIGMAS_UM[1] / SIGMAS_UM[0])
    for row in np.flatnonzero(np.isfinite(misfit).all(axis=1)):
        at = int(np.clip(np.argmin(misfit[row]), 1, len(SIGMAS_UM) - 2))
        before, here, after = misfit[row, at - 1:at + 2]
        bend = before - 2 * here + after
        if bend <= 0:
            continue
        shift = float(np.clip(0.5 * (before - after) / bend, -1, 1))
        best[row] = SIGMAS_UM[at] * np.exp(shift * step)
        error[row] = best[row] * step * np.sqrt(2 / bend)
    return best, error


def _averaged(fits: _Fits, sigma: np.ndarray, sigma_error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Light of each head and its error, over sizes as probable as its fit and the sizes of the stack's heads say."""
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = sigma_error / sigma
        good = relative < 0.5
    logs = np.log(SIGMAS_UM)
    middle, spread = np.log(0.24), 0.25
    if good.sum() >= 10:
        middle = float(np.median(np.log(sigma[good])))
        low, high = np.percentile(np.log(sigma[good]), [16, 84])
        spread = float(np.sqrt(max(((high - low) / 2) ** 2 - np.median(relative[good]) ** 2, 0.05 ** 2)))
    chance = np.exp(-0.5 * (fits.misfit - fits.misfit.min(axis=1, keepdims=True))
                    - 0.5 * ((logs - middle) / spread) ** 2)
    chance = chance / chance.sum(axis=1, keepdims=True)
    value = (chance * fits.light).sum(axis=1)
    variance = (chance * (fits.variance + (fits.light - value[:, None]) ** 2)).sum(axis=1)
    return value, np.sqrt(variance)
