"""A model file's network as plain data: checked before anything is built from it.

A model's configuration is only ever read as JSON text and turned into the few kinds of layers
that a DeepD3 network consists of, with their options checked one by one. Keras never sees the
file, so nothing that a file names can be imported, looked up or run.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import ModelError

Weights = dict[str, npt.NDArray[np.float32]]

ACTIVATIONS = ("linear", "swish", "silu", "relu", "elu", "selu", "sigmoid", "tanh", "softplus")
KINDS = ("InputLayer", "Conv2D", "BatchNormalization", "Activation", "MaxPooling2D", "UpSampling2D", "Concatenate",
         "Add")
_NETWORK_CLASSES = ("Functional", "Model")
_LARGEST_CHANNELS = 65_536
_LARGEST_PARAMETER_COUNT = 250_000_000


@dataclass(frozen=True)
class Node:
    """One layer: its kind, the layers that feed it, its checked options and its weights."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any]
    weights: Weights = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A network: nodes in an order in which every node follows its inputs.

    Attributes
    ----------
    nodes
        Layers by name.
    kinds
        Kind of every layer of the file by name, in the file's order.
    input_name, output_names
        The image; the dendrite and the spine probability.
    fixed_shape
        Height and width that the network needs, or None for any multiple of ``stride_px``.
    channels, scales
        Of each layer's output: channels, and input pixels that the side of one of its pixels spans.
    """

    nodes: Mapping[str, Node]
    kinds: Mapping[str, str]
    input_name: str
    output_names: tuple[str, str]
    fixed_shape: tuple[int, int] | None
    channels: Mapping[str, int]
    scales: Mapping[str, int]

    @property
    def stride_px(self) -> int:
        """Size of the pooling grid: height and width of an input must be multiples of it."""
        return max(self.scales.values())

    @property
    def layers(self) -> int:
        """Number of poolings."""
        return int(math.log2(self.stride_px))

    @property
    def filters(self) -> int:
        """Channels after the first convolution."""
        return next(self.channels[node.name] for node in self.nodes.values() if node.kind == "Conv2D")

    def with_weights(self, read: Callable[[Node, dict[str, tuple[int, ...]]], Weights]) -> Graph:
        """The same network with weights; ``read`` gets each node that has some, with their shapes by role."""
        nodes = {}
        for name, node in self.nodes.items():
            shapes = self.weight_shapes(node)
            nodes[name] = dataclasses.replace(node, weights=read(node, shapes)) if shapes else node
        return dataclasses.replace(self, nodes=nodes)

    def weight_shapes(self, node: Node) -> dict[str, tuple[int, ...]]:
        """Shapes of a node's weights by role, in the order in which Keras stores them."""
        options = node.options
        if node.kind == "Conv2D":
            size = options["kernel_px"]
            shapes: dict[str, tuple[int, ...]] = {
                "kernel": (size, size, self.channels[node.inputs[0]], options["filters"])}
            if options["use_bias"]:
                shapes["bias"] = (options["filters"],)
            return shapes
        if node.kind == "BatchNormalization":
            roles = ("gamma",) * options["scale"] + ("beta",) * options["center"] + ("moving_mean", "moving_variance")
            return dict.fromkeys(roles, (self.channels[node.name],))
        return {}

    @property
    def parameter_count(self) -> int:
        """Number of weights, moving statistics included."""
        return sum(math.prod(shape) for node in self.nodes.values() for shape in self.weight_shapes(node).values())

    def halo_px(self) -> int:
        """How far a pixel's prediction can depend on others, rounded up to the pooling grid.

        The interval of pixels that each layer needs is followed backwards from one cell of the
        pooling grid at the outputs to the input; for the four-layer network it is 96.
        """
        step = self.stride_px
        needed: dict[str, tuple[int, int]] = dict.fromkeys(self.output_names, (0, step))
        for node in reversed(list(self.nodes.values())):
            if node.name not in needed:
                continue
            low, high = needed[node.name]
            if node.kind == "Conv2D":
                reach = node.options["kernel_px"] // 2
                low, high = low - reach, high + reach
            elif node.kind == "MaxPooling2D":
                low, high = low * 2, high * 2
            elif node.kind == "UpSampling2D":
                low, high = low // 2, -(-high // 2)
            for name in node.inputs:
                before = needed.get(name, (low, high))
                needed[name] = min(before[0], low), max(before[1], high)
        low, high = needed[self.input_name]
        return -(-max(-low, high - step) // step) * step


def read_graph(config: Any, source: str) -> Graph:
    """Check a Keras configuration (version 2 or 3) and turn it into a graph without weights.

    Parameters
    ----------
    config
        The parsed JSON: ``class_name`` and ``config`` with ``layers``, ``input_layers``, ``output_layers``.
    source
        File name for messages.

    Raises
    ------
    ModelError
        The configuration is no DeepD3 network: other layers, other options, wrong inputs or outputs.
    """
    try:
        return _read_graph(config, source)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise ModelError(f"{source} is no DeepD3 model: its configuration is damaged ({type(error).__name__}); "
                         "accepted: a network as trained by this package or the original.") from error


def _read_graph(config: Any, source: str) -> Graph:
    _require(config.get("class_name") in _NETWORK_CLASSES, source,
             f"it is a {config.get('class_name')!r}, not a network of connected layers")
    body = config["config"]
    layers = body["layers"]
    for layer in layers:
        if layer["class_name"] not in KINDS or not _is_plain(layer):
            raise ModelError(
                f"{source} is refused: its layer {str(layer.get('name'))[:80]!r} is a "
                f"{str(layer.get('registered_name') or layer['class_name'])[:80]!r}, which could run code from the "
                f"file or is no part of a DeepD3 network; accepted: {', '.join(KINDS)}.")
    nodes = {}
    for layer in layers:
        name = _text(layer["config"].get("name", layer.get("name")))
        _require(name not in nodes, source, f"two layers are named {name!r}")
        nodes[name] = Node(name, layer["class_name"], tuple(_inputs(layer)), _options(layer, source))
    images = [node for node in nodes.values() if node.kind == "InputLayer"]
    outputs = _references(body["output_layers"])
    _require(len(images) == 1, source, f"it has {len(images)} inputs; accepted: one image (height, width, 1)")
    _require(len(outputs) == 2, source, f"it has {len(outputs)} outputs; accepted: two, dendrite and spine")
    ordered = {name: nodes[name] for name in _sorted_names(nodes, outputs, source)}
    channels, scales = _shapes(ordered, source)
    _require(images[0].name in ordered, source, "its outputs do not depend on its input")
    for name in outputs:
        _require(channels[name] == 1 and scales[name] == 1, source,
                 f"its output {name!r} has {channels[name]} channels at 1/{scales[name]} of the input's size; "
                 "accepted: one channel of the input's size")
    shape = images[0].options["shape"]
    stride = max(scales.values())
    _require(shape is None or not any(side % stride for side in shape), source,
             f"its input size {shape} is no multiple of {stride}")
    kinds = {node.name: node.kind for node in nodes.values()}
    graph = Graph(ordered, kinds, images[0].name, (outputs[0], outputs[1]), shape, channels, scales)
    _require(graph.parameter_count <= _LARGEST_PARAMETER_COUNT, source,
             f"it has {graph.parameter_count} parameters; accepted: at most {_LARGEST_PARAMETER_COUNT}")
    return graph


def _require(condition: bool, source: str, problem: str) -> None:
    if not condition:
        raise ModelError(f"{source} is no DeepD3 model: {problem}.")


def _is_plain(layer: Mapping[str, Any]) -> bool:
    module = layer.get("module")
    return (module is None or module == "keras.layers" or str(module).startswith("keras.src.layers.")) and (
        layer.get("registered_name") in (None, layer["class_name"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a name is a text")
    return value


def _references(value: Any) -> list[str]:
    """Names in ``["name", 0, 0]`` (one) or ``[["name", 0, 0], …]`` (several)."""
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in _references(item)]
    if value and isinstance(value[0], str):
        return [value[0]]
    return [_text(item[0]) for item in value]


def _inputs(layer: Mapping[str, Any]) -> Iterator[str]:
    calls = layer.get("inbound_nodes") or []
    if len(calls) > 1:
        raise ValueError("a layer is used more than once")
    for call in calls:
        if isinstance(call, Mapping):
            yield from _tensors(call["args"])
        else:
            for item in call if not isinstance(call[0], str) else [call]:
                yield _text(item[0])


def _tensors(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield _text(value["config"]["keras_history"][0])
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _tensors(item)


def _options(layer: Mapping[str, Any], source: str) -> dict[str, Any]:
    kind, config = layer["class_name"], layer["config"]

    def demand(name: str, *accepted: Any) -> None:
        value = config.get(name, accepted[0])
        _require(value in accepted, source,
                 f"its layer {str(config.get('name'))[:80]!r} has {name} {str(value)[:80]!r}; "
                 f"accepted: {accepted[0]!r}")

    if kind == "InputLayer":
        _, height, width, channels = config.get("batch_input_shape") or config["batch_shape"]
        _require(channels == 1, source,
                 f"its input has {channels} channels; accepted: one, of shape (height, width, 1)")
        _require((height is None) == (width is None), source, f"its input shape is {height} × {width}")
        if height is None:
            return {"shape": None}
        return {"shape": (_count(height), _count(width))}
    if kind == "Conv2D":
        demand("strides", [1, 1], 1)
        demand("dilation_rate", [1, 1], 1)
        demand("groups", 1)
        demand("padding", "same")
        demand("data_format", "channels_last")
        size = config["kernel_size"]
        height, width = (size, size) if isinstance(size, int) else size
        _require(height == width and height in (1, 3, 5, 7), source, f"a convolution has a {height} × {width} kernel")
        return {"filters": _count(config["filters"]), "kernel_px": height, "use_bias": bool(config["use_bias"]),
                "activation": _activation(config.get("activation", "linear"), source)}
    if kind == "BatchNormalization":
        demand("axis", -1, 3, [3], [-1])
        demand("renorm", False)
        epsilon = float(config["epsilon"])
        _require(0 < epsilon <= 1, source, f"its layer {str(config.get('name'))[:80]!r} has epsilon {epsilon:g}; "
                 "accepted: above 0, at most 1")
        return {"epsilon": epsilon, "center": bool(config["center"]), "scale": bool(config["scale"])}
    if kind == "Activation":
        return {"activation": _activation(config["activation"], source)}
    if kind == "MaxPooling2D":
        demand("pool_size", [2, 2], 2)
        demand("strides", [2, 2], 2, None)
        demand("padding", "valid", "same")
        demand("data_format", "channels_last")
    elif kind == "UpSampling2D":
        demand("size", [2, 2], 2)
        demand("interpolation", "nearest")
        demand("data_format", "channels_last")
    elif kind == "Concatenate":
        demand("axis", -1, 3)
    return {}


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_CHANNELS:
        raise ValueError("a size is a positive whole number")
    return value


def _activation(value: Any, source: str) -> str:
    if value is None:
        return "linear"
    _require(isinstance(value, str) and value in ACTIVATIONS, source,
             f"it uses the activation {str(value)[:80]!r}; accepted: {', '.join(ACTIVATIONS)}")
    return str(value)


def _sorted_names(nodes: Mapping[str, Node], outputs: Sequence[str], source: str) -> list[str]:
    """Names that the outputs depend on, each after its inputs (depth first, without recursion)."""
    done: dict[str, None] = {}
    pending = [(name, False) for name in reversed(outputs)]
    open_names: set[str] = set()
    while pending:
        name, inputs_done = pending.pop()
        if inputs_done:
            done[name] = None
            open_names.discard(name)
        elif name not in done:
            _require(name not in open_names, source, "its layers form a circle")
            open_names.add(name)
            pending.append((name, True))
            pending.extend((before, False) for before in reversed(nodes[name].inputs) if before not in done)
    return list(done)


def _shapes(nodes: Mapping[str, Node], source: str) -> tuple[dict[str, int], dict[str, int]]:
    """Channels of each layer's output, and how many input pixels one of its pixels spans."""
    channels: dict[str, int] = {}
    scales: dict[str, int] = {}
    for name, node in nodes.items():
        count = len(node.inputs)
        fits = count >= 2 if node.kind in ("Add", "Concatenate") else count == (node.kind != "InputLayer")
        _require(fits, source, f"its layer {name!r} has {count} inputs")
        widths = [channels[before] for before in node.inputs]
        heights = {scales[before] for before in node.inputs}
        _require(len(heights) <= 1, source, f"its layer {name!r} joins images of different sizes")
        scale = heights.pop() if heights else 1
        width = widths[0] if widths else 1
        if node.kind == "Conv2D":
            width = node.options["filters"]
        elif node.kind == "Concatenate":
            width = sum(widths)
        elif node.kind == "Add":
            _require(len(set(widths)) == 1, source, f"its layer {name!r} adds images of different channels")
        elif node.kind == "MaxPooling2D":
            scale *= 2
        elif node.kind == "UpSampling2D":
            _require(scale >= 2, source, f"its layer {name!r} enlarges beyond the input's size")
            scale //= 2
        channels[name], scales[name] = width, scale
    return channels, scales
