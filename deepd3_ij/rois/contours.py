"""Outlines of labelled regions along pixel edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Contours:
    """Closed outlines, stored flat.

    Outline ``i`` belongs to ROI ``roi_id[i]`` in plane ``plane[i]`` (0-based); its vertices are
    ``points_yx[start[i]:start[i] + count[i]]``, columns y and x, in corner coordinates: pixel
    ``(y, x)`` is the square from ``(y, x)`` to ``(y + 1, x + 1)``, as in ImageJ. Outlines run along pixel
    edges, corners only, without repeating the first vertex. ``is_hole[i]`` marks the outlines of
    holes. The summed areas of a ROI's outlines less those of its holes equal its pixel count.
    Outlines are sorted by plane, then ROI id, then first pixel in raster order.
    """

    plane: np.ndarray
    roi_id: np.ndarray
    is_hole: np.ndarray
    start: np.ndarray
    count: np.ndarray
    points_yx: np.ndarray

    def __len__(self) -> int:
        return len(self.plane)

    def points(self, index: int) -> np.ndarray:
        """Vertices of one outline, int32, shape ``(count, 2)``, columns y and x."""
        begin = int(self.start[index])
        return self.points_yx[begin:begin + int(self.count[index])]


def trace_contours(labels: np.ndarray) -> Contours:
    """Trace every region of a label volume ``(z, y, x)`` plane by plane."""
    raise NotImplementedError
