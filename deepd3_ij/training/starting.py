"""A training that begins with the weights of a model."""

from __future__ import annotations

import dataclasses
from typing import Any

from deepd3_ij.errors import ModelError
from deepd3_ij.model.loading import DeepD3Model
from deepd3_ij.parameters import TrainingParameters


def starting_from(model: DeepD3Model, parameters: TrainingParameters) -> TrainingParameters:
    """Parameters of a training that begins with a model.

    Parameters
    ----------
    model
        Where the training begins; its number of filters counts.
    parameters
        What was wished. Without a pixel size for training, that of the model's card counts.

    Returns
    -------
    TrainingParameters

    Raises
    ------
    ModelError
        The model has another number of layers than the networks that are trained here.
    """
    if model.layers != 4 or model.fixed_shape is not None:
        raise ModelError(f"The model {model.name} has {model.layers} poolings and takes "
                         f"{'any size' if model.fixed_shape is None else f'only {model.fixed_shape}'}; a training can "
                         "begin with a model that has 4 and takes any size. Begin anew, or with another model.")
    size = parameters.target_resolution_um or model.card.resolution_um
    return dataclasses.replace(parameters, filters=model.filters, target_resolution_um=size)


def initial_network(model: DeepD3Model) -> Any:
    """The model as a Keras network whose weights can be copied."""
    from deepd3_ij.model.rebuilding import keras_network

    return keras_network(model.graph)


def copy_weights(source: Any, target: Any) -> None:
    """Copy the weights of one Keras network to another one with the same layers, by the layers' names.

    Raises
    ------
    ModelError
        A layer is missing, or has another shape.
    """
    for layer in target.layers:
        if not layer.weights:
            continue
        try:
            layer.set_weights(source.get_layer(layer.name).get_weights())
        except ValueError as error:
            raise ModelError(f"The model has no layer {layer.name} of the shape that a training needs; begin anew, or "
                             "with another model.") from error
