"""Computes a network on tiles with one compiled TensorFlow graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.model.backend import tensorflow
from deepd3_ij.model.graph import Graph, Node

FloatArray = npt.NDArray[np.float32]


class Engine:
    """A network that is ready to run.

    The computed graph equals the network up to rounding, but does less: batch normalisation is
    folded into the convolution before it, and a decoder's convolution of an enlarged and a
    joined image becomes a transposed convolution of the small image, which has 16 instead of 36
    products per pixel of it, plus a convolution of the joined one. One graph with open batch,
    height and width is traced once, so that tiles of any size use it.

    Parameters
    ----------
    graph
        Network with weights.
    """

    def __init__(self, graph: Graph) -> None:
        tf = tensorflow()
        nodes = _split_joined_convolutions(_fold_normalisation(graph))
        signature = [tf.TensorSpec((None, None, None, 1), tf.float32)]

        def compute(image: Any) -> tuple[Any, Any]:
            values: dict[str, Any] = {graph.input_name: image}
            for node in nodes.values():
                if node.kind != "InputLayer":
                    values[node.name] = _apply(tf, node, [values[name] for name in node.inputs])
            return values[graph.output_names[0]], values[graph.output_names[1]]

        self._run = tf.function(compute, input_signature=signature).get_concrete_function()

    def run(self, tiles: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Probabilities (dendrite, spine) of tiles, all float32 of shape ``(n, height, width)``."""
        image = tensorflow().constant(tiles[..., np.newaxis], dtype="float32")
        dendrite, spine = self._run(image)
        return dendrite.numpy()[..., 0], spine.numpy()[..., 0]


def _apply(tf: Any, node: Node, inputs: list[Any]) -> Any:
    if node.kind == "Conv2D":
        return _finish_convolution(tf, node, tf.nn.conv2d(inputs[0], node.weights["kernel"], 1, "SAME"))
    if node.kind == "JoinedConv2D":
        small, joined = inputs
        kernel = node.weights["enlarging_kernel"]
        shape = tf.concat([tf.shape(joined)[:3], [kernel.shape[2]]], axis=0)
        value = tf.nn.conv2d_transpose(small, kernel, shape, 2, "SAME")
        return _finish_convolution(tf, node, value + tf.nn.conv2d(joined, node.weights["kernel"], 1, "SAME"))
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


def _fold_normalisation(graph: Graph) -> Graph:
    """Merge each batch normalisation into the convolution before it, where only it uses that convolution."""
    used_once = _used_once(graph)
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph.nodes.values():
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        if node.kind != "BatchNormalization":
            nodes[node.name] = dataclasses.replace(node, inputs=inputs)
            continue
        factor, bias = _affine(node)
        before = nodes[inputs[0]]
        if (before.kind == "Conv2D" and before.options["activation"] == "linear" and before.name in used_once
                and node.name not in graph.output_names):
            shift = before.weights.get("bias", np.float32(0)) * factor + bias
            nodes[before.name] = dataclasses.replace(before, weights=_single_precision(
                kernel=before.weights["kernel"] * factor, bias=shift))
            renamed[node.name] = before.name
        else:
            nodes[node.name] = dataclasses.replace(
                node, inputs=inputs, weights=_single_precision(factor=factor, bias=bias))
    return dataclasses.replace(graph, nodes=nodes)


def _split_joined_convolutions(graph: Graph) -> Mapping[str, Node]:
    """Turn each convolution of [an enlarged image, another one] into the sum of two convolutions."""
    used_once = _used_once(graph)
    nodes = dict(graph.nodes)
    for node in graph.nodes.values():
        join = graph.nodes.get(node.inputs[0]) if node.kind == "Conv2D" else None
        if join is None or join.kind != "Concatenate" or len(join.inputs) != 2 or join.name not in used_once:
            continue
        enlarged = graph.nodes[join.inputs[0]]
        if enlarged.kind != "UpSampling2D" or enlarged.name not in used_once:
            continue
        kernel, channels = node.weights["kernel"], graph.channels[enlarged.name]
        nodes[node.name] = Node(node.name, "JoinedConv2D", (enlarged.inputs[0], join.inputs[1]), node.options, {
            **node.weights, "enlarging_kernel": _enlarging_kernel(kernel[:, :, :channels]),
            "kernel": np.ascontiguousarray(kernel[:, :, channels:])})
        del nodes[join.name], nodes[enlarged.name]
    return nodes


def _used_once(graph: Graph) -> set[str]:
    """Layers whose output exactly one other layer uses, and that are no output of the network."""
    uses = [name for node in graph.nodes.values() for name in node.inputs] + list(graph.output_names) * 2
    return {name for name in graph.nodes if uses.count(name) == 1}


def _enlarging_kernel(kernel: FloatArray) -> FloatArray:
    """Kernel of the stride-2 transposed convolution that equals repeating each pixel twice, then convolving.

    Input pixel i becomes pixels 2i and 2i + 1 of the enlarged image; each tap of the convolution
    hands them to one output pixel, and what reaches the same output pixel is summed.
    """
    size = kernel.shape[0]
    spread = np.zeros((size + 1, size + 1, *kernel.shape[2:]))
    for row in range(size):
        for column in range(size):
            bottom, right = size - row, size - column
            spread[bottom - 1:bottom + 1, right - 1:right + 1] += kernel[row, column]
    return np.ascontiguousarray(spread.transpose(0, 1, 3, 2), dtype=np.float32)


def _affine(node: Node) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Factor and offset per channel that a batch normalisation amounts to."""
    weights = {name: value.astype(np.float64) for name, value in node.weights.items()}
    factor = weights.get("gamma", np.float64(1)) / np.sqrt(weights["moving_variance"] + node.options["epsilon"])
    return factor, weights.get("beta", np.float64(0)) - weights["moving_mean"] * factor


def _single_precision(**arrays: Any) -> dict[str, FloatArray]:
    return {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
