"""Losses of the two outputs. Pixels whose target is negative do not count."""

from __future__ import annotations

from typing import Any

BCE_SHARE = 5.0
"""Weight of the cross-entropy beside the dice loss in "dice+bce"."""


def loss(name: str, target: Any, probability: Any) -> Any:
    """Loss of one output over a batch.

    Parameters
    ----------
    name
        "dice", "mse", "bce" or "dice+bce".
    target
        float32 tensor: 1 foreground, 0 background, negative: does not count.
    probability
        float32 tensor of the same shape, 0…1.

    Returns
    -------
    tensor
        Scalar. "dice" is 1 − 2·Σpt / (Σp + Σt) over the whole batch (after Milletari et al.,
        V-Net, 3DV 2016, without squares), "mse" and "bce" are means over the counted pixels.
    """
    import tensorflow as tf

    counted = tf.cast(target >= 0, tf.float32)
    target = tf.maximum(target, 0.0)
    if name == "dice":
        return _dice(target, probability, counted)
    if name == "mse":
        return _mean(tf.square(probability - target), counted)
    if name == "bce":
        return _mean(_cross_entropy(target, probability), counted)
    return _dice(target, probability, counted) + BCE_SHARE * _mean(_cross_entropy(target, probability), counted)


def _mean(values: Any, counted: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(values * counted) / tf.maximum(tf.reduce_sum(counted), 1.0)


def _cross_entropy(target: Any, probability: Any) -> Any:
    import tensorflow as tf

    probability = tf.clip_by_value(probability, 1e-6, 1 - 1e-6)
    return -target * tf.math.log(probability) - (1 - target) * tf.math.log(1 - probability)


def _dice(target: Any, probability: Any, counted: Any) -> Any:
    import tensorflow as tf

    both = tf.reduce_sum(target * probability * counted)
    total = tf.reduce_sum((target + probability) * counted)
    return 1.0 - (2.0 * both + 1.0) / (total + 1.0)
