"""Time points of labelled arrays that have the dimension t."""

from __future__ import annotations

import numpy as np
import xarray as xr

from deepd3_ij.errors import ParameterError
from deepd3_ij.measurement import measure
from deepd3_ij.rois import build_rois_3d
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import DIMS, MAPS, label_like, label_prediction
from deepd3_ij.timelapse.timepoint import TimePoint

TIME_DIM = "t"


def time_points_of(series: xr.Dataset) -> list[TimePoint]:
    """Take a series apart.

    Parameters
    ----------
    series
        Dimensions ``t, z, y, x`` as of predictions (:mod:`deepd3_ij.stack`), with ``dendrite`` and ``spine``
        probability; perhaps ``labels``, the ids of the spines' ROIs (else they are built), and ``image``. The
        coordinate ``t`` holds days; without it they are 0, 1, 2, …

    Returns
    -------
    list of TimePoint
        In the order of the array.

    Raises
    ------
    ParameterError
        A variable or dimension is missing.
    """
    for name in MAPS:
        if name not in series or set(series[name].dims) != {TIME_DIM, *DIMS}:
            found = f"the dimensions {tuple(map(str, series[name].dims))}" if name in series else "nothing"
            raise ParameterError(f"The series has {found} for {name!r}; accepted: dendrite and spine with the "
                                 "dimensions t, z, y, x.")
    ordered = series.transpose(TIME_DIM, *DIMS)
    days = np.asarray(ordered[TIME_DIM].values) if TIME_DIM in ordered.coords else np.arange(ordered.sizes[TIME_DIM])
    if not np.issubdtype(days.dtype, np.number):
        raise ParameterError(f"The coordinate t of the series holds {days.dtype}; accepted: numbers of days.")
    points = []
    for number, day in enumerate(days.tolist()):
        each = ordered.isel({TIME_DIM: number})
        prediction = label_prediction(each["dendrite"].values.astype(np.float32, copy=False),
                                      each["spine"].values.astype(np.float32, copy=False), each, {})
        rois = (RoiSet.from_labels(each["labels"], prediction) if "labels" in each else build_rois_3d(prediction))
        stack = label_like(each["image"].values, prediction) if "image" in each else None
        points.append(TimePoint.from_results(f"t{number + 1}", float(day), measure(rois, prediction, stack), prediction,
                                             rois, stack))
    return points
