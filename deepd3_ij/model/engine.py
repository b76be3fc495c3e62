"""Computes a network on tiles, layer by layer with compiled functions.

On the benchmark's machine (AVX2) it needs 0.38 of the processor time of TensorFlow for the bundled network, and 0.82 of
OpenVINO's, in one thread side by side, and nothing but numba. A pixel's value is the same to the last bit in every tile
that holds all that it depends on. Where TensorFlow has a graphics card, that computes the network
(:mod:`deepd3_ij.model.tensorflow_engine`).
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from deepd3_ij.model import kernels
from deepd3_ij.model.graph import Graph
from deepd3_ij.model.steps import Chain, Step, plan_steps
from deepd3_ij.parallel import available_threads

FloatArray = npt.NDArray[np.float32]
_LEAST_ROWS = 8
_MOST_THREADS = 16
_PASSING_BYTES = 600_000
"""Memory for the rows of images that pass from step to step: about what the second-level cache of a core holds."""


class Engine:
    """A network that is ready to run.

    The computed network equals the given one up to rounding, but does less: batch normalisation is folded into the
    convolution before it, a decoder's convolution of an enlarged image is computed from the small one, sums and
    activations are made where a convolution's result is, and steps that follow each other work on some rows at a time.

    Parameters
    ----------
    graph
        Network with weights.
    """

    def __init__(self, graph: Graph) -> None:
        self._plan = plan_steps(graph)
        self._lock = threading.Lock()
        self._images: list[FloatArray] = []

    def run(self, tiles: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Probabilities (dendrite, spine) of tiles, all float32 of shape ``(n, height, width)``."""
        found = np.empty((2, *tiles.shape), np.float32)
        plan, (height, width) = self._plan, tiles.shape[1:]
        border = plan.border_px
        with self._lock, ThreadPoolExecutor(min(available_threads(), _MOST_THREADS)) as pool:
            self._make_images(height, width)
            inside = np.s_[0, border:border + height, border:border + width]
            for index, tile in enumerate(tiles):
                self._image(plan.input_name)[inside] = tile
                for chain in plan.chains:
                    self._in_parts(pool, chain, height // chain.scale, width // chain.scale)
                for output, name in enumerate(plan.output_names):
                    found[output, index] = self._image(name)[inside]
        return found[0], found[1]

    def release(self) -> None:
        """Give back the memory of the images, which else is kept for the next tiles."""
        with self._lock:
            self._images = []

    def _make_images(self, height: int, width: int) -> None:
        """Images for all chains; those of the last tiles if they have the same size."""
        around = 2 * self._plan.border_px
        shapes = [(channels, height // scale + around, _filled(width // scale) + around)
                  for channels, scale in self._plan.images]
        if [image.shape for image in self._images] != shapes:
            self._images = []
            self._images = [np.zeros(shape, np.float32) for shape in shapes]

    def _image(self, name: str) -> FloatArray:
        return self._images[self._plan.places[name]]

    def _in_parts(self, pool: ThreadPoolExecutor, chain: Chain, rows: int, width: int) -> None:
        """Work through a chain, a part of the rows in each thread."""
        parts = max(1, min(available_threads(), _MOST_THREADS, rows // _LEAST_ROWS))
        first, *others = itertools.pairwise(2 * (rows * part // parts // 2) if part < parts else rows
                                            for part in range(parts + 1))
        waiting = [pool.submit(self._work, chain, rows, width, *part) for part in others]
        self._work(chain, rows, width, *first)
        for part in waiting:
            part.result()

    def _work(self, chain: Chain, rows: int, width: int, begin: int, end: int) -> None:
        """Work through a chain for rows ``begin:end`` of ``rows``."""
        border, beyond = self._plan.border_px, chain.beyond
        columns = _filled(width) + 2 * border
        bytes_per_row = 4 * columns * sum(chain.passing.values())
        at_once = end - begin
        if bytes_per_row:
            at_once = min(at_once, max(_LEAST_ROWS, _PASSING_BYTES // bytes_per_row // 2 * 2))
        passing = {name: np.zeros((channels, at_once + 2 * beyond[name], columns), np.float32)
                   for name, channels in chain.passing.items()}
        for top in range(begin, end, at_once):
            bottom = min(top + at_once, end)
            for name, image in passing.items():
                first = top - beyond[name]
                image[:, :max(0, -first)] = 0
                image[:, rows - first:] = 0
            for step in chain.steps:
                images = [(passing[name], beyond[name] - top) if name in passing else (self._image(name), border)
                          for name in (step.source, step.target)]
                if step.kind == "pool":
                    _compute(step, images, border, width // 2, top // 2, bottom // 2)
                else:
                    more = beyond[step.target]
                    _compute(step, images, border, width, max(0, top - more), min(rows, bottom + more))


def _filled(width: int) -> int:
    return -(-width // kernels.PIXELS_AT_ONCE) * kernels.PIXELS_AT_ONCE


def _compute(step: Step, images: list[tuple[FloatArray, int]], border: int, width: int, begin: int, end: int) -> None:
    """Compute rows of a step; images come with the row of their memory in which row 0 lies."""
    source, target = images
    if step.kind == "convolve":
        kernels.convolve(*source, step.weights, step.bias, *target, int(step.adds), step.activation, border, width,
                         begin, end)
    elif step.kind == "convolve_enlarged":
        kernels.convolve_enlarged(*source, step.weights, step.bias, *target, step.reach, border, width, begin, end)
    elif step.kind == "scale_channels":
        kernels.scale_channels(*source, step.weights, step.bias, *target, border, width, begin, end)
    elif step.kind == "activate":
        kernels.activate(*source, *target, step.channels, step.activation, border, width, begin, end)
    elif step.kind == "copy":
        kernels.copy(*source, *target, step.first, step.channels, border, width, begin, end)
    else:
        getattr(kernels, step.kind)(*source, *target, step.channels, border, width, begin, end)
