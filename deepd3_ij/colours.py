"""Colours of maps, annotations and labels, as red, green and blue from 0 to 255."""

from __future__ import annotations

from functools import cache

import numpy as np

GREY = (255, 255, 255)
DENDRITE = (255, 0, 255)
SPINE = (0, 255, 0)
ANNOTATION = (64, 128, 255)
FRAME = (255, 255, 0)


@cache
def distinct_colours(count: int = 256) -> np.ndarray:
    """Colours that differ as much as possible from all before them, first black.

    Greedy choice of the candidate that is farthest from all chosen ones in CIELAB, as in Glasbey et al., *Colour
    displays for categorical images*, Color Research & Application 32 (2007).

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(count, 3)``; row 0 is black, all other rows are well visible on black.
    """
    from skimage.color import rgb2lab

    steps = np.linspace(0, 255, 18).round().astype(np.uint8)
    candidates = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = rgb2lab(candidates[np.newaxis] / 255.0)[0]
    visible = (lab[:, 0] > 35) & (np.hypot(lab[:, 1], lab[:, 2]) > 25)
    candidates, lab = candidates[visible], lab[visible]
    distance = np.linalg.norm(lab - rgb2lab(np.full((1, 1, 3), 0.6))[0, 0], axis=1)  # away from grey
    chosen = [int(distance.argmax())]
    for _ in range(count - 2):
        distance = np.minimum(distance, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return np.concatenate([np.zeros((1, 3), np.uint8), candidates[chosen]])
