"""Colour tables for maps and labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepd3_ij.colours import distinct_colours
from deepd3_ij.fiji.java import java_class


def label_table() -> Any:
    """ImageJ table (``ij.process.LUT``) of distinct colours for labels."""
    return _table(distinct_colours())


def ramp(colour: tuple[int, int, int]) -> Any:
    """ImageJ table from black to a colour."""
    return _table(np.round(np.linspace(0, 1, 256)[:, np.newaxis] * np.array(colour)).astype(np.uint8))


def _table(colours: np.ndarray) -> Any:
    import jpype

    channels = [jpype.JArray(jpype.JByte)(np.ascontiguousarray(colours[:, i]).view(np.int8)) for i in range(3)]
    return java_class("ij.process.LUT")(*channels)
