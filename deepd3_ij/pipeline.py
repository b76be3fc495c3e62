"""The whole way from a stack to tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import xarray as xr

from deepd3_ij.cleaning import clean
from deepd3_ij.measurement import Measurements, measure
from deepd3_ij.model.loading import DeepD3Model
from deepd3_ij.parameters import (
    CleaningParameters,
    MeasureParameters,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
)
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois import RoiSet, build_rois_2d, build_rois_3d
from deepd3_ij.segmentation import predict
from deepd3_ij.stack import voxel_size_um

P = TypeVar("P", bound=Parameters)
Typed = Mapping[type[Parameters], Mapping[str, Any]]
"""What a user typed: values by name for each parameter class."""


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


def build_rois(
    prediction: xr.Dataset, parameters: Roi3DParameters | Roi2DParameters, progress: Progress = no_progress
) -> RoiSet:
    """Build 3-D or 2-D ROIs, depending on the parameters."""
    if isinstance(parameters, Roi2DParameters):
        return build_rois_2d(prediction, parameters, progress)
    return build_rois_3d(prediction, parameters, progress)


def analyze(
    stack: xr.DataArray,
    model: DeepD3Model | str | None = None,
    *,
    prediction_parameters: PredictionParameters | None = None,
    cleaning_parameters: CleaningParameters | None = None,
    cleaning: bool = True,
    roi_parameters: Roi3DParameters | Roi2DParameters | None = None,
    measure_parameters: MeasureParameters | None = None,
    z_range: tuple[int, int] | None = None,
    progress: Progress = no_progress,
) -> Analysis:
    """Predict, clean, build ROIs and measure.

    Parameters
    ----------
    stack
        Stack from :func:`deepd3_ij.open_stack`.
    model
        A loaded model, its name or file; the default model if omitted.
    prediction_parameters, cleaning_parameters, roi_parameters, measure_parameters
        What is omitted is taken from the model's card, and what the card leaves open from the defaults.
        ``Roi2DParameters`` give 2-D ROIs.
    cleaning
        Clean the prediction before ROIs are built.
    z_range
        First plane and the plane after the last one (0-based).
    progress
        Receives progress; raises ``Cancelled`` to stop.

    Returns
    -------
    Analysis
        Stack, prediction, ROIs and tables.
    """
    from deepd3_ij.model import load_model

    if model is None or isinstance(model, str):
        model = load_model(model)
    size = voxel_size_um(stack)
    card = model.card
    prediction = predict(stack, model, prediction_parameters or card.resolve(PredictionParameters, {}, size),
                         z_range=z_range, progress=progress)
    if cleaning:
        prediction = clean(prediction, cleaning_parameters or card.resolve(CleaningParameters, {}, size), progress)
    rois = build_rois(prediction, roi_parameters or card.resolve(Roi3DParameters, {}, size), progress)
    measurements = measure(rois, prediction, stack, measure_parameters or card.resolve(MeasureParameters, {}, size),
                           progress=progress)
    return Analysis(stack, prediction, rois, measurements)


def analyze_as_typed(
    stack: xr.DataArray,
    model: DeepD3Model,
    typed: Typed,
    *,
    cleaning: bool = True,
    z_range: tuple[int, int] | None = None,
    progress: Progress = no_progress,
) -> Analysis:
    """Analyze with what a user typed, then what the model's card recommends, then the defaults.

    Parameters
    ----------
    stack, model, cleaning, z_range, progress
        As for :func:`analyze`.
    typed
        What the user typed. ``Roi2DParameters`` among its classes give 2-D ROIs.

    Raises
    ------
    ParameterError
        A name is unknown or a value not accepted.
    """
    size = voxel_size_um(stack)

    def resolved(cls: type[P]) -> P:
        return model.card.resolve(cls, typed.get(cls, {}), size)

    flat = Roi2DParameters in typed
    return analyze(
        stack, model, cleaning=cleaning, z_range=z_range, progress=progress,
        prediction_parameters=resolved(PredictionParameters), cleaning_parameters=resolved(CleaningParameters),
        roi_parameters=resolved(Roi2DParameters) if flat else resolved(Roi3DParameters),
        measure_parameters=resolved(MeasureParameters))
