"""Computes a network on tiles, layer by layer with compiled functions.

For the bundled network it needs 0.38 of the processor time of TensorFlow and 0.82 of OpenVINO's with AVX2, in one
thread side by side, 0.6 of TensorFlow's with AVX-512, and nothing but numba. A pixel's value is the same to the last
bit in every tile that holds all that it depends on. Where TensorFlow has a graphics card, that computes the network
(:mod:`deepd3_ij.model.tensorflow_engine`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from deepd3_ij.model import areas, kernels
from deepd3_ij.model.areas import Area
from deepd3_ij.model.graph import Graph
from deepd3_ij.model.steps import Chain, Step, plan_steps
from deepd3_ij.parallel import available_threads

FloatArray = npt.NDArray[np.float32]
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

    def run(self, tiles: FloatArray, wanted: npt.NDArray[np.bool_] | None = None) -> tuple[FloatArray, FloatArray]:
        """Probabilities of tiles.

        Parameters
        ----------
        tiles
            float32, shape ``(n, height, width)``.
        wanted
            Cells of :data:`deepd3_ij.model.areas.CELL_PX` × as many pixels that are wanted, bool, shape ``(n, height /
            CELL_PX, width / CELL_PX)``; None for all.

        Returns
        -------
        tuple of numpy.ndarray
            Dendrite and spine probability, float32, shape ``(n, height, width)``; 0 where they are not wanted.
        """
        found = np.zeros((2, *tiles.shape), np.float32)
        plan, (height, width) = self._plan, tiles.shape[1:]
        border = plan.border_px
        with self._lock, ThreadPoolExecutor(min(available_threads(), _MOST_THREADS)) as pool:
            self._make_images(height, width)
            inside = np.s_[0, border:border + height, border:border + width]
            for index, tile in enumerate(tiles):
                cells = None if wanted is None else wanted[index]
                if cells is not None and not cells.any():
                    continue
                self._image(plan.input_name)[inside] = tile
                shares = areas.Shares((height, width), cells, min(available_threads(), _MOST_THREADS))
                for chain in plan.chains:
                    self._in_parts(pool, chain, (height, width), shares.parts(chain.scale, chain.margin_px))
                for output, name in enumerate(plan.output_names):
                    result = self._image(name)[inside]
                    found[output, index] = result if cells is None else np.where(areas.pixels_of(cells), result, 0)
        return found[0], found[1]

    def release(self) -> None:
        """Give back the memory of the images, which else is kept for the next tiles."""
        with self._lock:
            self._images = []

    def _make_images(self, height: int, width: int) -> None:
        """Images for all chains; those of the last tiles if they have the same size."""
        shapes = [(channels, height // scale + 2 * self._plan.border_px, self._columns(width // scale))
                  for channels, scale in self._plan.images]
        if [image.shape for image in self._images] != shapes:
            self._images = []
            self._images = [_zeros(shape) for shape in shapes]

    def _image(self, name: str) -> FloatArray:
        return self._images[self._plan.places[name]]

    def _columns(self, width: int) -> int:
        """Columns in memory of an image; the last ones take what a register reaches beyond a part of a row."""
        return kernels.filled(width) + 2 * self._plan.border_px + kernels.PIXELS_AT_ONCE

    def _in_parts(self, pool: ThreadPoolExecutor, chain: Chain, size: tuple[int, int],
                  parts: Sequence[Sequence[Area]]) -> None:
        """Work through a chain, a part of its areas in each thread."""
        rows, width = (side // chain.scale for side in size)
        waiting = [pool.submit(self._work, chain, rows, width, part) for part in parts[1:]]
        self._work(chain, rows, width, parts[0])
        for part in waiting:
            part.result()

    def _work(self, chain: Chain, rows: int, width: int, part: Sequence[Area]) -> None:
        """Work through a chain in areas of an image of ``rows`` × ``width`` pixels."""
        beyond, columns = chain.beyond, self._columns(width)
        highest = max((area.bottom - area.top for area in part), default=0)
        bytes_per_row = 4 * columns * sum(chain.passing.values())
        at_once = highest
        if bytes_per_row:
            at_once = min(at_once, max(areas.LEAST_ROWS, _PASSING_BYTES // bytes_per_row // 2 * 2))
        passing = {name: _zeros((channels, at_once + 2 * beyond[name], columns))
                   for name, channels in chain.passing.items()}
        for area in part:
            for top in range(area.top, area.bottom, at_once):
                bottom = min(top + at_once, area.bottom)
                for name, image in passing.items():
                    first = top - beyond[name]
                    image[:, :max(0, -first)] = 0
                    image[:, rows - first:] = 0
                for step in chain.steps:
                    images = [(passing[name], beyond[name] - top) if name in passing
                              else (self._image(name), self._plan.border_px) for name in (step.source, step.target)]
                    self._compute(step, images, area.grown(top, bottom, beyond[step.target], rows, width))

    def _compute(self, step: Step, images: Sequence[tuple[FloatArray, int]], area: Area) -> None:
        """Compute an area of a step; images come with the row of their memory in which row 0 lies."""
        source, target = images
        border, width, rows = self._plan.border_px, area.right - area.left, (area.top, area.bottom)
        inner = border + area.left
        if step.kind == "convolve":
            kernels.convolve(*source, step.weights, step.bias, *target, int(step.adds), step.activation, inner, width,
                             *rows)
        elif step.kind == "convolve_enlarged":
            kernels.convolve_enlarged(*source, step.weights, step.bias, *target, step.reach, border, area.left, width,
                                      *rows)
        elif step.kind == "scale_channels":
            kernels.scale_channels(*source, step.weights, step.bias, *target, inner, width, *rows)
        elif step.kind == "activate":
            kernels.activate(*source, *target, step.channels, step.activation, inner, width, *rows)
        elif step.kind == "copy":
            kernels.copy(*source, *target, step.first, step.channels, inner, width, *rows)
        elif step.kind == "add":
            kernels.add(*source, *target, step.channels, inner, width, *rows)
        elif step.kind == "enlarge":
            kernels.enlarge(*source, *target, step.channels, border, area.left, width, *rows)
        else:
            kernels.pool(*source, *target, step.channels, border, area.left // 2, width // 2, area.top // 2,
                         area.bottom // 2)


def _zeros(shape: tuple[int, ...]) -> FloatArray:
    """Zeros that begin where a register's worth of memory does."""
    count, whole = math.prod(shape), kernels.PIXELS_AT_ONCE
    memory = np.zeros(count + whole, np.float32)
    first = -(memory.ctypes.data // memory.itemsize) % whole
    return memory[first:first + count].reshape(shape)
