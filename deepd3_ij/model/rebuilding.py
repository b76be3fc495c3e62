"""A Keras network made from a checked graph, for files that other programs read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepd3_ij.model.backend import keras
from deepd3_ij.model.graph import Graph, Node


def keras_network(graph: Graph) -> Any:
    """Build the Keras network that a graph describes, with its weights.

    Parameters
    ----------
    graph
        Network with weights, as read by :func:`deepd3_ij.model.loading.read_network`.

    Returns
    -------
    keras.Model
        float32, not compiled; input ``(batch, height, width, 1)``, outputs dendrite and spine; layers
        keep their names.
    """
    tensors: dict[str, Any] = {}
    for node in graph.nodes.values():
        if node.kind == "InputLayer":
            height, width = node.options["shape"] or (None, None)
            tensors[node.name] = keras().Input((height, width, 1), name=node.name)
            continue
        layer = _layer(node)
        inputs = [tensors[name] for name in node.inputs]
        tensors[node.name] = layer(inputs if node.kind in ("Add", "Concatenate") else inputs[0])
        layer.set_weights(list(node.weights.values()))
    return keras().Model(tensors[graph.input_name], [tensors[name] for name in graph.output_names], name="deepd3")


def _layer(node: Node) -> Any:
    layers = keras().layers
    options: Mapping[str, Any] = node.options
    if node.kind == "Conv2D":
        return layers.Conv2D(options["filters"], options["kernel_px"], padding="same", use_bias=options["use_bias"],
                             activation=options["activation"], name=node.name)
    if node.kind == "BatchNormalization":
        return layers.BatchNormalization(epsilon=options["epsilon"], center=options["center"],
                                         scale=options["scale"], name=node.name)
    if node.kind == "Activation":
        return layers.Activation(options["activation"], name=node.name)
    if node.kind == "MaxPooling2D":
        return layers.MaxPooling2D(2, name=node.name)
    if node.kind == "UpSampling2D":
        return layers.UpSampling2D(2, interpolation="nearest", name=node.name)
    if node.kind == "Concatenate":
        return layers.Concatenate(name=node.name)
    return layers.Add(name=node.name)
