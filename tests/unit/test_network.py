"""The network's architecture."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.errors import ParameterError
from deepd3_ij.model.network import build_network
from tests.unit.random_models import random_network


@pytest.mark.parametrize(("filters", "count"), [(8, 544_738), (16, 2_171_970), (32, 8_673_922)])
def test_network_has_the_published_number_of_parameters(filters, count):
    assert build_network(filters).count_params() == count


def test_outputs_are_dendrites_then_spines_with_one_channel_of_the_image_size():
    network = random_network(2, 4)
    dendrites, spines = network(np.zeros((2, 32, 48, 1), np.float32))
    assert network.output_names == ["dendrites", "spines"]
    assert dendrites.shape == spines.shape == (2, 32, 48, 1)
    assert not np.allclose(dendrites, spines)


def test_layers_have_the_names_that_model_files_of_the_original_use():
    names = {layer.name for layer in build_network(2).layers}
    expected = {"input", "latent_conv", "latent_conv_BN", "latent_conv_activation", "dendrites", "spines"}
    for i in range(4):
        expected |= {f"enc_layer{i}_{part}" for part in (
            "identity", "conv1", "conv1_BN", "conv1_activation", "conv2", "conv2_BN", "conv2_residual_connection",
            "conv2_activation")}
        expected |= {f"{decoder}_dec_layer{i + 1}_conv{k}{part}" for decoder in ("dendrites", "spines")
                     for k in (1, 2) for part in ("", "_BN", "_activation")}
    automatic = {name for name in names if name.startswith(("max_pooling2d", "up_sampling2d", "concatenate"))}
    assert names - automatic == expected
    assert len(automatic) == 4 + 8 + 8


def test_the_deepest_decoder_layer_comes_first_and_joins_the_deepest_skip():
    network = build_network(2)
    joined = network.get_layer("spines_dec_layer4_conv1").input
    assert joined.shape[-1] == 2 * 16 + 2 * 8


def test_an_input_size_that_the_pooling_cannot_divide_is_refused():
    with pytest.raises(ParameterError, match="multiples of 16"):
        build_network(2, input_shape=(100, 128, 1))
    with pytest.raises(ParameterError, match="filters is 0"):
        build_network(0)
