"""Normalisation, tiling and prediction: stack → dendrite and spine probability."""

from deepd3_ij.segmentation.prediction import predict, predict_tile_columns

__all__ = ["predict", "predict_tile_columns"]
