"""The DeepD3 network, model files, their cards and where they come from."""

from deepd3_ij.model.card import ModelCard, attach_card, read_card
from deepd3_ij.model.loading import DeepD3Model, load_model

__all__ = ["DeepD3Model", "ModelCard", "attach_card", "load_model", "read_card"]
