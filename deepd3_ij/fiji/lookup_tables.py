"""ImageJ's lookup tables of the package's colours."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepd3_ij import colours
from deepd3_ij.fiji.java import java_class


def label_table() -> Any:
    """ImageJ table (``ij.process.LUT``) of distinct colours for labels."""
    return _table(colours.distinct_colours())


def ramp(colour: tuple[int, int, int]) -> Any:
    """ImageJ table from black to a colour."""
    return _table(colours.ramp(colour))


def _table(rows: np.ndarray) -> Any:
    import jpype

    channels = [jpype.JArray(jpype.JByte)(np.ascontiguousarray(rows[:, i]).view(np.int8)) for i in range(3)]
    return java_class("ij.process.LUT")(*channels)
