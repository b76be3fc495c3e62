"""A network as a list of steps, and the memory that their images share."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepd3_ij.model import kernels
from deepd3_ij.model.folding import fold_normalisation, split_joined_convolutions, used_once
from deepd3_ij.model.graph import Graph, Node

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Step:
    """One computation.

    Attributes
    ----------
    kind
        Name of the function in :mod:`deepd3_ij.model.kernels`.
    source, target
        Names of images.
    scale
        Input pixels that the side of one of the target's pixels spans.
    weights, bias
        Of a convolution, or factors and offsets of channels.
    channels, first
        How many channels are worked on, and the first of the target's.
    adds
        Whether a convolution is added to what the target holds.
    activation
        One of :data:`deepd3_ij.model.kernels.ACTIVATIONS`.
    reach
        Of the kernel of a convolution of an enlarged image.
    """

    kind: str
    source: str
    target: str
    scale: int
    channels: int
    weights: FloatArray | None = None
    bias: FloatArray | None = None
    first: int = 0
    adds: bool = False
    activation: int = kernels.LINEAR
    reach: int = 0

    @property
    def rows_beyond(self) -> int:
        """Rows of the source that a row of the target needs on each side."""
        return self.weights.shape[2] // 2 if self.kind == "convolve" and self.weights is not None else 0


@dataclass(frozen=True)
class Chain:
    """Steps that are worked through together, some rows at a time, so that these stay in the processor's cache.

    Attributes
    ----------
    steps
        In order.
    scale
        That of the rows; the target of a pooling has half as many.
    beyond
        By image, how many rows before and after those at hand are computed as well, as others need them.
    passing
        Channels of the images that only these steps use; they are never there as a whole.
    margin_px
        How far from a pixel of the outputs, in pixels of the input, the results of these steps are needed for it.
    """

    steps: tuple[Step, ...]
    scale: int
    beyond: Mapping[str, int]
    passing: Mapping[str, int]
    margin_px: int


@dataclass(frozen=True)
class Plan:
    """A network as chains of steps.

    Attributes
    ----------
    chains
        In order.
    images
        Channels and scale of the images in memory.
    places
        Index of the image in memory by the name that steps use, for images that do not only pass.
    input_name, output_names
        Of images.
    border_px
        Zeros around the images: a whole register, so that rows begin where one can be loaded at once.
    """

    chains: list[Chain]
    images: list[tuple[int, int]]
    places: Mapping[str, int]
    input_name: str
    output_names: tuple[str, str]
    border_px: int


def plan_steps(graph: Graph) -> Plan:
    """The steps that compute a network."""
    folded = fold_normalisation(graph)
    nodes = split_joined_convolutions(folded)
    builder = _Builder(dataclasses.replace(folded, nodes=nodes))
    for node in nodes.values():
        builder.append(node)
    outputs = tuple(builder.image_of[name] for name in graph.output_names)
    chains = _chains(builder.steps, builder.images, outputs)
    places, images = _places(chains, builder.images, graph.input_name, outputs)
    reaches = [node.options["kernel_px"] // 2 for node in nodes.values() if "kernel_px" in node.options]
    return Plan(chains, images, places, graph.input_name, (outputs[0], outputs[1]), kernels.filled(max(reaches)))


class _Builder:
    """Makes steps of layers, one after the other.

    Attributes
    ----------
    steps
        So far.
    images
        Channels and scale of the images that they use, by name.
    image_of
        Name of the image that holds the result of a layer.
    """

    def __init__(self, graph: Graph) -> None:
        self.steps: list[Step] = []
        self.images: dict[str, tuple[int, int]] = {}
        self.image_of: dict[str, str] = {}
        self._graph = graph
        self._lone = used_once(graph)

    def append(self, node: Node) -> None:
        """Add the steps of a layer whose inputs are there already."""
        self.image_of[node.name] = node.name
        self.images[node.name] = self._graph.channels[node.name], self._graph.scales[node.name]
        channels, scale = self.images[node.name]
        sources = [self.image_of[name] for name in node.inputs]
        if node.kind in ("Conv2D", "JoinedConv2D"):
            self._convolve(node, sources)
        elif node.kind == "BatchNormalization":
            factor, bias = (np.ascontiguousarray(np.broadcast_to(node.weights[role], channels), np.float32)
                            for role in ("factor", "bias"))
            self.steps.append(Step("scale_channels", sources[0], node.name, scale, channels, factor, bias))
        elif node.kind == "Activation":
            self._activate(node, sources[0])
        elif node.kind == "MaxPooling2D":
            self.steps.append(Step("pool", sources[0], node.name, scale, channels))
        elif node.kind == "UpSampling2D":
            self.steps.append(Step("enlarge", sources[0], node.name, scale, channels))
        elif node.kind == "Concatenate":
            first = 0
            for source in sources:
                count = self.images[source][0]
                self.steps.append(Step("copy", source, node.name, scale, count, first=first))
                first += count
        elif node.kind == "Add":
            self._add(node, sources)

    def _convolve(self, node: Node, sources: Sequence[str]) -> None:
        channels, scale = self.images[node.name]
        kernel, joined = node.weights["kernel"], node.kind == "JoinedConv2D"
        nothing, bias = np.zeros((2, _whole_groups(channels)), np.float32)
        bias[:channels] = node.weights.get("bias", 0)
        if joined:
            self.steps.append(Step("convolve_enlarged", sources[0], node.name, scale, channels,
                                   _even_and_odd(node.weights["enlarged_kernel"]), bias, reach=len(kernel) // 2))
        activation = kernels.ACTIVATIONS[node.options["activation"]]
        apart = activation not in kernels.WITH_CONVOLUTION
        self.steps.append(Step("convolve", sources[-1], node.name, scale, channels, _grouped(kernel),
                               nothing if joined else bias, adds=joined,
                               activation=kernels.LINEAR if apart else activation))
        if apart:
            self.steps.append(Step("activate", node.name, node.name, scale, channels, activation=activation))

    def _activate(self, node: Node, source: str) -> None:
        """Within the convolution before it, if nothing else needs that."""
        activation = kernels.ACTIVATIONS[node.options["activation"]]
        index = self._last(source)
        if node.inputs[0] in self._lone and index is not None and activation in kernels.WITH_CONVOLUTION:
            self.steps[index] = dataclasses.replace(self.steps[index], activation=activation)
            self._rename(node, source)
        else:
            channels, scale = self.images[node.name]
            self.steps.append(Step("activate", source, node.name, scale, channels, activation=activation))

    def _add(self, node: Node, sources: Sequence[str]) -> None:
        """Two images of which one is a convolution that nothing else needs: added by it to the other."""
        channels, scale = self.images[node.name]
        if len(sources) == 2 and self._lone.issuperset(node.inputs):
            for later, earlier in (sources, sources[::-1]):
                index, before = self._last(later), self._last(earlier)
                if index is not None and before is not None and before < index and not self.steps[index].adds:
                    self.steps[index] = dataclasses.replace(self.steps[index], target=earlier, adds=True)
                    del self.images[later]
                    self._rename(node, earlier)
                    return
        self.steps.append(Step("copy", sources[0], node.name, scale, channels))
        self.steps += [Step("add", source, node.name, scale, channels) for source in sources[1:]]

    def _last(self, image: str) -> int | None:
        """Index of the step that made an image, if it was a convolution without activation."""
        index = max((index for index, step in enumerate(self.steps) if step.target == image), default=None)
        if index is None or self.steps[index].kind != "convolve" or self.steps[index].activation != kernels.LINEAR:
            return None
        return index

    def _rename(self, node: Node, image: str) -> None:
        del self.images[node.name]
        self.image_of[node.name] = image


def _chains(steps: Sequence[Step], images: Mapping[str, tuple[int, int]], outputs: Sequence[str]) -> list[Chain]:
    """Steps that follow each other at one scale, up to the next enlarging or pooling."""
    groups: list[list[Step]] = []
    for step in steps:
        if not groups or not _continues(groups[-1], step, steps, outputs):
            groups.append([])
        groups[-1].append(step)
    margins = _margins_px(steps, outputs)
    return [_chain(group, steps, images, outputs, margins) for group in groups]


def _margins_px(steps: Sequence[Step], outputs: Sequence[str]) -> dict[str, int]:
    """By image, how far from a pixel of the outputs it is needed for that, in pixels of the input.

    A pixel of an image that spans several of the input is needed if any of these lies within the distance.
    """
    margins = dict.fromkeys(outputs, 0)
    for step in reversed(steps):
        if step.target in margins:
            if step.kind == "convolve_enlarged":
                more = step.reach * step.scale
            else:
                # The pixels that a pooled one stands for reach by one of them beyond those that are needed.
                more = step.scale // 2 if step.kind == "pool" else step.rows_beyond * step.scale
            margins[step.source] = max(margins.get(step.source, 0), margins[step.target] + more)
    return margins


def _continues(group: Sequence[Step], step: Step, steps: Sequence[Step], outputs: Sequence[str]) -> bool:
    scale = group[0].scale
    if group[-1].kind == "pool" or step.kind in ("convolve_enlarged", "enlarge"):
        return False
    if step.scale != (2 * scale if step.kind == "pool" else scale):
        return False
    made_here = any(other.target == step.source for other in group)
    return not (made_here and step.rows_beyond) or _passes(step.source, [*group, step], steps, outputs)


def _passes(image: str, group: Sequence[Step], steps: Sequence[Step], outputs: Sequence[str]) -> bool:
    """Whether only these steps make and use an image."""
    return image not in outputs and all(step in group for step in steps if image in (step.source, step.target))


def _chain(group: Sequence[Step], steps: Sequence[Step], images: Mapping[str, tuple[int, int]],
           outputs: Sequence[str], margins: Mapping[str, int]) -> Chain:
    beyond = {step.target: 0 for step in group}
    for step in reversed(group):
        if step.source in beyond:
            beyond[step.source] = max(beyond[step.source], beyond[step.target] + step.rows_beyond)
    scale = group[0].scale
    passing = {name: _whole_groups(images[name][0]) for name in beyond
               if images[name][1] == scale and _passes(name, group, steps, outputs)}
    margin = max((margins.get(step.target, 0) for step in group if step.target not in passing), default=0)
    return Chain(tuple(group), scale, beyond, passing, margin)


def _places(
    chains: Sequence[Chain], images: Mapping[str, tuple[int, int]], first: str, outputs: Sequence[str]
) -> tuple[dict[str, int], list[tuple[int, int]]]:
    """Where in memory images lie: one place serves several, one after the other."""
    used = [{name: None for step in chain.steps for name in (step.source, step.target) if name not in chain.passing}
            for chain in chains]
    last = {name: index for index, names in enumerate(used) for name in names}
    last.update(dict.fromkeys(outputs, len(chains)))
    places: dict[str, int] = {}
    made: list[tuple[int, int]] = []
    free: list[int] = []
    for index, names in enumerate([{first: None}, *used], -1):
        for name in names:
            if name not in places:
                channels, scale = images[name]
                kind = _whole_groups(channels), scale
                fitting = [place for place in free if made[place] == kind]
                if fitting:
                    free.remove(fitting[0])
                else:
                    made.append(kind)
                places[name] = fitting[0] if fitting else len(made) - 1
        free += [places[name] for name, end in last.items() if end == index]
    return places, made


def _whole_groups(channels: int) -> int:
    return -(-channels // kernels.CHANNELS_AT_ONCE) * kernels.CHANNELS_AT_ONCE


def _grouped(kernel: FloatArray) -> FloatArray:
    """Weights (rows, columns, inputs, outputs) as :func:`deepd3_ij.model.kernels.convolve_row` takes them."""
    rows, columns, inputs, outputs = kernel.shape
    filled = np.zeros((rows, columns, inputs, _whole_groups(outputs)), np.float32)
    filled[..., :outputs] = kernel
    grouped = filled.reshape(rows, columns, inputs, -1, kernels.CHANNELS_AT_ONCE)
    return np.ascontiguousarray(grouped.transpose(3, 2, 0, 1, 4))


def _even_and_odd(kernel: FloatArray) -> FloatArray:
    """Kernels that give the even and odd rows and columns of the convolution of an enlarged image from the small one.

    Products of the kernel that meet the same pixel of the small image are summed before.
    """
    size = len(kernel)
    reach = size // 2
    meets = [[(side + tap - reach) // 2 - (side - reach) // 2 for tap in range(size)] for side in range(2)]
    count = 1 + max(map(max, meets))
    small = np.zeros((2, 2, count, count, *kernel.shape[2:]))
    for low in range(2):
        for right in range(2):
            for row in range(size):
                for column in range(size):
                    small[low, right, meets[low][row], meets[right][column]] += kernel[row, column]
    return np.stack([np.stack([_grouped(part.astype(np.float32)) for part in half]) for half in small])
