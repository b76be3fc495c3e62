"""Writing a network as model files: `.keras`, and `.h5` in the layout of Keras 2 for the original DeepD3."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import ModelError
from deepd3_ij.model.card import ModelCard, attach_card

KERAS_VERSION = "2.12.0"
"""Version whose layout the .h5 files have."""
_DROPPED = (
    "module", "registered_name", "build_config", "quantization_config", "optional", "synchronized",
    "virtual_batch_size", "renorm", "renorm_clipping", "renorm_momentum", "lora_rank", "lora_alpha",
    "input_axes", "output_axes",
)


def save_network(network: Any, path: str | PathLike[str], card: ModelCard | None = None) -> None:
    """Save a network with its card.

    Parameters
    ----------
    network
        Keras model in float32, as built by :func:`deepd3_ij.model.network.build_network`.
    path
        ``.keras``, or ``.h5`` for a file that the original DeepD3 (Keras 2) opens, too.
    card
        Description that is put into the file.

    Raises
    ------
    ModelError
        The name ends otherwise.
    OutputError
        The file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".keras", ".h5"):
        raise ModelError(f"The model file is {path.name!r}; accepted: a name that ends in .keras or .h5.")
    with replacing(path) as temporary:
        if path.suffix == ".keras":
            network.save(temporary)
        else:
            _write_keras2(network, temporary)
        if card is not None:
            attach_card(temporary, card)


def keras2_config(network: Any) -> dict[str, Any]:
    """Describe a network as Keras 2 did in its files (class "Functional")."""
    layers = [_keras2_layer(layer) for layer in network.get_config()["layers"]]
    outputs = [tensor._keras_history.operation.name for tensor in network.outputs]
    inputs = [tensor._keras_history.operation.name for tensor in network.inputs]
    return {"class_name": "Functional", "config": {
        "name": network.name, "trainable": True, "layers": layers,
        "input_layers": [[name, 0, 0] for name in inputs], "output_layers": [[name, 0, 0] for name in outputs]}}


def _keras2_layer(layer: dict[str, Any]) -> dict[str, Any]:
    config = _keras2_value(layer["config"])
    config["dtype"] = "float32"
    if layer["class_name"] == "InputLayer":
        config = {"batch_input_shape": config.pop("batch_shape"), "dtype": "float32", "sparse": False,
                  "ragged": False, "name": config["name"]}
    if layer["class_name"] == "BatchNormalization" and isinstance(config["axis"], int):
        config["axis"] = [3 if config["axis"] == -1 else config["axis"]]
    sources = [source for node in layer["inbound_nodes"] for source in _sources(node["args"])]
    inbound = [[[name, node, tensor, {}] for name, node, tensor in sources]] if sources else []
    return {"class_name": layer["class_name"], "config": config, "name": layer["config"]["name"],
            "inbound_nodes": inbound}


def _keras2_value(value: Any) -> Any:
    if isinstance(value, dict) and "class_name" in value:
        return {"class_name": value["class_name"], "config": _keras2_value(value.get("config", {}))}
    if isinstance(value, dict):
        return {name: _keras2_value(item) for name, item in value.items() if name not in _DROPPED}
    if isinstance(value, tuple | list):
        return [_keras2_value(item) for item in value]
    return "swish" if value == "silu" else value


def _sources(value: Any) -> list[tuple[str, int, int]]:
    """Layers (name, node, tensor) that a call's arguments come from."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [tuple(value["config"]["keras_history"])]
        return []
    if isinstance(value, list | tuple):
        return [source for item in value for source in _sources(item)]
    return []


def _write_keras2(network: Any, path: Path) -> None:
    text = h5py.string_dtype()
    with h5py.File(path, "w", locking=False) as file:
        group = file.create_group("model_weights")
        for place in (file, group):
            place.attrs["backend"] = "tensorflow"
            place.attrs["keras_version"] = KERAS_VERSION
        file.attrs["model_config"] = json.dumps(keras2_config(network))
        group.attrs.create("layer_names", [layer.name for layer in network.layers], dtype=text)
        for layer in network.layers:
            part = group.create_group(layer.name)
            names = [f"{layer.name}/{weight.name}:0" for weight in layer.weights]
            part.attrs.create("weight_names", names, shape=(len(names),), dtype=text)
            for name, weight in zip(names, layer.get_weights(), strict=True):
                part.create_dataset(name, data=np.asarray(weight, dtype=np.float32))
