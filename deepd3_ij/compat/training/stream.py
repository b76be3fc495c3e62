"""The guide's ``deepd3.training.stream``; importing it loads Keras."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from deepd3_ij.errors import ParameterError
from deepd3_ij.files.d3data import D3Data
from deepd3_ij.files.d3set import read_d3set
from deepd3_ij.model.backend import keras
from deepd3_ij.parameters import AugmentationParameters
from deepd3_ij.training.augmentation import DENDRITE, SPINE, Array32, cut, draw_geometry, vary_grey_levels
from deepd3_ij.training.original_draws import TabulatedStack, original_batch

_PyDataset: Any = keras().utils.PyDataset
Sample = tuple[Array32, Array32, Array32]


class DataGeneratorStream(_PyDataset):
    """Batches of training samples from a d3set, for ``model.fit``.

    Samples are drawn as in the original, number for number where it does not augment. An own random generator
    is used, so that batches depend on the arguments alone, with augmentation too (the original seeds the generators of
    the whole process, and its augmented batches cannot be repeated). If no window fits or has enough
    content, that is an error (the original tries for ever). For new work take
    :class:`deepd3_ij.training.sampler.Sampler`.

    Parameters
    ----------
    fn
        d3set file.
    batch_size
        Samples in a batch.
    samples_per_epoch
        Samples in an epoch.
    size
        Planes, height and width of a sample.
    target_resolution
        Pixel size in µm to which windows are rescaled; None for none.
    augment
        Vary the samples, see :meth:`_get_augmenter`; also samples of several planes and of any pixel type.
    shuffle
        Draw on from batch to batch, in the order of the calls. Otherwise a batch depends on its index alone.
    seed
        Seed of what is drawn on, and of the augmentation.
    normalize
        Values of the minimum and (nearly) the maximum of each image.
    min_content
        A sample has more than so many foreground pixels of dendrite or of spine.

    Raises
    ------
    FileFormatError
        No d3set, or a damaged one; nothing in it is unpickled.
    ParameterError
        An unfit argument.
    """

    def __init__(
        self,
        fn: str | PathLike[str],
        batch_size: int,
        samples_per_epoch: int = 50000,
        size: tuple[int, int, int] = (1, 128, 128),
        target_resolution: float | None = None,
        augment: bool = True,
        shuffle: bool = True,
        seed: int = 42,
        normalize: tuple[float, float] = (-1, 1),
        min_content: float = 0.0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or samples_per_epoch < batch_size:
            raise ParameterError(f"batch_size is {batch_size} and samples_per_epoch {samples_per_epoch}; accepted: at "
                                 "least 1, and at least one batch.")
        self.fn, self.batch_size, self.samples_per_epoch = fn, batch_size, samples_per_epoch
        self.size, self.target_resolution = size, target_resolution
        self.augment, self.shuffle, self.seed = augment, shuffle, seed
        self.normalize, self.min_content = normalize, min_content
        self._stacks = [_tabulated(data) for data in read_d3set(fn)]
        self._stream = np.random.RandomState(seed)
        self._augmenter = self._get_augmenter()
        self._variation = np.random.default_rng(seed)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return self.samples_per_epoch // self.batch_size

    def __getitem__(self, index: int) -> tuple[Array32, tuple[Array32, Array32]]:
        """Draw a batch: image and (dendrite, spine), float32 ``(batch, h, w, 1)``, or ``(batch, d, h, w, 1)``."""
        batch = self._draw(self.batch_size, None if self.shuffle else index)
        if self.augment:
            random = self._variation if self.shuffle else np.random.default_rng((self.seed, index))
            samples = [self._varied(sample, random) for sample in zip(*batch, strict=True)]
            batch = _stacked(samples)
        image, dendrite, spine = (part[..., np.newaxis] for part in batch)
        return image, (dendrite, spine)

    def getSample(self, squeeze: bool = True) -> list[np.ndarray]:
        """Draw one sample, augmented if that is on.

        Parameters
        ----------
        squeeze
            Leave out the axis of planes if there is one plane.

        Returns
        -------
        list of numpy.ndarray
            Image, dendrite and spine, float32 ``(h, w)`` or ``(d, h, w)``.
        """
        sample = self._getSample(squeeze)
        return list(self._varied(sample, self._variation) if self.augment else sample)

    def _getSample(self, squeeze: bool = True) -> Sample:
        """Draw one sample without augmentation; see :meth:`getSample`."""
        image, dendrite, spine = (part[0] for part in self._draw(1, None))
        if self.size[0] == 1 and not squeeze:
            return image[np.newaxis], dendrite[np.newaxis], spine[np.newaxis]
        return image, dendrite, spine

    def _get_augmenter(self) -> AugmentationParameters:
        """Give the variations: flips, turns, rotation, blur, brightness and contrast, noise, as in the original.

        Noise is relative to the range of grey levels (to absolute ones in the original, where it has no
        effect on 16-bit data).
        """
        return AugmentationParameters(zoom_probability=0, elastic_probability=0, drift_probability=0,
                                      motion_probability=0, gamma_probability=0)

    def _draw(self, count: int, index: int | None) -> Sample:
        low, high = self.normalize
        return original_batch(
            self._stacks, index or 0, batch_size=count, size=self.size, target_resolution=self.target_resolution,
            normalize=(low, high), min_content=self.min_content, random=self._stream if index is None else None)

    def _varied(self, sample: Sample, random: np.random.Generator) -> Sample:
        low, high = self.normalize
        shape = sample[0].shape
        planes = (1, *shape) if len(shape) == 2 else shape
        image, dendrite, spine = (part.reshape(planes) for part in sample)
        masks = (dendrite > 0) * np.uint8(DENDRITE) | (spine > 0) * np.uint8(SPINE)
        out = np.empty((3, *planes), np.float32)
        geometry = draw_geometry(planes, self._augmenter, random)
        cut((image - np.float32(low)) / np.float32(high - low), masks, (0, 0, 0), geometry, (out[0], out[1], out[2]))
        varied, new_dendrite, new_spine = (part.reshape(shape) for part in out)
        vary_grey_levels(varied, self._augmenter, random)
        varied -= varied.min()
        span = varied.max()
        if span > 0:
            varied /= span
        varied *= np.float32(high - low)
        varied += np.float32(low)
        return varied, new_dendrite, new_spine


def _tabulated(data: D3Data) -> TabulatedStack:
    depth, height, width = (min(int(data.meta[name]), length) for name, length in
                            zip(("Depth", "Height", "Width"), data.stack.shape, strict=True))
    return TabulatedStack(data.stack, data.dendrite, data.spines, (depth, height, width), data.meta["Resolution_XY"])


def _stacked(samples: list[Sample]) -> Sample:
    image, dendrite, spine = (np.stack(parts) for parts in zip(*samples, strict=True))
    return image, dendrite, spine
