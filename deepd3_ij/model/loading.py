"""A loaded network and where it comes from."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import ModelError
from deepd3_ij.file_identity import sha256_of
from deepd3_ij.model.backend import graphics_card
from deepd3_ij.model.card import ModelCard
from deepd3_ij.model.graph import Graph
from deepd3_ij.model.network_file import read_network
from deepd3_ij.model.zoo import card_of, find_model

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DeepD3Model:
    """A loaded network.

    Attributes
    ----------
    name, path, sha256
        What the model is called, its file and the file's SHA-256.
    card
        The model's card (empty but for the name if the file has none).
    graph
        The network as plain data, weights included.
    """

    name: str
    path: Path
    sha256: str
    card: ModelCard
    graph: Graph

    @property
    def layers(self) -> int:
        """Number of poolings; the network needs sizes that are multiples of ``2**layers``."""
        return self.graph.layers

    @property
    def filters(self) -> int:
        """Filters of the first convolution."""
        return self.graph.filters

    @property
    def fixed_shape(self) -> tuple[int, int] | None:
        """Height and width that the network needs, or None for any."""
        return self.graph.fixed_shape

    @property
    def stride_px(self) -> int:
        """Side of the pooling grid."""
        return self.graph.stride_px

    @functools.cached_property
    def halo_px(self) -> int:
        """Context that a pixel's prediction can depend on, a multiple of ``stride_px``."""
        return self.graph.halo_px()

    @functools.cached_property
    def _engine(self) -> Any:
        if graphics_card():
            from deepd3_ij.model.tensorflow_engine import TensorflowEngine

            return TensorflowEngine(self.graph)
        from deepd3_ij.model.engine import Engine

        return Engine(self.graph)

    def predict_batch(self, tiles: FloatArray, wanted: npt.NDArray[np.bool_] | None = None
                      ) -> tuple[FloatArray, FloatArray]:
        """Compute tiles.

        Parameters
        ----------
        tiles
            float32 ``(n, height, width)``, scaled to -1…1; height and width are multiples of
            ``stride_px``, or equal ``fixed_shape``.
        wanted
            Cells of 8 × 8 pixels to compute, bool ``(n, height / 8, width / 8)``; None for all.

        Returns
        -------
        tuple of numpy.ndarray
            Probabilities (dendrite, spine), float32 ``(n, height, width)``; 0 where they are not wanted.

        Raises
        ------
        ModelError
            The tiles have a size that the network cannot take.
        """
        size = tiles.shape[1:]
        if self.fixed_shape is not None and size != self.fixed_shape:
            raise ModelError(f"The tiles have size {size}; the model {self.name} accepts only {self.fixed_shape}.")
        if len(size) != 2 or 0 in size or size[0] % self.stride_px or size[1] % self.stride_px:
            raise ModelError(f"The tiles have size {size}; the model {self.name} accepts (height, width) that are "
                             f"multiples of {self.stride_px}.")
        dendrite, spine = self._engine.run(tiles, wanted)
        return dendrite, spine

    def release(self) -> None:
        """Give back the memory that computing took; computing again takes it again."""
        if "_engine" in self.__dict__:
            self._engine.release()


def load_model(name_or_path: str | PathLike[str] | None = None) -> DeepD3Model:
    """Load a model safely.

    Parameters
    ----------
    name_or_path
        A ``.keras`` or ``.h5`` file, the name of a bundled model, or the name of a Zoo model
        that has been downloaded; None for the default model.

    Returns
    -------
    DeepD3Model
        Ready for :meth:`DeepD3Model.predict_batch`.

    Raises
    ------
    ModelError
        The name is unknown, the file is missing, damaged, unsafe or no DeepD3 network.
    """
    path = find_model(name_or_path)
    stat = path.stat()
    return _load(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _load(path: Path, size: int, modified_ns: int) -> DeepD3Model:
    """Load a file; the last ones are kept while their file stays as it was."""
    graph = read_network(path)
    card = card_of(path)
    return DeepD3Model(card.name, path, sha256_of(path), card, graph)
