"""Normalisation, tiling and prediction: stack → dendrite and spine probability."""

from deepd3_ij.segmentation.prediction import predict

__all__ = ["predict"]
