"""A set of ROIs: a label volume, and what is derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.errors import StackError
from deepd3_ij.rois.contours import Contours, trace_contours
from deepd3_ij.stack import DIMS


@dataclass(frozen=True)
class RoiSet:
    """Spine ROIs on a stack.

    Attributes
    ----------
    labels
        int32 volume ``(z, y, x)`` on the stack's coordinates; 0 is background, every other
        value is the id of one ROI.
    dimensions
        3 for ROIs that span planes, 2 for ROIs of single planes (their ids are unique through the stack).
    provenance
        What made the ROIs (JSON-compatible).
    """

    labels: xr.DataArray
    dimensions: int = 3
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.labels.dims != DIMS or self.labels.dtype != np.int32:
            raise StackError(f"ROI labels are int32 with dimensions {DIMS}; "
                             f"received {self.labels.dtype} with {self.labels.dims}.")

    @cached_property
    def ids(self) -> np.ndarray:
        """Ids of the ROIs, ascending (int32, shape ``(n,)``)."""
        present = np.unique(self.labels.values)
        return present[present > 0]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def contours(self) -> Contours:
        """Outlines of all parts of all ROIs, plane by plane, along pixel edges."""
        return trace_contours(self.labels.values)
