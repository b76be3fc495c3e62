"""Losses of the two outputs. Pixels whose target is negative do not count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepd3_ij.model.backend import keras

BCE_SHARE = 5.0
"""Weight of the cross-entropy beside the dice loss in "dice+bce"."""


def loss(name: str, target: Any, probability: Any) -> Any:
    """Loss of one output over a batch.

    Parameters
    ----------
    name
        "dice", "mse", "bce" or "dice+bce".
    target
        float32 array or tensor: 1 foreground, 0 background, negative: does not count.
    probability
        float32 array or tensor of the same shape, 0…1.

    Returns
    -------
    tensor
        Scalar. "dice" is 1 − 2·Σpt / (Σp + Σt) over the whole batch (after Milletari et al.,
        V-Net, 3DV 2016, without squares), "mse" and "bce" are means over the counted pixels.
    """
    ops = keras().ops
    counted = ops.cast(ops.greater_equal(target, 0.0), "float32")
    target = ops.maximum(target, 0.0)
    if name == "dice":
        return _dice(target, probability, counted)
    if name == "mse":
        return _mean(ops.square(probability - target), counted)
    if name == "bce":
        return _mean(_cross_entropy(target, probability), counted)
    return _dice(target, probability, counted) + BCE_SHARE * _mean(_cross_entropy(target, probability), counted)


def loss_of_each(names: Sequence[str], targets: Sequence[Any], found: Sequence[Any]) -> list[Any]:
    """Losses of the outputs of a network, whatever the precision of its layers, in float32."""
    return [loss(name, target, keras().ops.cast(probability, "float32"))
            for name, target, probability in zip(names, targets, found, strict=True)]


def _mean(values: Any, counted: Any) -> Any:
    ops = keras().ops
    return ops.sum(values * counted) / ops.maximum(ops.sum(counted), 1.0)


def _cross_entropy(target: Any, probability: Any) -> Any:
    ops = keras().ops
    probability = ops.clip(probability, 1e-6, 1 - 1e-6)
    return -target * ops.log(probability) - (1 - target) * ops.log(1 - probability)


def _dice(target: Any, probability: Any, counted: Any) -> Any:
    ops = keras().ops
    both = ops.sum(target * probability * counted)
    total = ops.sum((target + probability) * counted)
    return 1.0 - (2.0 * both + 1.0) / (total + 1.0)
