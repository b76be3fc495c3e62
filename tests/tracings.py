"""Figures of tracings."""

from __future__ import annotations

import numpy as np

from deepd3_ij.annotation.tracing import ROOT, Tracing


def tree_count(tracing: Tracing) -> int:
    return int((tracing.parents == ROOT).sum())


def length_of(tracing: Tracing) -> float:
    """Summed length of all segments, in the unit of the positions."""
    begin, end = tracing.segments.T
    return float(np.linalg.norm(tracing.xyz[end] - tracing.xyz[begin], axis=1).sum())
