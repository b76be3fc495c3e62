"""What is known of one time point: spines, centre lines, what was imaged, and perhaps maps and the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.measurement import Measurements
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, provenance_of, voxel_size_um
from deepd3_ij.timelapse.lines import LinePoints, line_points
from deepd3_ij.timelapse.visibility import shaft_signal

POSITION_COLUMNS = tuple(f"{dim}_um" for dim in DIMS)
HEAD_COLUMNS = tuple(f"head_{dim}_um" for dim in DIMS)
SIZE_COLUMN = "volume_relative"


@dataclass(frozen=True, eq=False)
class TimePoint:
    """One time point.

    Attributes
    ----------
    name
        What messages and tables call it.
    time
        When it was imaged, in days (or in any unit, the same for all).
    spines
        One row per spine: ``id, z_um, y_um, x_um``; used if they are there: ``head_z_um, head_y_um, head_x_um``
        (instead of the position), ``volume_relative, length_um``.
    tracing
        Centre lines of the dendrites in µm.
    box_um
        Lower and upper corner z, y, x of what was imaged and looked at, in µm, float64, shape ``(2, 3)``.
    prediction
        Probability maps, to look for a spine where none was detected.
    labels
        Which voxels are which spine.
    stack
        Image, for pictures.
    file
        Where it was read from; empty for results that come from no file.
    frame
        0-based time point of that file, if it has several.
    measured_with
        How its spines were measured.
    """

    name: str
    time: float
    spines: pd.DataFrame
    tracing: Tracing
    box_um: np.ndarray
    prediction: xr.Dataset | None = None
    labels: xr.DataArray | None = None
    stack: xr.DataArray | None = None
    file: str = ""
    frame: int | None = None
    measured_with: MeasureParameters = field(default_factory=MeasureParameters)
    lines: LinePoints = field(init=False)

    def __post_init__(self) -> None:
        missing = [name for name in ("id", *POSITION_COLUMNS) if name not in self.spines]
        if missing:
            raise ParameterError(f"The spines of {self.name} have no column {missing[0]}; needed: id, z_um, y_um, "
                                 "x_um.")
        if not np.isfinite(self.spines[list(POSITION_COLUMNS)].to_numpy(dtype=np.float64)).all():
            raise ParameterError(f"The spines of {self.name} have positions that are no finite numbers; remove those "
                                 "rows.")
        if self.spines["id"].duplicated().any():
            number = int(self.spines.loc[self.spines["id"].duplicated(), "id"].iloc[0])
            raise ParameterError(f"The id {number} is there twice among the spines of {self.name}; accepted: ids that "
                                 "differ.")
        box = np.asarray(self.box_um, dtype=np.float64)
        if box.shape != (2, 3) or not np.isfinite(box).all() or (box[0] > box[1]).any():
            raise ParameterError(f"box_um of {self.name} is {box.tolist()}; accepted: lower and upper corner z, y, x.")
        object.__setattr__(self, "box_um", box)
        object.__setattr__(self, "lines", line_points(self.tracing))

    @property
    def zyx_um(self) -> np.ndarray:
        """Positions of the spines, float64, shape ``(n, 3)``: of the head where it is known, else of the middle."""
        middle = self.spines[list(POSITION_COLUMNS)].to_numpy(dtype=np.float64).reshape(-1, 3)
        if not set(HEAD_COLUMNS) <= set(self.spines):
            return middle
        head = self.spines[list(HEAD_COLUMNS)].to_numpy(dtype=np.float64).reshape(-1, 3)
        return np.where(np.isfinite(head).all(axis=1)[:, None], head, middle)

    @property
    def size(self) -> np.ndarray:
        """Size of each spine relative to its shaft, float64, shape ``(n,)``; NaN where it is not known."""
        if SIZE_COLUMN not in self.spines:
            return np.full(len(self.spines), np.nan)
        return self.spines[SIZE_COLUMN].to_numpy(dtype=np.float64)

    @cached_property
    def shaft_signal(self) -> np.ndarray:
        """Light of the dendrite at each point of ``lines``, in standard deviations of noise; infinite without image."""
        return np.full(len(self.lines), np.inf) if self.stack is None else shaft_signal(self.lines, self.stack)

    @classmethod
    def from_results(cls, name: str, time: float, measurements: Measurements, prediction: xr.Dataset,
                     rois: RoiSet | None = None, stack: xr.DataArray | None = None) -> TimePoint:
        """A time point of what :func:`deepd3_ij.measure` found in a prediction.

        Raises
        ------
        StackError
            Stack, ROIs and prediction differ in shape.
        """
        labels = None if rois is None else rois.labels
        shape = tuple(prediction.sizes[dim] for dim in DIMS)
        for what, other in (("stack", stack), ("ROIs", labels)):
            if other is not None and other.shape != shape:
                raise StackError(f"The {what} of {name} have the shape {other.shape} and the prediction {shape} "
                                 "(z, y, x); use those that were made from the same stack.")
        return cls(name, time, measurements.spines, measurements.tracing, segmented_box(prediction), prediction, labels,
                   stack, measured_with=measurements.parameters)


def box_of(data: xr.DataArray | xr.Dataset) -> np.ndarray:
    """Lower and upper corner of what a stack shows: centres of its first and last voxel, in µm, shape ``(2, 3)``."""
    first = np.array([float(data.coords[dim][0]) for dim in DIMS])
    shape = np.array([data.sizes[dim] for dim in DIMS])
    return np.stack([first, first + (shape - 1) * np.array(voxel_size_um(data))])


def segmented_box(prediction: xr.Dataset) -> np.ndarray:
    """The same of what was segmented: elsewhere, a prediction of some planes or of a region is 0 and tells nothing."""
    box, provenance = box_of(prediction), provenance_of(prediction)
    origin, voxel = box[0].copy(), np.array(voxel_size_um(prediction))
    if provenance.get("z_range"):
        first, end = provenance["z_range"]
        box[:, 0] = origin[0] + np.array([first, end - 1]) * voxel[0]
    if provenance.get("region"):
        x, y, width, height = provenance["region"]
        box[:, 1:] = origin[1:] + np.array([(y, x), (y + height - 1, x + width - 1)]) * voxel[1:]
    return box
