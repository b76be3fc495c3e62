"""A set of ROIs: a label volume, and what is derived from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr

from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.parameters import Parameters, Resolved
from deepd3_ij.rois.contours import Contours, trace_contours
from deepd3_ij.rois.labels import LabelStatistics, checked_labels, label_statistics, renumber
from deepd3_ij.runs import Runs
from deepd3_ij.slabs import Box, Shape, is_lazy, lazily
from deepd3_ij.stack import DIMS, label_like, provenance_of, voxel_size_um

if TYPE_CHECKING:
    import pandas as pd

P = TypeVar("P", bound=Parameters)


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

    @classmethod
    def from_labels(
        cls,
        labels: np.ndarray | xr.DataArray,
        like: xr.DataArray | xr.Dataset,
        *,
        dimensions: int = 3,
        provenance: Mapping[str, Any] | None = None,
    ) -> RoiSet:
        """Make a set from any array of whole numbers, on the coordinates of a stack or prediction.

        Parameters
        ----------
        labels
            Integer labels, shape ``(z, y, x)``; 0 is background.
        like
            Stack or prediction of the same shape.
        dimensions, provenance
            See the class.

        Raises
        ------
        StackError
            The shapes differ, or the values are no whole numbers from 0 to 2³¹ − 1.
        """
        volume = checked_labels(np.asarray(labels))
        return cls(label_like(volume, like), dimensions, dict(provenance or {}))

    @cached_property
    def statistics(self) -> LabelStatistics:
        """Voxel counts, planes, centroids and bounding boxes, one row per ROI."""
        return label_statistics(self.labels)

    @property
    def ids(self) -> np.ndarray:
        """Ids of the ROIs, ascending (int32, shape ``(n,)``)."""
        return self.statistics.ids

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def contours(self) -> Contours:
        """Outlines of all parts of all ROIs, plane by plane, along pixel edges."""
        return trace_contours(self.labels)

    @property
    def table(self) -> pd.DataFrame:
        """One row per ROI.

        Columns: ``id``; ``z_um, y_um, x_um`` and ``z_px, y_px, x_px``, the centroid (pixel centres, 0-based);
        ``planes``; ``first_plane, last_plane`` (0-based); ``voxels``; ``volume_um3``.
        """
        import pandas as pd

        rows = self.statistics
        size = np.array(voxel_size_um(self.labels))
        origin = np.array([float(self.labels.coords[dim][0]) for dim in DIMS])
        position = rows.centroids_zyx
        columns: dict[str, np.ndarray] = {"id": rows.ids}
        columns |= {f"{dim}_um": origin[axis] + position[:, axis] * size[axis] for axis, dim in enumerate(DIMS)}
        columns |= {f"{dim}_px": position[:, axis] for axis, dim in enumerate(DIMS)}
        columns |= {"planes": rows.planes, "first_plane": rows.low_zyx[:, 0], "last_plane": rows.high_zyx[:, 0],
                    "voxels": rows.voxels, "volume_um3": rows.voxels * size.prod()}
        return pd.DataFrame(columns)

    def without(self, ids: Iterable[int]) -> RoiSet:
        """Remove ROIs; the others keep their ids.

        Raises
        ------
        ParameterError
            An id is not in the set.
        """
        gone = np.array(list(ids), dtype=np.int64)
        unknown = np.setdiff1d(gone, self.ids)
        if len(unknown):
            raise ParameterError(f"There is no ROI {int(unknown[0])}; this set has {len(self)} ROIs"
                                 + (f" with ids {self.ids[0]} to {self.ids[-1]}." if len(self) else "."))
        kept = self.ids[~np.isin(self.ids, gone)]
        labels = renumber(self.labels.values, kept, kept)
        return RoiSet(self.labels.copy(data=labels), self.dimensions, self.provenance)


def rois_like(
    labels: Any, prediction: xr.Dataset, *, dimensions: int, resolved: Resolved[P]
) -> RoiSet:
    """Label ROIs with the coordinates of their prediction; its provenance is carried on, with the parameters added."""
    return RoiSet(label_like(labels, prediction), dimensions, resolved.into(provenance_of(prediction)))


def rois_of_runs(runs: Runs, prediction: xr.Dataset, *, dimensions: int, resolved: Resolved[P]) -> RoiSet:
    """The same of labelled runs. Labels of lazy maps are lazy, too: planes are drawn when they are used."""
    lazy = any(is_lazy(volume) for volume in prediction.data_vars.values())
    return rois_like(lazily(_DrawnSlabs(runs)) if lazy else runs.volume(), prediction, dimensions=dimensions,
                     resolved=resolved)


@dataclass(frozen=True, eq=False)
class _DrawnSlabs:
    """Labels that are drawn when they are read."""

    runs: Runs
    dtype = np.dtype(np.int32)

    @property
    def shape(self) -> Shape:
        return self.runs.shape

    def read(self, first: int, last: int) -> np.ndarray:
        return self.runs.drawn((slice(first, last), slice(None), slice(None)))

    def read_box(self, box: Box) -> np.ndarray:
        z, y, x = (slice(*bounds) for bounds in box)
        return self.runs.drawn((z, y, x))
