"""Training samples cut from annotated stacks, reproducible sample by sample.

A sample depends on the seed and its number only: not on the order in which samples are asked
for, nor on any global random state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import AnnotationError, remedy
from deepd3_ij.files import d3data
from deepd3_ij.parameters import AugmentationParameters, SamplerParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation.resampling import resample, resampled_shape
from deepd3_ij.training.augmentation import (
    DENDRITE,
    NO_DENDRITE,
    NO_SPINE,
    SPINE,
    Array32,
    cut,
    draw_geometry,
    unchanged,
    vary_grey_levels,
)
from deepd3_ij.training.windows import Windows, all_windows, windows_with_content

RESOLUTION_TOLERANCE = 0.02
"""Relative difference of two voxel sizes that count as the same."""


class AnnotatedStack(Protocol):
    """What the sampler needs of training data, such as :class:`deepd3_ij.files.d3data.D3Data`."""

    @property
    def stack(self) -> npt.NDArray[Any]: ...
    @property
    def dendrite(self) -> npt.NDArray[np.bool_]: ...
    @property
    def spines(self) -> npt.NDArray[np.bool_]: ...
    @property
    def xy_um(self) -> float: ...
    @property
    def z_um(self) -> float: ...


@dataclass(frozen=True)
class Batch:
    """Samples, float32, of shape ``(n, h, w)``, or ``(n, d, h, w)`` for several planes.

    ``image`` spans the sampler's ``low`` to ``high``; ``dendrite`` and ``spine`` are 0 or 1, −1 where it does not
    count.
    """

    image: Array32
    dendrite: Array32
    spine: Array32


@dataclass(frozen=True)
class _Source:
    image: Array32
    masks: npt.NDArray[np.uint8]
    plane_low: Array32
    plane_high: Array32
    windows: Windows


class Sampler:
    """Draws training samples from annotated stacks.

    Parameters
    ----------
    stacks
        Annotated stacks, in any pixel type. They are kept in memory as float32 image and one
        mask volume (5 bytes a voxel), resampled to the target resolution.
    parameters
        Size, number, choice and scaling of samples.
    augmentation
        How samples are varied; None for samples as they lie in the stack.
    progress
        Called for each stack; may raise ``Cancelled``.

    Raises
    ------
    AnnotationError
        No stack is large enough for a sample, no window has the wanted content, shapes of a
        stack and its masks differ, or resolutions are mixed without a target.

    Notes
    -----
    Windows that are accepted are found once in advance, so no sample is ever drawn in vain.
    With ``normalise="tile"`` (the default, which the original also does) a sample is scaled by
    its own minimum and maximum after augmentation; with ``"plane"`` by those of the planes it
    is cut from, as prediction scales whole planes, so that a dim sample stays dim.
    """

    def __init__(
        self,
        stacks: Sequence[AnnotatedStack],
        parameters: SamplerParameters | None = None,
        augmentation: AugmentationParameters | None = None,
        *,
        progress: Progress = no_progress,
    ) -> None:
        self.parameters = parameters or SamplerParameters()
        self.augmentation = augmentation
        self.size = (self.parameters.planes, self.parameters.height_px, self.parameters.width_px)
        if not stacks:
            raise AnnotationError("There is no stack to draw samples from; give at least one annotated stack.")
        _check_resolutions(stacks, self.parameters)
        sources, shapes = [], []
        progress(0, len(stacks), "Preparing stacks")
        for number, stack in enumerate(stacks):
            source = _prepared(stack, number, self.size, self.parameters)
            shapes.append(source.image.shape)
            sources.append(source)
            progress(number + 1, len(stacks), "Preparing stacks")
        self._sources = [source for source in sources if len(source.windows)]
        if not self._sources:
            raise AnnotationError(self._why_no_window(shapes))
        self._ends = np.cumsum([len(source.windows) for source in self._sources])

    def _why_no_window(self, shapes: list[tuple[int, ...]]) -> str:
        wanted = _times(self.size)
        fits = [shape for shape in shapes
                if all(full >= part for full, part in zip(shape, self.size, strict=True))]
        if not fits:
            at = self.parameters.target_resolution_um
            scaled = f" at the target resolution of {at:g} µm" if at else ""
            largest = _times(max(shapes, key=lambda shape: min(shape[1:])))
            return (f"No stack is large enough for a sample of {wanted} (planes × height × width){scaled}; the "
                    f"largest has {largest}. Take smaller samples or larger stacks.")
        return (f"No window of {wanted} has more than {self.parameters.min_content_voxels} voxels of dendrite or of "
                "spine; lower min_content_voxels, take larger samples, or check the masks.")

    @property
    def windows(self) -> int:
        """Number of different windows (before augmentation)."""
        return int(self._ends[-1])

    def samples(self, first: int, count: int) -> Batch:
        """Draw samples ``first`` to ``first + count - 1``."""
        image, dendrite, spine = (np.empty((count, *self.size), np.float32) for _ in range(3))
        for place in range(count):
            self._fill(first + place, image[place], dendrite[place], spine[place])
        if self.size[0] == 1:
            return Batch(image[:, 0], dendrite[:, 0], spine[:, 0])
        return Batch(image, dendrite, spine)

    def _random(self, index: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.parameters.seed, 0, index))))

    def _draw_window(self, random: np.random.Generator) -> tuple[int, tuple[int, int, int]]:
        if self.parameters.stack_choice == "size":
            rank = int(random.integers(self._ends[-1]))
            source = int(np.searchsorted(self._ends, rank, side="right"))
            return source, self._sources[source].windows[rank - int(self._ends[source - 1] if source else 0)]
        source = int(random.integers(len(self._sources)))
        windows = self._sources[source].windows
        return source, windows[int(random.integers(len(windows)))]

    def _fill(self, index: int, image: Array32, dendrite: Array32, spine: Array32) -> None:
        random = self._random(index)
        number, origin = self._draw_window(random)
        source = self._sources[number]
        geometry = (unchanged(self.size[0]) if self.augmentation is None
                    else draw_geometry(self.size, self.augmentation, random))
        cut(source.image, source.masks, origin, geometry, (image, dendrite, spine))
        if self.parameters.normalise == "plane":
            planes = slice(origin[0], origin[0] + self.size[0])
            order = slice(None, None, -1 if geometry.flip_z else 1)
            low = source.plane_low[planes][order, None, None]
            span = source.plane_high[planes][order, None, None] - low
            image -= low
            image *= np.divide(1, span, out=np.zeros_like(span), where=span > 0)
        else:
            _stretch(image)
        if self.augmentation is not None:
            vary_grey_levels(image, self.augmentation, random)
            if self.parameters.normalise == "tile":
                _stretch(image)
        image *= np.float32(self.parameters.high - self.parameters.low)
        image += np.float32(self.parameters.low)


def _stretch(image: Array32) -> None:
    """Scale to 0 … 1 by minimum and maximum, in place; a constant image becomes 0."""
    low = image.min()
    span = image.max() - low
    image -= low
    if span > 0:
        image /= span


def _times(shape: Sequence[int]) -> str:
    return " × ".join(str(length) for length in shape)


def _check_resolutions(stacks: Sequence[AnnotatedStack], parameters: SamplerParameters) -> None:
    checks = [("pixel sizes", [stack.xy_um for stack in stacks], "target_resolution_um",
               parameters.target_resolution_um)]
    if parameters.planes > 1:
        checks.append(("plane distances", [stack.z_um for stack in stacks], "target_z_um", parameters.target_z_um))
    for what, values, name, target in checks:
        smallest, largest = min(values), max(values)
        if not smallest > 0:
            raise AnnotationError(f"One of the {what} is {smallest:g} µm; accepted: more than 0. "
                                  + remedy("Correct it with 'deepd3-ij data show --set'.",
                                           "Create these data again with the right size."))
        if target is None and largest > smallest * (1 + RESOLUTION_TOLERANCE):
            raise AnnotationError(f"The stacks have different {what}, {smallest:g} to {largest:g} µm; give {name}, "
                                  "to which all of them are resampled.")


def _prepared(
    stack: AnnotatedStack, number: int, size: tuple[int, int, int], parameters: SamplerParameters
) -> _Source:
    shapes = {np.shape(array) for array in (stack.stack, stack.dendrite, stack.spines)}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise AnnotationError(
            f"Stack {number} has shape {np.shape(stack.stack)}, its dendrite mask {np.shape(stack.dendrite)}, its "
            f"spine mask {np.shape(stack.spines)}; accepted: one shape (z, y, x) for all three.")
    image, ignored = np.asarray(stack.stack, np.float32), getattr(stack, "ignored", None)
    dendrite, spine = np.asarray(stack.dendrite) > 0, np.asarray(stack.spines) > 0
    depth, *sides = image.shape
    plane_shape = resampled_shape((sides[0], sides[1]), (stack.xy_um, stack.xy_um), parameters.target_resolution_um)
    if parameters.planes > 1 and parameters.target_z_um is not None:
        depth = max(1, round(depth * stack.z_um / parameters.target_z_um))
    if plane_shape is not None or depth != len(image):
        image = _resampled(image, depth, plane_shape)
        dendrite, spine = (_resampled(mask.astype(np.float32), depth, plane_shape) >= 0.5 for mask in (dendrite, spine))
    image = np.ascontiguousarray(image)
    masks = dendrite.astype(np.uint8) * np.uint8(DENDRITE) + spine.astype(np.uint8) * np.uint8(SPINE)
    if ignored is not None:
        no_dendrite, no_spine = (ignored & bit > 0 for bit in (d3data.NO_DENDRITE, d3data.NO_SPINE))
        if no_dendrite.shape != image.shape:
            # A voxel counts only if all that it was made of does.
            no_dendrite, no_spine = (_resampled(mask.astype(np.float32), depth, plane_shape) > 0
                                     for mask in (no_dendrite, no_spine))
        masks += no_dendrite.astype(np.uint8) * np.uint8(NO_DENDRITE) + no_spine.astype(np.uint8) * np.uint8(NO_SPINE)
        dendrite, spine = dendrite & ~no_dendrite, spine & ~no_spine
    if parameters.min_content_voxels:
        windows = windows_with_content((dendrite, spine), size, parameters.min_content_voxels)
    else:
        windows = all_windows(image.shape, size)
    return _Source(image, np.ascontiguousarray(masks), image.min(axis=(1, 2)), image.max(axis=(1, 2)), windows)


def _resampled(volume: Array32, depth: int, plane_shape: tuple[int, int] | None) -> Array32:
    """Bring planes to another pixel size as prediction does, then interpolate between them."""
    if plane_shape is not None:
        volume = np.stack([resample(plane, plane_shape) for plane in volume])
    if depth == len(volume):
        return volume
    # Each plane stands for a slab of one plane distance, so that the volume keeps its depth.
    at = np.clip((np.arange(depth) + 0.5) * len(volume) / depth - 0.5, 0, len(volume) - 1)
    below = np.floor(at).astype(int)
    share = (at - below).astype(np.float32)[:, None, None]
    return volume[below] * (1 - share) + volume[np.minimum(below + 1, len(volume) - 1)] * share


@dataclass(frozen=True)
class SampleSource:
    """A sampler as :func:`deepd3_ij.training.fitting.fit` asks for batches."""

    sampler: Sampler

    def batch(self, index: int, size: int) -> tuple[Array32, Array32, Array32]:
        """Draw batch ``index`` of ``size`` samples: image, dendrite, spine, ``(size, h, w, 1)``."""
        drawn = self.sampler.samples(index * size, size)
        return drawn.image[..., None], drawn.dendrite[..., None], drawn.spine[..., None]
