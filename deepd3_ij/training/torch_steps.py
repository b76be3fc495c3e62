"""Steps with PyTorch, on the device that Keras chooses, see :mod:`deepd3_ij.training.backends`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepd3_ij.model.backend import keras
from deepd3_ij.training.backends import Array32, Compute
from deepd3_ij.training.losses import loss_of_each


class Step:
    """Gradients, optimizer and average, computed one after the other."""

    def __init__(self, network: Any, averaged: Any, optimizer: Any, losses: Sequence[str]) -> None:
        self._network, self._averaged, self._optimizer, self._losses = network, averaged, optimizer, losses

    def __call__(self, image: Array32, targets: Sequence[Array32], learning_rate: float, keep: float) -> Array32:
        import torch

        ops = keras().ops
        self._optimizer.learning_rate.assign(learning_rate)
        self._network.zero_grad()
        found = self._network(ops.convert_to_tensor(image), training=True)
        losses = loss_of_each(self._losses, [ops.convert_to_tensor(target) for target in targets], found)
        self._optimizer.scale_loss(losses[0] + losses[1]).backward()
        variables = self._network.trainable_variables
        with torch.no_grad():
            self._optimizer.apply([variable.value.grad for variable in variables], variables)
            for mean, variable in zip(self._averaged.variables, self._network.variables, strict=True):
                mean.value.lerp_(variable.value, 1 - keep)
        values: Array32 = ops.convert_to_numpy(ops.stack(losses))
        return values

    def write_back(self) -> None:
        """The step works on the variables themselves."""


def compiled(network: Any) -> Compute:
    """As Keras computes it, without gradients."""

    def compute(planes: Array32) -> tuple[Array32, Array32]:
        import torch

        ops = keras().ops
        with torch.no_grad():
            dendrite, spine = network(ops.convert_to_tensor(planes), training=False)
        return ops.convert_to_numpy(dendrite), ops.convert_to_numpy(spine)

    return compute
