"""A picture of what a network in training finds, beside what was annotated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from deepd3_ij import colours
from deepd3_ij.training.simulated_samples import ScenePlanes

SIDE_PX = 256
_OPACITY = 0.55
_DENDRITE_SHARE = 0.02


def example_of(scene: ScenePlanes, side_px: int = SIDE_PX) -> ScenePlanes:
    """Cut out the part of one plane that has most annotated spines, of at most `side_px` × `side_px` pixels.

    Where there are no spines, dendrites decide.
    """
    weights = (scene.spine == 1).astype(np.float32) + _DENDRITE_SHARE * (scene.dendrite == 1)
    plane = int(weights.sum(axis=(1, 2)).argmax())
    sizes = [min(side_px, length) for length in weights.shape[1:]]
    amount = ndimage.uniform_filter(weights[plane], sizes, mode="constant")
    centre = np.unravel_index(int(amount.argmax()), amount.shape)
    cut = tuple(slice(start, start + size) for start, size in (
        (int(np.clip(middle - size // 2, 0, length - size)), size)
        for middle, size, length in zip(centre, sizes, amount.shape, strict=True)))
    part = (slice(plane, plane + 1), *cut)
    first = np.array([each.start for each in part])
    spots = scene.spots - first
    inside = ((spots >= 0) & (spots < [1, *sizes])).all(axis=1)
    return ScenePlanes(scene.image[part], scene.dendrite[part], scene.spine[part], spots[inside], scene.z_um)


def example_picture(example: ScenePlanes, dendrite: npt.NDArray[np.float32], spine: npt.NDArray[np.float32]
                    ) -> npt.NDArray[np.uint8]:
    """Draw image, truth and prediction of one plane side by side.

    Parameters
    ----------
    example
        One plane, as of :func:`example_of`.
    dendrite, spine
        Predicted probabilities of it, ``(1, y, x)``.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(3, y, 3 x)``: red, green and blue; dendrites magenta, spines green.
    """
    low, high = np.percentile(example.image[0], (1, 99.8))
    grey = np.clip((example.image[0] - low) / max(float(high - low), 1e-12), 0, 1)
    plain = np.repeat(grey[..., None], 3, axis=2)
    truth = _painted(plain, example.dendrite[0] == 1, example.spine[0] == 1)
    found = _painted(plain, np.clip(dendrite[0], 0, 1), np.clip(spine[0], 0, 1))
    picture = (np.concatenate([plain, truth, found], axis=1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(picture, 2, 0))


def _painted(plain: npt.NDArray[np.float64], dendrite: npt.NDArray, spine: npt.NDArray) -> npt.NDArray[np.float64]:
    painted = plain
    for share, colour in ((dendrite, colours.DENDRITE), (spine, colours.SPINE)):
        weight = _OPACITY * share.astype(np.float64)[..., None]
        painted = (1 - weight) * painted + weight * np.array(colour) / 255
    return painted
