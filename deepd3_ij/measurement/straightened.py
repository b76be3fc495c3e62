"""Light along and across dendrites: each branch pulled straight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import xarray as xr
from scipy.ndimage import binary_dilation, gaussian_filter1d
from scipy.optimize import minimize_scalar
from scipy.signal import fftconvolve

from deepd3_ij.compiled import compiled
from deepd3_ij.measurement.noise import Noise, full_scale, noise_of
from deepd3_ij.measurement.optics import FWHM_PER_SIGMA, HALF_LIGHT
from deepd3_ij.measurement.sampling import bilinear
from deepd3_ij.measurement.skeleton import CentreLine
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.stack import voxel_size_um

USUAL_PSF_Z_UM = 2.2
STEP_UM = 0.1
HALF_WIDTH_UM = 2.2
DEPTH_UM = 1.0
FREE_OF_ROIS_UM = 0.4
MOST_STEPS = 20_000
HIGHEST_UM = 1.5
ALONG_UM = 1.0
"""How far the light may be above or below a centre line, and over which length it is averaged to see that."""
FEWEST_PLANES = 3
FITTED_UM = 1.6
NARROWEST_UM, WIDEST_UM, WIDTHS = 0.08, 1.2, 100


@dataclass(frozen=True)
class Focus:
    """How light fades with the distance from the plane in focus: 1 / (1 + (distance / range)²)."""

    range_um: float

    def fading(self, away_um: np.ndarray) -> np.ndarray:
        """Share of the light at these distances along z."""
        return 1.0 / (1.0 + (away_um / self.range_um) ** 2)

    def blur_um(self, psf_xy_um: float, z_um: float) -> float:
        """Standard deviation of the blur in light that was put together from the planes near a structure."""
        away = np.arange(-(DEPTH_UM // z_um), DEPTH_UM // z_um + 1) * z_um
        shares = self.fading(away) ** 2
        wider = (shares * (away / self.range_um) ** 2).sum() / shares.sum()
        return float(psf_xy_um / FWHM_PER_SIGMA * np.sqrt(1 + wider))


@dataclass(frozen=True, eq=False)
class Imaging:
    """How a stack was taken.

    Attributes
    ----------
    voxel_um
        Voxel size z, y, x.
    noise
        Its noise.
    top
        Grey level from which on a voxel is saturated.
    focus
        How light fades along z; as with a usual microscope if ``psf_z_um`` is not known.
    """

    voxel_um: np.ndarray
    noise: Noise
    top: float
    focus: Focus

    @classmethod
    def of(cls, stack: xr.DataArray, parameters: MeasureParameters) -> Imaging:
        """Find it out from the stack, and from ``psf_z_um``."""
        focus = Focus((parameters.psf_z_um or USUAL_PSF_Z_UM) / 2 / HALF_LIGHT)
        return cls(np.array(voxel_size_um(stack)), noise_of(stack), full_scale(stack), focus)

    @property
    def smear_um2(self) -> float:
        """What the smear along rows adds to the squared widths along x."""
        return float(self.noise.smear_variance_px2 * self.voxel_um[2] ** 2)

    def blur_across_um(self, psf_xy_um: float, tangent_yx: np.ndarray) -> float:
        """Standard deviation of blur and smear in light that was put together, across a branch of this direction."""
        across_x = tangent_yx[0] ** 2 / max((tangent_yx ** 2).sum(), 1e-9)
        return float(np.sqrt(self.focus.blur_um(psf_xy_um, float(self.voxel_um[0])) ** 2 + self.smear_um2 * across_x))


@dataclass(frozen=True, eq=False)
class StraightBranch:
    """A branch pulled straight: rows along it, columns across it in the plane.

    Attributes
    ----------
    zyx_um, tangent_zyx, position_um
        Points of the centre line every 0.1 µm, its direction there, and the length along the tree.
    across_um
        Distance of the columns from the line; positive to the side ``(y, x) = (tangent_x, −tangent_y)``.
    light
        Grey levels above that without light, in focus, float32, ``(rows, columns)``: planes near the line weighted so
        that a structure in the line's height shows its light in its own plane; NaN outside of the image.
    free
        bool, same shape: no ROI within 0.4 µm.
    saturated
        bool, same shape.
    """

    zyx_um: np.ndarray
    tangent_zyx: np.ndarray
    position_um: np.ndarray
    across_um: np.ndarray
    light: np.ndarray
    free: np.ndarray
    saturated: np.ndarray

    @cached_property
    def own_light(self) -> np.ndarray:
        """Light without spines, float64: what a ROI covers is taken from the other side; NaN where neither is free."""
        light = np.where(self.free, self.light.astype(np.float64), np.nan)
        return np.where(np.isfinite(light), light, light[:, ::-1])


def straight_branches(
    line: CentreLine, stack: xr.DataArray, rois: xr.DataArray | None, imaging: Imaging
) -> list[StraightBranch]:
    """Pull the branches of a centre line straight.

    Parameters
    ----------
    line
        Centre line, µm from the centre of the volume's first voxel.
    stack
        Image ``(z, y, x)``; may be lazy.
    rois
        Label volume of the ROIs on the same grid.
    imaging
        How the stack was taken.

    Returns
    -------
    list of StraightBranch
        In the order of the branches; those of a single point are left out.
    """
    starts = line.branch_starts
    across = np.arange(-round(HALF_WIDTH_UM / STEP_UM), round(HALF_WIDTH_UM / STEP_UM) + 1) * STEP_UM
    branches = []
    for begin, end in zip(starts, np.append(starts[1:], len(line.zyx_um)), strict=True):
        points, position = line.zyx_um[begin:end], line.position_um[begin:end]
        if end - begin < 2 or position[-1] - position[0] < STEP_UM:
            continue
        count = min(int((position[-1] - position[0]) / STEP_UM) + 1, MOST_STEPS)
        even = np.linspace(position[0], position[-1], count)
        zyx = np.stack([np.interp(even, position, column) for column in points.T], axis=1)
        tangent = np.gradient(zyx, axis=0) if count > 1 else np.diff(points[[0, -1]], axis=0)
        tangent = tangent / np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
        zyx[:, 0] += _lift_um(zyx, tangent, stack, imaging)
        light, taken, saturated = _sampled(zyx, tangent, across, stack, rois, imaging)
        reach = round(FREE_OF_ROIS_UM / STEP_UM)
        near = binary_dilation(taken, np.ones((2 * reach + 1, 2 * reach + 1), dtype=bool)) if taken.any() else taken
        branches.append(StraightBranch(zyx, tangent, even, across, light, ~near, saturated))
    return branches


def _lift_um(zyx: np.ndarray, tangent: np.ndarray, stack: xr.DataArray, imaging: Imaging) -> np.ndarray:
    """How far the light of a dendrite is above its centre line, which may lie anywhere in what is blurred along z."""
    voxel_um, focus = imaging.voxel_um, imaging.focus
    lifts = np.arange(-HIGHEST_UM, HIGHEST_UM + STEP_UM / 2, STEP_UM)
    if len(stack) < FEWEST_PLANES:
        return np.zeros(len(zyx))
    across = np.arange(-3, 4) * STEP_UM
    places = _places(zyx, tangent, across, voxel_um)
    matched, squares = np.zeros((len(zyx), len(lifts))), np.zeros((len(zyx), len(lifts)))
    height = zyx[:, 0] / voxel_um[0]
    for z, rows in rows_of_planes(height, HIGHEST_UM / voxel_um[0] + 1, len(stack)):
        values = _read(stack.variable[z].values, places[rows], np.inf)[0] - imaging.noise.level
        values = np.nan_to_num(values).mean(axis=1)
        fading = focus.fading(z * voxel_um[0] - zyx[rows, :1] - lifts)
        matched[rows] += fading * values[:, None]
        squares[rows] += fading ** 2
    wide = ALONG_UM / STEP_UM
    likeness = gaussian_filter1d(matched, wide, axis=0, mode="nearest") / np.sqrt(
        gaussian_filter1d(squares, wide, axis=0, mode="nearest"))
    highest = (len(stack) - 1) * voxel_um[0]
    likeness[(zyx[:, :1] + lifts < 0) | (zyx[:, :1] + lifts > highest)] = -np.inf
    return gaussian_filter1d(lifts[likeness.argmax(axis=1)], wide, mode="nearest")


def _places(zyx: np.ndarray, tangent: np.ndarray, across: np.ndarray, voxel_um: np.ndarray) -> np.ndarray:
    """Rows and columns of the image on lines across a branch, in the plane, float64, ``(points, across, 2)``."""
    flat = np.maximum(np.hypot(tangent[:, 1], tangent[:, 2]), 1e-9)
    normal = np.stack([tangent[:, 2], -tangent[:, 1]], axis=1) / flat[:, None]
    return np.ascontiguousarray((zyx[:, None, 1:] + across[None, :, None] * normal[:, None]) / voxel_um[1:])


def _sampled(
    zyx: np.ndarray, tangent: np.ndarray, across: np.ndarray, stack: xr.DataArray, rois: xr.DataArray | None,
    imaging: Imaging,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Light in focus, places with ROIs, saturated places; plane by plane."""
    voxel_um, focus = imaging.voxel_um, imaging.focus
    places = _places(zyx, tangent, across, voxel_um)
    shape = places.shape[:2]
    total, taken, saturated = np.zeros(shape), np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    squares = np.zeros(len(zyx))
    height = zyx[:, 0] / voxel_um[0]
    for z, rows in rows_of_planes(height, max(DEPTH_UM / voxel_um[0], 0.5), len(stack)):
        fading = focus.fading((z - height[rows]) * voxel_um[0])
        plane = stack.variable[z].values
        values, full = _read(plane, places[rows], imaging.top)
        total[rows] += fading[:, None] * (values - imaging.noise.level)
        saturated[rows] |= full
        squares[rows] += fading ** 2
        if rois is not None:
            indices = np.clip(places[rows].round().astype(np.int64), 0, np.array(plane.shape) - 1)
            taken[rows] |= rois.variable[z].values[indices[..., 0], indices[..., 1]] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        light = total / squares[:, None]
    return light.astype(np.float32), taken, saturated


def rows_of_planes(height: np.ndarray, reach: float, planes: int) -> list[tuple[int, np.ndarray]]:
    """Each plane, and the points that are within a reach (in planes) of it, or as near as any plane is."""
    low = np.ceil(height - reach).astype(np.int64)
    high = np.floor(height + reach).astype(np.int64)
    nearest = np.clip(np.rint(height).astype(np.int64), 0, planes - 1)
    low = np.minimum(np.clip(low, 0, planes - 1), nearest)
    high = np.maximum(np.clip(high, 0, planes - 1), nearest)
    if not len(height):
        return []
    return [(z, rows) for z in range(int(low.min()), int(high.max()) + 1)
            if len(rows := np.flatnonzero((low <= z) & (z <= high)))]


@compiled
def _read(plane, places, top):  # type: ignore[no-untyped-def]  # numba types
    """Values between pixels, NaN outside, and whether the nearest pixel is saturated."""
    values = np.full(places.shape[:2], np.nan)
    full = np.zeros(places.shape[:2], np.bool_)
    height, width = plane.shape
    for row in range(places.shape[0]):
        for column in range(places.shape[1]):
            y, x = places[row, column, 0], places[row, column, 1]
            values[row, column] = bilinear(plane, y, x)
            if 0 <= y <= height - 1 and 0 <= x <= width - 1:
                full[row, column] = plane[int(y + 0.5), int(x + 0.5)] >= top
    return values, full


@compiled
def gaussian_width(across, profile):  # type: ignore[no-untyped-def]  # numba types
    """Fit a Gaussian to a profile across a dendrite.

    Parameters
    ----------
    across
        Distance from the centre line in µm, float64, shape ``(n,)``.
    profile
        Light, float64, shape ``(n,)``; NaN where it is not known.

    Returns
    -------
    tuple of float
        Its standard deviation in µm, the light beside it, and its middle; NaN if there is nothing to fit.
    """
    known = np.isfinite(profile) & (np.abs(across) <= FITTED_UM)
    x, y = across[known], profile[known]
    if len(x) < 6:
        return np.nan, np.nan, np.nan
    best, sigma, base, middle = np.inf, np.nan, np.nan, np.nan
    for shift in range(-3, 4):
        place = shift * STEP_UM
        for step in range(WIDTHS):
            width = NARROWEST_UM * (WIDEST_UM / NARROWEST_UM) ** (step / (WIDTHS - 1))
            shape = np.exp(-0.5 * ((x - place) / width) ** 2)
            centred, light = shape - shape.mean(), y - y.mean()
            height = (centred * light).sum() / (centred * centred).sum()
            misfit = ((light - height * centred) ** 2).sum()
            if height > 0 and misfit < best:
                best, sigma, middle = misfit, width, place
                base = y.mean() - height * shape.mean()
    return sigma, base, middle


def tube_radius_um(sigma_um: float, blur_um: float) -> float:
    """Radius of a tube whose blurred profile is as wide as a Gaussian.

    Parameters
    ----------
    sigma_um
        Standard deviation of the Gaussian that fits the profile (:func:`gaussian_width`).
    blur_um
        That of the blur.

    Returns
    -------
    float
        µm; NaN if the profile is not wider than the blur.
    """
    if not (np.isfinite(blur_um) and sigma_um > blur_um > 0):
        return np.nan
    radii, widths = _widths_of_tubes()
    return float(np.interp(sigma_um / blur_um, widths, radii) * blur_um)


@lru_cache
def _widths_of_tubes() -> tuple[np.ndarray, np.ndarray]:
    """Radii of tubes and the widths at which their profiles appear, both relative to the blur."""
    radii = np.linspace(0.0, 8.0, 41)
    across = np.arange(-14, 14.01, 0.05)
    kernel = np.exp(-0.5 * across ** 2)
    widths = np.ones(len(radii))
    for i, radius in enumerate(radii[1:], start=1):
        chord = np.sqrt(np.maximum(radius ** 2 - across ** 2, 0))
        profile = fftconvolve(chord, kernel, mode="same")

        def misfit(width: float, profile: np.ndarray = profile) -> float:
            shape = np.exp(-0.5 * (across / width) ** 2)
            return float(((profile - (shape @ profile) / (shape @ shape) * shape) ** 2).sum())

        widths[i] = minimize_scalar(misfit, bounds=(0.8, 1 + radius), method="bounded").x
    return radii, np.maximum.accumulate(widths)
