"""Compiled steps with TensorFlow, see :mod:`deepd3_ij.training.backends`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepd3_ij.model.backend import tensorflow
from deepd3_ij.training.backends import Array32, Compute
from deepd3_ij.training.losses import loss_of_each


class Step:
    """One graph of gradients, optimizer and average."""

    def __init__(self, network: Any, averaged: Any, optimizer: Any, losses: Sequence[str]) -> None:
        tf = tensorflow()
        self._network, self._averaged, self._optimizer, self._losses = network, averaged, optimizer, losses
        self._keep = tf.Variable(0.0, dtype=tf.float32)
        self._run = tf.function(self._train, reduce_retracing=True)

    def __call__(self, image: Array32, targets: Sequence[Array32], learning_rate: float, keep: float) -> Array32:
        self._optimizer.learning_rate.assign(learning_rate)
        self._keep.assign(keep)
        return np.asarray(self._run(image, *targets))

    def write_back(self) -> None:
        """The graph works on the variables themselves."""

    def _train(self, image: Any, *targets: Any) -> Any:
        tf = tensorflow()
        with tf.GradientTape() as tape:
            losses = loss_of_each(self._losses, targets, self._network(image, training=True))
            total = self._optimizer.scale_loss(losses[0] + losses[1])
        variables = self._network.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))
        for mean, value in zip(self._averaged.variables, self._network.variables, strict=True):
            mean.assign(self._keep * mean + (1 - self._keep) * tf.cast(value, tf.float32))
        return tf.stack(losses)


def compiled(network: Any) -> Compute:
    """One graph for planes of any number and size."""
    tf = tensorflow()
    run = tf.function(lambda planes: network(planes, training=False),
                      input_signature=[tf.TensorSpec((None, None, None, 1), tf.float32)])

    def compute(planes: Array32) -> tuple[Array32, Array32]:
        dendrite, spine = run(planes)
        return np.asarray(dendrite), np.asarray(spine)

    return compute
