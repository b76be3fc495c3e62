"""The guide's ``deepd3.core.analysis``."""

from deepd3_ij.compat.core.label_functions import (
    _distance_to_seed,
    _get_sorted_seeds,
    _neighbours,
    centroid3D,
    centroids3D_from_labels,
    cleanLabels,
    connected_components_3d,
    getROIsizes,
    minMaxProbability,
    reid,
)
from deepd3_ij.compat.core.roi_creators import ROI2D_Creator, ROI3D_Creator
from deepd3_ij.compat.core.stack import Stack

__all__ = [
    "ROI2D_Creator",
    "ROI3D_Creator",
    "Stack",
    "_distance_to_seed",
    "_get_sorted_seeds",
    "_neighbours",
    "centroid3D",
    "centroids3D_from_labels",
    "cleanLabels",
    "connected_components_3d",
    "getROIsizes",
    "minMaxProbability",
    "reid",
]
