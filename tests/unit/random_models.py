"""Small networks with random weights, for tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def random_network(filters: int = 2, layers: int = 2, seed: int = 0, **options: Any) -> Any:
    """A network whose weights and moving statistics are random and whose outputs vary."""
    from deepd3_ij.model.network import build_network

    network = build_network(filters, layers, **options)
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        shapes = [weight.shape for weight in layer.weights]
        if len(shapes) == 4:
            layer.set_weights([rng.uniform(0.5, 1.5, shapes[0]), rng.normal(0, 0.3, shapes[1]),
                               rng.normal(0, 0.3, shapes[2]), rng.uniform(0.3, 1.5, shapes[3])])
        elif shapes:
            layer.set_weights([rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.2, shape)
                               for shape in shapes])
    return network


def save_random(path: Path, **options: Any) -> Any:
    """Save a random network and return it."""
    network = random_network(**options)
    network.save(path)
    return network


def edit_zip_config(path: Path, change: Any) -> None:
    """Change the configuration inside a .keras file."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def edit_legacy_config(path: Path, change: Any) -> None:
    """Change the configuration inside an .h5 file."""
    import h5py

    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)


def as_keras2(config: dict[str, Any]) -> None:
    """Write a configuration the way Keras 2 does: old names, connections as plain lists."""
    config["class_name"] = "Model"
    body = config["config"]
    body["input_layers"] = [body["input_layers"]]
    for layer in body["layers"]:
        for name in ("module", "registered_name", "build_config"):
            layer.pop(name, None)
        options = layer["config"]
        options["dtype"] = "float32"
        if "batch_shape" in options:
            options["batch_input_shape"] = options.pop("batch_shape")
        if layer["class_name"] == "BatchNormalization":
            options["axis"] = [3]
        if options.get("activation") == "silu":
            options["activation"] = "swish"
        for name, value in list(options.items()):
            if name.endswith("_initializer"):
                options[name] = {"class_name": value["class_name"], "config": {}}
        calls = []
        for call in layer["inbound_nodes"]:
            argument = call["args"][0]
            tensors = argument if isinstance(argument, list) else [argument]
            calls.append([[*tensor["config"]["keras_history"], {}] for tensor in tensors])
        layer["inbound_nodes"] = calls
