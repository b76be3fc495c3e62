"""The samples of DeepD3 0.3.1's ``DataGeneratorStream``, number for number.

For comparisons with the original only: it draws stacks whatever their size, never draws the
last row and column of windows, scales masks to 0.99999, and its rescaled samples are
interpolated in OpenCV's arithmetic. For training take :class:`deepd3_ij.training.sampler.Sampler`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import AnnotationError
from deepd3_ij.training.augmentation import Array32

MAX_TRIES = 100_000
_FRACTION_BITS = 11


@dataclass(frozen=True)
class TabulatedStack:
    """A stack of a d3set with what the set's table says about it.

    The original draws positions from the table's ``shape`` (z, y, x), which can be smaller than
    the arrays.
    """

    stack: npt.NDArray[Any]
    dendrite: npt.NDArray[Any]
    spines: npt.NDArray[Any]
    shape: tuple[int, int, int]
    xy_um: float


def original_batch(
    stacks: Sequence[TabulatedStack],
    index: int,
    *,
    batch_size: int,
    size: tuple[int, int, int] = (1, 128, 128),
    target_resolution: float | None = None,
    normalize: tuple[float, float] = (-1.0, 1.0),
    min_content: float = 0.0,
    random: np.random.RandomState | None = None,
) -> tuple[Array32, Array32, Array32]:
    """Draw one batch as the original does without augmentation.

    Parameters
    ----------
    stacks
        Stacks in the order of the d3set.
    index
        Number of the batch; it is the seed, as with the original's ``shuffle=False``.
    batch_size
        Number of samples.
    size
        Planes, height and width of a sample.
    target_resolution
        Pixel size in µm to which windows are rescaled; None for none.
    normalize
        Values of the minimum and (nearly) the maximum of each image.
    min_content
        Samples need more than this many foreground pixels of dendrite or of spine; 0 for any.
    random
        Source of random numbers to draw on from, as with the original's ``shuffle=True``.

    Returns
    -------
    tuple
        Image, dendrite and spine, float32 of shape ``(batch_size, h, w)``, or
        ``(batch_size, d, h, w)`` for several planes.

    Raises
    ------
    AnnotationError
        No accepted window in 100,000 tries for one sample (the original tries for ever).
    """
    random = random or np.random.RandomState(index)
    samples = [_sample(stacks, random, size, target_resolution, normalize, min_content) for _ in range(batch_size)]
    image, dendrite, spine = (np.stack(parts) for parts in zip(*samples, strict=True))
    if size[0] == 1:
        return image[:, 0], dendrite[:, 0], spine[:, 0]
    return image, dendrite, spine


def _sample(
    stacks: Sequence[TabulatedStack], random: np.random.RandomState, size: tuple[int, int, int],
    target_resolution: float | None, normalize: tuple[float, float], min_content: float,
) -> tuple[Array32, Array32, Array32]:
    for _ in range(MAX_TRIES):
        source = stacks[random.randint(len(stacks))]
        scaling = 1.0 if target_resolution is None else target_resolution / source.xy_um
        height, width = round(scaling * size[1]), round(scaling * size[2])
        depth, rows, columns = source.shape
        if height > rows or width > columns or size[0] > depth:
            continue
        x = random.randint(columns - width) if columns > width else 0
        y = random.randint(rows - height) if rows > height else 0
        z = random.randint(depth - size[0] + 1)
        window = (slice(z, z + size[0]), slice(y, y + height), slice(x, x + width))
        image, dendrite, spine = source.stack[window], source.dendrite[window], source.spines[window]
        if scaling != 1:
            image = np.stack([_rescaled(plane, size[1], size[2]) for plane in image])
            dendrite, spine = (np.stack([_rescaled(plane.astype(np.uint8), size[1], size[2]) for plane in mask])
                               for mask in (dendrite, spine))
        dendrite, spine = dendrite > 0, spine > 0
        if min_content and max(np.count_nonzero(dendrite), np.count_nonzero(spine)) <= min_content:
            continue
        low, span = float(image.min()), float(image.max()) - float(image.min())
        scaled = (image.astype(np.float32) - low) / (span + 1e-5) * (normalize[1] - normalize[0]) + normalize[0]
        return scaled.astype(np.float32), _nearly_one(dendrite), _nearly_one(spine)
    raise AnnotationError(f"No window of {size} with more than {min_content:g} foreground pixels in {MAX_TRIES} tries; "
                          "take smaller samples, larger stacks or a smaller min_content.")


def _nearly_one(mask: npt.NDArray[np.bool_]) -> Array32:
    scaled: Array32 = (mask / (mask.max() + 1e-5)).astype(np.float32)
    return scaled


def _rescaled(plane: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """Interpolate bilinearly between pixel centres, rounded to the pixel type.

    8-bit planes are computed as OpenCV 4 does on processors with vector instructions: weights
    of 11 bits, and only 7 and then 2 fractional bits kept between the axes, which is visible
    in masks.
    """
    (top, bottom, low_y), (left, right, low_x) = (_neighbours(plane.shape[0], height),
                                                  _neighbours(plane.shape[1], width))
    if plane.dtype != np.uint8:
        values = plane.astype(np.float64)
        rows = values[top] * (1 - low_y)[:, None] + values[bottom] * low_y[:, None]
        result = rows[:, left] * (1 - low_x) + rows[:, right] * low_x
        return result if plane.dtype.kind == "f" else np.rint(result).astype(plane.dtype)
    one = 1 << _FRACTION_BITS
    weight_y, weight_x = (np.rint(low * one).astype(np.int64) for low in (low_y, low_x))
    values = plane.astype(np.int64)
    rows = (values[:, left] * (one - weight_x) + values[:, right] * weight_x) >> 4
    total = ((rows[top] * (one - weight_y)[:, None]) >> 16) + ((rows[bottom] * weight_y[:, None]) >> 16)
    return np.clip((total + 2) >> 2, 0, 255).astype(np.uint8)


def _neighbours(length: int, wanted: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]:
    at = (np.arange(wanted) + 0.5) * length / wanted - 0.5
    first = np.floor(at).astype(np.int64)
    fraction = np.where((first < 0) | (first >= length - 1), 0, at - first)
    first = np.clip(first, 0, length - 1)
    return first, np.minimum(first + 1, length - 1), fraction
