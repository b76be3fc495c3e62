"""The DeepD3 network: one encoder, a decoder for dendrites and one for spines.

Architecture after Fernholz et al., "DeepD3, an open framework for automated quantification
of dendritic spines", PLoS Comput Biol 2024: a U-Net whose encoder blocks carry a 1×1
residual and whose two decoders share the encoder's skip connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepd3_ij.errors import ParameterError
from deepd3_ij.model.backend import keras


def build_network(
    filters: int = 32,
    layers: int = 4,
    activation: str = "swish",
    input_shape: tuple[int | None, int | None, int] = (None, None, 1),
) -> Any:
    """Build the network with untrained weights.

    Parameters
    ----------
    filters
        Filters of the first encoder block; each deeper block has twice as many.
    layers
        Number of encoder blocks, and of decoder blocks.
    activation
        Name of the activation after each convolution.
    input_shape
        Height, width (multiples of ``2**layers``, or None for any) and channels (1).

    Returns
    -------
    keras.Model
        Input ``(batch, height, width, 1)`` scaled to -1…1; outputs ``[dendrites, spines]``,
        each ``(batch, height, width, 1)`` with probabilities 0…1. Not compiled.

    Raises
    ------
    ParameterError
        ``filters`` or ``layers`` below 1, or an input size that the pooling cannot divide.
    """
    if filters < 1 or layers < 1:
        raise ParameterError(f"filters is {filters}, layers is {layers}; accepted: at least 1 each.")
    step = 2**layers
    if any(side is not None and (side < step or side % step) for side in input_shape[:2]):
        raise ParameterError(f"input_shape is {input_shape}; accepted: height and width that are multiples of {step} "
                             f"(for {layers} layers), or None.")

    image = keras().Input(input_shape, name="input")
    skips = []
    x = image
    for i in range(layers):
        skip = _encoder_block(x, filters * 2**i, f"enc_layer{i}", activation)
        skips.append(skip)
        x = keras().layers.MaxPooling2D(2)(skip)
    latent = convolution(x, filters * step, "latent_conv", activation)
    outputs = [_head(decoder(latent, skips, filters, name, activation), name) for name in ("dendrites", "spines")]
    return keras().Model(image, outputs, name="deepd3")


def convolution(
    x: Any, filters: int, name: str, activation: str, *, residual: Any = None, normalise: bool = True
) -> Any:
    """3×3 convolution without bias, batch normalisation, perhaps a sum with a residual, activation."""
    x = keras().layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    if normalise:
        x = keras().layers.BatchNormalization(name=f"{name}_BN")(x)
    if residual is not None:
        x = keras().layers.Add(name=f"{name}_residual_connection")([residual, x])
    return keras().layers.Activation(activation, name=f"{name}_activation")(x)


def identity(x: Any, filters: int, name: str) -> Any:
    """1×1 convolution without bias: the residual of an encoder block."""
    return keras().layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x)


def decoder(latent: Any, skips: Sequence[Any], filters: int, name: str, activation: str) -> Any:
    """Up-sample step by step, joining the encoder's blocks, the deepest (last) first; gives `filters` channels."""
    x = latent
    for i in reversed(range(len(skips))):
        x = keras().layers.UpSampling2D(2, interpolation="nearest")(x)
        x = keras().layers.Concatenate()([x, skips[i]])
        for k in (1, 2):
            x = convolution(x, filters * 2**i, f"{name}_dec_layer{i + 1}_conv{k}", activation)
    return x


def _encoder_block(x: Any, filters: int, name: str, activation: str) -> Any:
    residual = identity(x, filters, f"{name}_identity")
    x = convolution(x, filters, f"{name}_conv1", activation)
    return convolution(x, filters, f"{name}_conv2", activation, residual=residual)


def _head(x: Any, name: str) -> Any:
    return keras().layers.Conv2D(1, 1, padding="same", activation="sigmoid", name=name)(x)
