"""The guide's ``deepd3.model.builder``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deepd3_ij.errors import ParameterError
from deepd3_ij.model.network import build_network, convolution
from deepd3_ij.model.network import decoder as _decoder
from deepd3_ij.model.network import identity as _identity


def DeepD3_Model(
    filters: int = 32,
    input_shape: tuple[int | None, int | None, int] = (128, 128, 1),
    layers: int = 4,
    activation: str = "swish",
) -> Any:
    """Build the network; see :func:`deepd3_ij.model.network.build_network`.

    The default input shape is the documented one and takes tiles of this size alone. The original's code has
    ``(None, None, 1)``, which takes any size that the pooling divides: give that for whole planes.

    Parameters
    ----------
    filters
        Filters of the first block.
    input_shape
        Height, width and channels.
    layers
        Blocks of the encoder, and of each decoder.
    activation
        Activation after each convolution.

    Returns
    -------
    keras.Model
        Outputs [dendrites, spines]; not compiled.
    """
    return build_network(filters, layers, activation, input_shape)


def convlayer(
    x: Any, filters: int, activation: str, name: str, residual: Any = None, use_batchnorm: bool = True
) -> Any:
    """3×3 convolution, batch normalisation, perhaps a sum with a residual, activation.

    Parameters
    ----------
    x
        Keras tensor.
    filters
        Filters of the convolution.
    activation
        Name of the activation.
    name
        Name of the convolution, and start of the other layers' names.
    residual
        Keras tensor to be added before the activation.
    use_batchnorm
        Normalise.

    Returns
    -------
    keras.KerasTensor
    """
    return convolution(x, filters, name, activation, residual=residual, normalise=use_batchnorm)


def decoder(x: Any, filters: int, layers: int, to_concat: Sequence[Any], name: str, activation: str) -> Any:
    """Up-sample from the latent space, joining the encoder's blocks; without the 1×1 convolution of the output.

    Parameters
    ----------
    x
        Latent space.
    filters
        Filters of the last block.
    layers
        Number of blocks.
    to_concat
        Blocks of the encoder, in its order.
    name
        Start of the layers' names.
    activation
        Name of the activation.

    Returns
    -------
    keras.KerasTensor
    """
    if len(to_concat) != layers:
        raise ParameterError(f"to_concat has {len(to_concat)} blocks; accepted: one for each of {layers} layers.")
    return _decoder(x, to_concat, filters, name, activation)


def identity(x: Any, filters: int, name: str) -> Any:
    """1×1 convolution for a residual.

    Parameters
    ----------
    x
        Keras tensor.
    filters
        Filters of the convolution.
    name
        Name of the layer.

    Returns
    -------
    keras.KerasTensor
    """
    return _identity(x, filters, name)
