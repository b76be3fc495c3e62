"""What a training needs of Keras's backend and Keras does not offer for all of them: compiled steps."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from deepd3_ij.model.backend import keras

Array32 = npt.NDArray[np.float32]
Compute = Callable[[Array32], tuple[Array32, Array32]]


class TrainingStep(Protocol):
    """Learns from one batch after the other."""

    def __call__(self, image: Array32, targets: Sequence[Array32], learning_rate: float, keep: float) -> Array32:
        """Learn from a batch.

        Parameters
        ----------
        image
            float32 ``(n, height, width, 1)``, −1…1.
        targets
            Dendrite and spine, of the same shape; negative where it does not count.
        learning_rate
            Of this step.
        keep
            Share of the earlier average in the running mean of the weights.

        Returns
        -------
        numpy.ndarray
            float32 ``(2,)``: losses of dendrites and spines before the step.
        """
        ...

    def write_back(self) -> None:
        """Let the variables of network, average and optimizer have the values that were reached."""
        ...


def training_step(network: Any, averaged: Any, optimizer: Any, losses: Sequence[str]) -> TrainingStep:
    """Make the step of a training.

    Parameters
    ----------
    network
        Keras network to be trained, in any precision; its variables are read at the first batch.
    averaged
        Network of the same layers in float32, for the running mean of all variables.
    optimizer
        Built Keras optimizer of the network's trainable variables.
    losses
        Names of the losses of dendrites and spines, see :func:`deepd3_ij.training.losses.loss`.
    """
    made: TrainingStep = _module().Step(network, averaged, optimizer, losses)
    return made


def compiled(network: Any) -> Compute:
    """Make a function that computes planes ``(n, height, width, 1)`` with the weights that a network has then."""
    made: Compute = _module().compiled(network)
    return made


def _module() -> Any:
    return importlib.import_module(f"deepd3_ij.training.{keras().config.backend()}_steps")
