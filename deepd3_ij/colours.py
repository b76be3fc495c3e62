"""The colours in which maps, spines and annotations are shown: red, green and blue from 0 to 255."""

from __future__ import annotations

import colorsys
import math
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

Colour: TypeAlias = tuple[int, int, int]

GREY = (255, 255, 255)
DENDRITE = (255, 0, 255)
SPINE = (0, 255, 0)
# Softer ones for pictures, in which maps tint the image.
PICTURE_DENDRITE = (255, 38, 255)
PICTURE_SPINE = (26, 255, 77)
PICTURE_OUTLINE = (255, 233, 74)
PICTURE_BACKGROUND = (16, 16, 20)
PICTURE_TEXT = (255, 255, 255)
PICTURE_SHADOW = (0, 0, 0)
PICTURE_SMALL_TEXT = (200, 200, 208)
REPORT_BAR = (110, 130, 170)
REPORT_MEDIAN = (200, 60, 40)
ANNOTATION = (64, 128, 255)
FRAME = (255, 255, 0)
SELECTED = (255, 255, 255)
REMOVED = (255, 255, 0)

# What is known of a spine at a time point.
STATE_COLOURS = {"present": (120, 200, 255), "recovered": (64, 128, 255), "absent": (255, 70, 60),
                 "unobservable": (128, 128, 136), "undecided": (255, 220, 60)}
# What happened to a spine since the last time point that tells.
CHANGE_COLOURS = {"stable": (255, 255, 255), "gained": (0, 255, 0), "lost": (255, 70, 60),
                  "unobservable": (128, 128, 136), "undecided": (255, 220, 60)}
# How sure it is that a ROI is a spine, from not at all to sure; told apart by all kinds of colour vision.
CONFIDENCE = ((255, 70, 50), (255, 215, 60), (110, 150, 255))
CONFIDENCE_UNKNOWN = (170, 170, 170)

# Hues of following spines are a golden section apart, so that neighbours in number are unlike.
GOLDEN_SECTION = 0.6180339887498949
SATURATIONS = (1.0, 0.65, 0.85)


def roi_colour(roi_id: int) -> Colour:
    """Colour of a spine's outlines: bright, stable, and unlike that of the next ids."""
    hue = (roi_id * GOLDEN_SECTION) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, SATURATIONS[roi_id % len(SATURATIONS)], 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def confidence_colour(confidence: float) -> Colour:
    """Colour of a probability from 0 to 1, between those of ``CONFIDENCE``; grey for NaN."""
    if math.isnan(confidence):
        return CONFIDENCE_UNKNOWN
    place = min(max(confidence, 0.0), 1.0) * (len(CONFIDENCE) - 1)
    first = min(int(place), len(CONFIDENCE) - 2)
    red, green, blue = (round(low + (high - low) * (place - first))
                        for low, high in zip(CONFIDENCE[first], CONFIDENCE[first + 1], strict=True))
    return red, green, blue


def as_hex(colour: Colour) -> str:
    """A colour as pictures and web pages take it: ``#ff00ff``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def ramp(colour: Colour) -> np.ndarray:
    """Table from black to a colour: uint8, shape ``(256, 3)``."""
    import numpy as np

    return np.round(np.linspace(0, 1, 256)[:, np.newaxis] * np.array(colour)).astype(np.uint8)


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
    import numpy as np
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
