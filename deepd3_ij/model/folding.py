"""A network that computes the same with less: layers merged before it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.model.graph import Graph, Node

FloatArray = npt.NDArray[np.float32]


def fold_normalisation(graph: Graph) -> Graph:
    """Merge each batch normalisation into the convolution before it, where only it uses that convolution."""
    once = used_once(graph)
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph.nodes.values():
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        if node.kind != "BatchNormalization":
            nodes[node.name] = dataclasses.replace(node, inputs=inputs)
            continue
        factor, bias = _affine(node)
        before = nodes[inputs[0]]
        if (before.kind == "Conv2D" and before.options["activation"] == "linear" and before.name in once
                and node.name not in graph.output_names):
            shift = before.weights.get("bias", np.float32(0)) * factor + bias
            nodes[before.name] = dataclasses.replace(before, weights=_single_precision(
                kernel=before.weights["kernel"] * factor, bias=shift))
            renamed[node.name] = before.name
        else:
            nodes[node.name] = dataclasses.replace(
                node, inputs=inputs, weights=_single_precision(factor=factor, bias=bias))
    return dataclasses.replace(graph, nodes=nodes)


def split_joined_convolutions(graph: Graph) -> Mapping[str, Node]:
    """Turn each convolution of [an enlarged image, another one] into the sum of two convolutions.

    That of the enlarged image can then be computed from the small one, with 16 instead of 36 products per pixel of it.
    """
    once = used_once(graph)
    nodes = dict(graph.nodes)
    for node in graph.nodes.values():
        join = graph.nodes.get(node.inputs[0]) if node.kind == "Conv2D" else None
        if join is None or join.kind != "Concatenate" or len(join.inputs) != 2 or join.name not in once:
            continue
        enlarged = graph.nodes[join.inputs[0]]
        if enlarged.kind != "UpSampling2D" or enlarged.name not in once:
            continue
        kernel, channels = node.weights["kernel"], graph.channels[enlarged.name]
        nodes[node.name] = Node(node.name, "JoinedConv2D", (enlarged.inputs[0], join.inputs[1]), node.options, {
            **node.weights, "enlarged_kernel": np.ascontiguousarray(kernel[:, :, :channels]),
            "kernel": np.ascontiguousarray(kernel[:, :, channels:])})
        del nodes[join.name], nodes[enlarged.name]
    return nodes


def used_once(graph: Graph) -> set[str]:
    """Layers whose output exactly one other layer uses, and that are no output of the network."""
    uses = [name for node in graph.nodes.values() for name in node.inputs] + list(graph.output_names) * 2
    return {name for name in graph.nodes if uses.count(name) == 1}


def _affine(node: Node) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Factor and offset per channel that a batch normalisation amounts to."""
    weights = {name: value.astype(np.float64) for name, value in node.weights.items()}
    factor = weights.get("gamma", np.float64(1)) / np.sqrt(weights["moving_variance"] + node.options["epsilon"])
    return factor, weights.get("beta", np.float64(0)) - weights["moving_mean"] * factor


def _single_precision(**arrays: Any) -> dict[str, FloatArray]:
    return {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
