"""Find dendrites and dendritic spines in 3-D microscope stacks.

``open_stack`` → ``predict`` → ``clean`` → ``build_rois_3d`` → ``measure``; ``analyze`` does all of it.
Importing the package loads neither TensorFlow nor Java; names are loaded when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from deepd3_ij.version import __version__

if TYPE_CHECKING:
    from deepd3_ij.cleaning import clean
    from deepd3_ij.errors import DeepD3Error
    from deepd3_ij.files.image_reader import open_stack
    from deepd3_ij.measurement import Measurements, measure
    from deepd3_ij.model import load_model
    from deepd3_ij.parameters import (
        CleaningParameters,
        MeasureParameters,
        PredictionParameters,
        Roi2DParameters,
        Roi3DParameters,
        TimelapseParameters,
    )
    from deepd3_ij.pipeline import Analysis, analyze
    from deepd3_ij.rois import RoiSet, build_rois_2d, build_rois_3d
    from deepd3_ij.segmentation import predict
    from deepd3_ij.stack import label_prediction, label_stack
    from deepd3_ij.timelapse import Timelapse, TimePoint, link_timepoints

_HOMES = {
    "Analysis": "pipeline",
    "CleaningParameters": "parameters",
    "DeepD3Error": "errors",
    "MeasureParameters": "parameters",
    "Measurements": "measurement",
    "PredictionParameters": "parameters",
    "Roi2DParameters": "parameters",
    "Roi3DParameters": "parameters",
    "RoiSet": "rois",
    "TimePoint": "timelapse",
    "Timelapse": "timelapse",
    "TimelapseParameters": "parameters",
    "analyze": "pipeline",
    "build_rois_2d": "rois",
    "build_rois_3d": "rois",
    "clean": "cleaning",
    "label_prediction": "stack",
    "label_stack": "stack",
    "link_timepoints": "timelapse",
    "load_model": "model",
    "measure": "measurement",
    "open_stack": "files.image_reader",
    "predict": "segmentation",
}

__all__ = [
    "Analysis",
    "CleaningParameters",
    "DeepD3Error",
    "MeasureParameters",
    "Measurements",
    "PredictionParameters",
    "Roi2DParameters",
    "Roi3DParameters",
    "RoiSet",
    "TimePoint",
    "Timelapse",
    "TimelapseParameters",
    "__version__",
    "analyze",
    "build_rois_2d",
    "build_rois_3d",
    "clean",
    "label_prediction",
    "label_stack",
    "link_timepoints",
    "load_model",
    "measure",
    "open_stack",
    "predict",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
