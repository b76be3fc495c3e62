"""Computes a network on tiles with one TensorFlow graph, for machines with a graphics card that TensorFlow uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.model.areas import pixels_of
from deepd3_ij.model.backend import tensorflow
from deepd3_ij.model.folding import fold_normalisation
from deepd3_ij.model.graph import Graph, Node

FloatArray = npt.NDArray[np.float32]


class TensorflowEngine:
    """A network that is ready to run.

    One graph with open batch, height and width is traced once, so that tiles of any size use it.

    Parameters
    ----------
    graph
        Network with weights.
    """

    def __init__(self, graph: Graph) -> None:
        tf = tensorflow()
        nodes = fold_normalisation(graph).nodes
        signature = [tf.TensorSpec((None, None, None, 1), tf.float32)]

        def compute(image: Any) -> tuple[Any, Any]:
            values: dict[str, Any] = {graph.input_name: image}
            for node in nodes.values():
                if node.kind != "InputLayer":
                    values[node.name] = _apply(tf, node, [values[name] for name in node.inputs])
            return values[graph.output_names[0]], values[graph.output_names[1]]

        self._run = tf.function(compute, input_signature=signature).get_concrete_function()

    def run(self, tiles: FloatArray, wanted: npt.NDArray[np.bool_] | None = None) -> tuple[FloatArray, FloatArray]:
        """Probabilities as :meth:`deepd3_ij.model.engine.Engine.run` gives them; all is computed on a graphics card."""
        image = tensorflow().constant(tiles[..., np.newaxis], dtype="float32")
        dendrite, spine = self._run(image)
        maps = dendrite.numpy()[..., 0], spine.numpy()[..., 0]
        if wanted is None:
            return maps
        kept = pixels_of(wanted)
        return np.where(kept, maps[0], 0), np.where(kept, maps[1], 0)

    def release(self) -> None:
        """TensorFlow keeps its memory; there is nothing to give back."""


def _apply(tf: Any, node: Node, inputs: list[Any]) -> Any:
    if node.kind == "Conv2D":
        return _finish_convolution(tf, node, tf.nn.conv2d(inputs[0], node.weights["kernel"], 1, "SAME"))
    if node.kind == "BatchNormalization":
        return inputs[0] * node.weights["factor"] + node.weights["bias"]
    if node.kind == "Activation":
        return _activate(tf, inputs[0], node.options["activation"])
    if node.kind == "MaxPooling2D":
        return tf.nn.max_pool2d(inputs[0], 2, 2, "VALID")
    if node.kind == "UpSampling2D":
        return tf.repeat(tf.repeat(inputs[0], 2, axis=1), 2, axis=2)
    if node.kind == "Concatenate":
        return tf.concat(inputs, axis=-1)
    return tf.add_n(inputs)


def _finish_convolution(tf: Any, node: Node, value: Any) -> Any:
    if "bias" in node.weights:
        value = tf.nn.bias_add(value, node.weights["bias"])
    return _activate(tf, value, node.options["activation"])


def _activate(tf: Any, value: Any, name: str) -> Any:
    functions = {"linear": tf.identity, "swish": tf.nn.silu, "silu": tf.nn.silu, "relu": tf.nn.relu,
                 "elu": tf.nn.elu, "selu": tf.nn.selu, "sigmoid": tf.math.sigmoid, "tanh": tf.math.tanh,
                 "softplus": tf.math.softplus}
    return functions[name](value)
