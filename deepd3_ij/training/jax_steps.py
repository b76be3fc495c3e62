"""Compiled steps with JAX, see :mod:`deepd3_ij.training.backends`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepd3_ij.model.backend import keras
from deepd3_ij.training.backends import Array32, Compute
from deepd3_ij.training.losses import loss_of_each

State = dict[str, list[Any]]


class Step:
    """One compiled function from state and batch to new state; the state stays on the device between batches."""

    def __init__(self, network: Any, averaged: Any, optimizer: Any, losses: Sequence[str]) -> None:
        import jax

        self._network, self._optimizer, self._losses = network, optimizer, losses
        self._variables = {
            "weights": network.trainable_variables, "statistics": network.non_trainable_variables,
            "averaged_weights": averaged.trainable_variables, "averaged_statistics": averaged.non_trainable_variables,
            "optimizer": optimizer.variables}
        self._state: State | None = None
        self._run = jax.jit(self._train)

    def __call__(self, image: Array32, targets: Sequence[Array32], learning_rate: float, keep: float) -> Array32:
        if self._state is None:
            self._state = {name: [variable.value for variable in group] for name, group in self._variables.items()}
        # Numbers of Python would have another type than what is learned from them: it would be compiled twice.
        self._state, losses = self._run(self._state, image, tuple(targets), np.float32(learning_rate),
                                        np.float32(keep))
        return np.asarray(losses)

    def write_back(self) -> None:
        """Assign the state to the variables."""
        for name, values in (self._state or {}).items():
            for variable, value in zip(self._variables[name], values, strict=True):
                variable.assign(value)

    def _train(self, state: State, image: Any, targets: Any, learning_rate: Any, keep: Any) -> tuple[State, Any]:
        import jax
        import jax.numpy as jnp

        before = [learning_rate if variable is self._optimizer.learning_rate else value
                  for variable, value in zip(self._variables["optimizer"], state["optimizer"], strict=True)]

        def objective(weights: list[Any]) -> tuple[Any, tuple[list[Any], list[Any]]]:
            found, statistics = self._network.stateless_call(weights, state["statistics"], image, training=True)
            losses = loss_of_each(self._losses, targets, found)
            with keras().StatelessScope(zip(self._variables["optimizer"], before, strict=True)):
                return self._optimizer.scale_loss(losses[0] + losses[1]), (losses, statistics)

        (_, (losses, statistics)), gradients = jax.value_and_grad(objective, has_aux=True)(state["weights"])
        weights, after = self._optimizer.stateless_apply(before, gradients, state["weights"])

        def average(means: list[Any], values: list[Any]) -> list[Any]:
            return [keep * mean + (1 - keep) * value for mean, value in zip(means, values, strict=True)]

        return {"weights": weights, "statistics": statistics,
                "averaged_weights": average(state["averaged_weights"], weights),
                "averaged_statistics": average(state["averaged_statistics"], statistics),
                "optimizer": after}, jnp.stack(losses)


def compiled(network: Any) -> Compute:
    """Compiled for every new shape of planes, as JAX does."""
    import jax

    run = jax.jit(lambda weights, statistics, planes: network.stateless_call(
        weights, statistics, planes, training=False)[0])

    def compute(planes: Array32) -> tuple[Array32, Array32]:
        dendrite, spine = run([variable.value for variable in network.trainable_variables],
                              [variable.value for variable in network.non_trainable_variables], planes)
        return np.asarray(dendrite), np.asarray(spine)

    return compute
