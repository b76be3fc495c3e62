"""Variation of training samples: geometry in one interpolation, grey levels on the range 0 to 1.

A :class:`Geometry` is drawn first; :func:`cut` then reads image and masks from the stack
through it. Rotated and deformed samples therefore show what really lies beside the window
and mirror the stack only at its own border.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from deepd3_ij.compiled import compiled
from deepd3_ij.parameters import AugmentationParameters
from deepd3_ij.scan_motion import draw_motion

DENDRITE, SPINE, NO_DENDRITE, NO_SPINE = 1, 2, 4, 8
"""Bits of the two masks in a mask volume."""

Array32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of a sample lie in the stack.

    Attributes
    ----------
    matrix
        float64, shape (2, 2); a step (y, x) in the sample is ``matrix @ step`` in the stack.
    displacement_px
        float32, shape ``(2, height, width)``; added to (y, x) in the stack. Empty, of shape
        ``(2, 0, 0)``, for none.
    shift_px
        float64, shape ``(planes, 2)``; added to (y, x) plane by plane.
    flip_z
        Take the planes in reverse order.
    motion_px
        float64, shape ``(2, planes, height)``, along y and x: how far the specimen is from its place while a line
        of the sample is scanned, as :func:`deepd3_ij.scan_motion.draw_motion` gives it. Empty, of shape
        ``(2, 0, 0)``, for a specimen at rest.
    """

    matrix: npt.NDArray[np.float64]
    displacement_px: Array32
    shift_px: npt.NDArray[np.float64]
    flip_z: bool
    motion_px: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((2, 0, 0)))


def unchanged(planes: int) -> Geometry:
    """Give the geometry of a sample that is cut as it lies in the stack."""
    return Geometry(np.eye(2), np.empty((2, 0, 0), np.float32), np.zeros((planes, 2)), False)


def draw_geometry(
    size: tuple[int, int, int], parameters: AugmentationParameters, random: np.random.Generator
) -> Geometry:
    """Draw flips, turns, rotation, zoom, elastic deformation, drift and motion.

    The specimen is turned, zoomed and deformed first and scanned then: whatever its turn, it moves from line to line
    of the sample, as stacks are scanned line by line. All else is drawn alike whether it moves or not.

    Parameters
    ----------
    size
        Shape of the sample, ``(z, y, x)``.
    parameters
        Probabilities and strengths.
    random
        Source of the random numbers.
    """
    planes, height, width = size
    chance = random.random(9)
    matrix = np.eye(2)
    if chance[0] < parameters.flip_probability:
        matrix = np.array([[-1.0, 0.0], [0.0, 1.0]]) @ matrix
    if chance[1] < parameters.flip_probability:
        matrix = np.array([[1.0, 0.0], [0.0, -1.0]]) @ matrix
    if chance[3] < parameters.turn_probability:
        quarters = 1 + int(3 * chance[4]) if height == width else 2
        matrix = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), quarters) @ matrix
    if chance[5] < parameters.rotation_probability:
        angle = math.radians(random.uniform(-parameters.rotation_deg, parameters.rotation_deg))
        cosine, sine = math.cos(angle), math.sin(angle)
        matrix = np.array([[cosine, -sine], [sine, cosine]]) @ matrix
    if chance[6] < parameters.zoom_probability:
        matrix = matrix * _factor(parameters.zoom, random)
    displacement = np.empty((2, 0, 0), np.float32)
    if chance[7] < parameters.elastic_probability:
        displacement = _elastic(height, width, parameters.elastic_px, parameters.elastic_spacing_px, random)
    shift = np.zeros((planes, 2))
    if planes > 1 and chance[8] < parameters.drift_probability:
        shift = np.cumsum(random.normal(0, parameters.drift_px, (planes, 2)), axis=0)
        shift -= shift.mean(axis=0)
    flip_z = planes > 1 and bool(chance[2] < parameters.flip_probability)
    return Geometry(matrix, displacement, shift, flip_z, _motion(planes, height, parameters, random))


def _motion(planes: int, lines: int, parameters: AugmentationParameters, random: np.random.Generator
            ) -> npt.NDArray[np.float64]:
    """Draw the sway and twitches of lines; jumps of whole planes are the drift."""
    if parameters.motion_probability > 0:
        apart = random.spawn(1)[0]
        if apart.random() < parameters.motion_probability:
            return draw_motion(apart, planes, lines, 0.0, apart.uniform(0, parameters.motion_px))
    return np.empty((2, 0, 0))


def _factor(largest_change: float, random: np.random.Generator) -> float:
    limit = math.log1p(largest_change)
    return math.exp(random.uniform(-limit, limit))


def _elastic(height: int, width: int, rms_px: float, spacing_px: float, random: np.random.Generator) -> Array32:
    """Draw a smooth displacement: a cubic B-spline surface over random control points.

    Free-form deformation after Rueckert et al., IEEE Trans. Med. Imaging 18 (1999), as used for
    training by Ronneberger, Fischer and Brox, MICCAI 2015.
    """
    rows, columns = _spline_weights(height, spacing_px), _spline_weights(width, spacing_px)
    control = random.standard_normal((2, rows.shape[1], columns.shape[1]), dtype=np.float32)
    # The variance of a spline surface over unit-variance control points, averaged over a cell,
    # is (151/315) squared.
    control *= np.float32(rms_px * 315 / 151)
    return np.asarray(rows @ control @ columns.T, np.float32)


@lru_cache(maxsize=16)
def _spline_weights(length: int, spacing_px: float) -> Array32:
    at = np.arange(length) / spacing_px
    cell = at.astype(int)
    t = at - cell
    weights = np.zeros((length, int(cell[-1]) + 4), np.float32)
    basis = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    for offset, value in enumerate(basis):
        weights[np.arange(length), cell + offset] = value / 6
    return weights


def cut(
    image: Array32,
    masks: npt.NDArray[np.uint8],
    origin_zyx: tuple[int, int, int],
    geometry: Geometry,
    out: tuple[Array32, Array32, Array32],
) -> None:
    """Read one sample from a stack.

    The image is interpolated bilinearly in each plane; a mask has the value of the nearest
    voxel. Outside of the stack its mirror image is read.

    Parameters
    ----------
    image
        float32, shape ``(z, y, x)``.
    masks
        uint8 of the same shape, bits :data:`DENDRITE`, :data:`SPINE`, and :data:`NO_DENDRITE`, :data:`NO_SPINE` where
        nobody knows.
    origin_zyx
        First voxel of the window.
    geometry
        How the window is turned, zoomed and deformed about its centre.
    out
        Image, dendrite and spine to be filled, float32 ``(planes, height, width)``; the
        masks are exactly 0 or 1, or −1 where it does not count.
    """
    z, y, x = origin_zyx
    _, height, width = out[0].shape
    _read(image, masks, z, y + (height - 1) / 2, x + (width - 1) / 2, geometry.matrix, geometry.displacement_px,
          geometry.shift_px, geometry.flip_z, geometry.motion_px, *out)


@compiled
def _mirrored(index: int, length: int) -> int:
    if length == 1:
        return 0
    period = 2 * (length - 1)
    index = abs(index) % period
    return min(index, period - index)


@compiled
def _read(image, masks, first_plane, centre_y, centre_x, matrix, displacement, shift, flip_z, motion,  # type: ignore[no-untyped-def]
          out_image, out_dendrite, out_spine) -> None:
    planes, height, width = out_image.shape
    rows, columns = image.shape[1:]
    elastic = displacement.shape[1] > 0
    moves = motion.shape[1] > 0
    for plane in range(planes):
        source = first_plane + (planes - 1 - plane if flip_z else plane)
        grey, mask = image[source], masks[source]
        for row in range(height):
            step_y = row - (height - 1) / 2
            line_x = (width - 1) / 2
            if moves:
                step_y -= motion[0, plane, row]
                line_x += motion[1, plane, row]
            row_y = centre_y + shift[plane, 0] + matrix[0, 0] * step_y
            row_x = centre_x + shift[plane, 1] + matrix[1, 0] * step_y
            for column in range(width):
                step_x = column - line_x
                y = row_y + matrix[0, 1] * step_x
                x = row_x + matrix[1, 1] * step_x
                if elastic:
                    y += displacement[0, row, column]
                    x += displacement[1, row, column]
                top, left = math.floor(y), math.floor(x)
                weight_y, weight_x = np.float32(y - top), np.float32(x - left)
                bottom, right = top + 1, left + 1
                if top < 0 or bottom >= rows:
                    top, bottom = _mirrored(top, rows), _mirrored(bottom, rows)
                if left < 0 or right >= columns:
                    left, right = _mirrored(left, columns), _mirrored(right, columns)
                # Unsigned indices are a third faster: numba makes no code for negative ones.
                y0, y1, x0, x1 = np.uint64(top), np.uint64(bottom), np.uint64(left), np.uint64(right)
                upper = grey[y0, x0] + weight_x * (grey[y0, x1] - grey[y0, x0])
                lower = grey[y1, x0] + weight_x * (grey[y1, x1] - grey[y1, x0])
                out_image[plane, row, column] = upper + weight_y * (lower - upper)
                bits = mask[y0 if weight_y < 0.5 else y1, x0 if weight_x < 0.5 else x1]
                out_dendrite[plane, row, column] = -1 if bits & 4 else bits & 1
                out_spine[plane, row, column] = -1 if bits & 8 else bits >> 1 & 1


def vary_grey_levels(sample: Array32, parameters: AugmentationParameters, random: np.random.Generator) -> None:
    """Blur, change gamma, brightness and contrast, add noise; in place.

    The order is that of a microscope: optics, detector gain, noise, saturation. Grey levels
    below 0 and above 1 are cut off at the end, as a detector does.

    Parameters
    ----------
    sample
        float32 of any shape ``(…, height, width)``, grey levels from 0 to 1 whatever the bit
        depth of the stack was.
    parameters
        Probabilities and strengths.
    random
        Source of the random numbers.
    """
    chance = random.random(4)
    if chance[0] < parameters.blur_probability:
        _blur(sample, random.uniform(0, parameters.blur_px))
    if chance[1] < parameters.gamma_probability:
        np.maximum(sample, 0, out=sample)
        np.power(sample, np.float32(_factor(parameters.gamma, random)), out=sample)
    if chance[2] < parameters.contrast_probability:
        gain = random.uniform(1 - parameters.contrast, 1 + parameters.contrast)
        offset = random.uniform(-parameters.brightness, parameters.brightness)
        sample *= np.float32(gain)
        sample += np.float32(offset)
    if chance[3] < parameters.noise_probability:
        read, shot = random.uniform(0, 1, 2) * (parameters.read_noise, parameters.shot_noise)
        noise = random.standard_normal(sample.shape, dtype=np.float32)
        deviation = np.maximum(sample, 0)
        deviation *= np.float32(shot * shot)
        deviation += np.float32(read * read)
        np.sqrt(deviation, out=deviation)
        noise *= deviation
        sample += noise
    np.clip(sample, 0, 1, out=sample)


def _blur(sample: Array32, sigma_px: float) -> None:
    from scipy.ndimage import gaussian_filter

    gaussian_filter(sample, sigma_px, axes=(-2, -1), mode="mirror", truncate=3, output=sample)
