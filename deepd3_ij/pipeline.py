"""The whole way from a stack to tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import xarray as xr

from deepd3_ij.cleaning import clean
from deepd3_ij.errors import ParameterError
from deepd3_ij.measurement import Measurements, measure
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.parameters import (
    AnalysisParameters,
    CleaningParameters,
    MeasureParameters,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    from_values,
    resolve,
)
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois import RoiSet, build_rois_2d, build_rois_3d
from deepd3_ij.segmentation import predict
from deepd3_ij.segmentation.region import Region

Typed: TypeAlias = Mapping[type[Parameters], Mapping[str, Any]]
"""What a user typed for several steps: values by name for each parameter class."""

STEPS = (AnalysisParameters, PredictionParameters, CleaningParameters, Roi3DParameters, Roi2DParameters,
         MeasureParameters)
"""Parameter classes of an analysis, in the order of its steps."""


@dataclass(frozen=True)
class Analysis:
    """What :func:`analyze` found.

    Attributes
    ----------
    stack
        The stack, ``(z, y, x)``.
    prediction
        Dendrite and spine probability, cleaned unless cleaning was off.
    rois
        Spine ROIs.
    measurements
        Spine and dendrite tables.
    """

    stack: xr.DataArray
    prediction: xr.Dataset
    rois: RoiSet
    measurements: Measurements


def analyze(
    stack: xr.DataArray,
    model: DeepD3Model | str | None = None,
    parameters: Iterable[Parameters] | Typed = (),
    *,
    z_range: tuple[int, int] | None = None,
    region: Region | None = None,
    prediction: xr.Dataset | None = None,
    progress: Progress = no_progress,
) -> Analysis:
    """Predict, clean, build ROIs and measure.

    Parameters
    ----------
    stack
        Stack from :func:`deepd3_ij.open_stack`.
    model
        A loaded model, its name or file; the default model if omitted.
    parameters
        Parameters of the steps that shall not run as the model recommends: instances, or a table by parameter class
        of those values alone that differ. ``AnalysisParameters`` choose 2-D ROIs and whether to clean.
    z_range
        First plane and the plane after the last one (0-based).
    region
        First column and row, width and height in pixels of the box that alone is segmented.
    prediction
        What :func:`deepd3_ij.predict` gave for this stack, if it is there already.
    progress
        Receives progress; raises ``Cancelled`` to stop.

    Returns
    -------
    Analysis
        Stack, prediction, ROIs and tables. The provenance of the ROIs tells every value that ran and its origin.

    Raises
    ------
    ParameterError
        A name is unknown or a value not accepted.

    Examples
    --------
    >>> analysis = analyze(stack, parameters={Roi3DParameters: {"area_threshold": 0.3}})  # doctest: +SKIP
    """
    given = _by_class(parameters)
    loaded = load_model(model) if model is None or isinstance(model, str) else model
    steps = resolve(AnalysisParameters, given.get(AnalysisParameters), recommended=loaded.card.recommended).parameters
    if prediction is None:
        prediction = predict(stack, loaded, given.get(PredictionParameters), z_range=z_range, region=region,
                             progress=progress)
    if steps.cleaning:
        prediction = clean(prediction, given.get(CleaningParameters), progress)
    if steps.roi_dimensions == "2d":
        rois = build_rois_2d(prediction, given.get(Roi2DParameters), progress)
    else:
        rois = build_rois_3d(prediction, given.get(Roi3DParameters), progress)
    measurements = measure(rois, prediction, stack, given.get(MeasureParameters), progress)
    return Analysis(stack, prediction, rois, measurements)


def check_typed(typed: Typed) -> None:
    """Check what a user typed before any work begins.

    Raises
    ------
    ParameterError
        A name is unknown or a value not accepted.
    """
    for cls, values in typed.items():
        from_values(cls, values)


def _by_class(parameters: Iterable[Parameters] | Typed) -> dict[type[Parameters], Any]:
    given: dict[type[Parameters], Any]
    given = dict(parameters) if isinstance(parameters, Mapping) else {type(each): each for each in parameters}
    unknown = [cls for cls in given if cls not in STEPS]
    if unknown:
        name = getattr(unknown[0], "__name__", unknown[0])
        raise ParameterError(f"An analysis has no {name}; accepted: {', '.join(cls.__name__ for cls in STEPS)}.")
    return given
