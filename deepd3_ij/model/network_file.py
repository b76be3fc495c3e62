"""Reading the network out of a model file without running anything that it contains.

A ``.keras`` file is a zip and an ``.h5`` file is HDF5; of both only the configuration (JSON
text, see :mod:`deepd3_ij.model.graph`) and plain float arrays are read. No member is extracted,
nothing is unpickled, no object that a file names is looked up.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepd3_ij.errors import ModelError, one_line
from deepd3_ij.input_limits import check_regular
from deepd3_ij.model.graph import Graph, Node, Weights, read_graph

_CONFIG_MEMBER = "config.json"
_WEIGHTS_MEMBER = "model.weights.h5"
_LARGEST_CONFIG_BYTES = 20_000_000
_SPARE_BYTES = 50_000_000
_ACCEPTED = "accepted: a whole model saved by Keras as .keras or .h5"

FloatArray = npt.NDArray[np.float32]


def read_network(path: Path) -> Graph:
    """Read and check the network of a model file.

    Raises
    ------
    ModelError
        The file is damaged, unsafe or no DeepD3 network.
    """
    check_regular(path, "a .keras or .h5 file", ModelError)
    try:
        with path.open("rb") as file:
            is_zip = file.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from error
    graph = _load_zip(path) if is_zip else _load_legacy(path)
    for node in graph.nodes.values():
        for role, array in node.weights.items():
            if not np.isfinite(array).all() or (role == "moving_variance" and (array < 0).any()):
                raise ModelError(f"{path.name} is damaged: weights {role!r} of layer {node.name!r} hold no usable "
                                 "numbers; train or download the model again.")
    return graph


def _load_zip(path: Path) -> Graph:
    try:
        with zipfile.ZipFile(path) as archive:
            config = _read_member(archive, _CONFIG_MEMBER, _LARGEST_CONFIG_BYTES, path)
            graph = read_graph(_parse(config, path), path.name)
            # Training adds two values to each weight; the rest is for HDF5's own tables.
            weights = _read_member(archive, _WEIGHTS_MEMBER, 16 * graph.parameter_count + _SPARE_BYTES, path)
    except ModelError:
        raise
    except Exception as error:  # zipfile and its decompressors fail in many ways
        raise ModelError(f"{path.name} is damaged ({one_line(error, 120)}); download or save the model again."
                         ) from error
    with _hdf5(io.BytesIO(weights), path) as file:
        groups = _keras3_groups(graph, file)
        return graph.with_weights(lambda node, shapes: _indexed_weights(file, groups[node.name], node, shapes, path))


def _read_member(archive: zipfile.ZipFile, name: str, largest: int, path: Path) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ModelError(f"{path.name} is no model file: it is a zip without {name}; {_ACCEPTED}.") from None
    if info.file_size > largest:
        raise ModelError(f"{path.name} is refused: its {name} has {info.file_size} bytes; accepted: at most {largest}.")
    with archive.open(info) as member:  # the directory of the zip may state less than there is
        content = member.read(largest + 1)
    if len(content) > largest:
        raise ModelError(f"{path.name} is refused: its {name} has more than {largest} bytes.")
    return content


def _load_legacy(path: Path) -> Graph:
    with _hdf5(path, path) as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise ModelError(f"{path.name} holds no network (no model_config); {_ACCEPTED}, not weights alone.")
        graph = read_graph(_parse(config, path), path.name)
        return graph.with_weights(lambda node, shapes: _named_weights(file, node, shapes, path))


@contextmanager
def _hdf5(source: Any, path: Path) -> Iterator[Any]:
    """Open HDF5; whatever its library finds wrong becomes one line."""
    import h5py

    try:
        with h5py.File(source, "r", locking=False) as file:
            yield file
    except ModelError:
        raise
    except Exception as error:  # damaged files make h5py fail in many ways
        with path.open("rb") as start:
            is_model = start.read(4) in (b"\x89HDF", b"PK\x03\x04")
        if is_model:
            raise ModelError(f"{path.name} is damaged ({one_line(error, 120)}); download or save the model again."
                             ) from error
        raise ModelError(f"{path.name} is no model file; {_ACCEPTED}.") from error


def _parse(text: Any, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path.name} is damaged: its configuration is no JSON text; {_ACCEPTED}.") from error


def _keras3_groups(graph: Graph, file: Any) -> dict[str, str]:
    """Group of each layer: Keras numbers the layers of a kind in the configuration's order."""
    root = "layers" if "layers" in file else "_layer_checkpoint_dependencies"
    counts: dict[str, int] = {}
    groups = {}
    for name, kind in graph.kinds.items():
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower().replace("2_d", "2d")
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        groups[name] = f"{root}/{snake}_{number}" if number else f"{root}/{snake}"
    return groups


def _indexed_weights(file: Any, group: str, node: Node, shapes: dict[str, tuple[int, ...]], path: Path) -> Weights:
    return {role: _array(file, f"{group}/vars/{index}", shape, node, path)
            for index, (role, shape) in enumerate(shapes.items())}


def _named_weights(file: Any, node: Node, shapes: dict[str, tuple[int, ...]], path: Path) -> Weights:
    """Weights of a legacy file, found by their role at the end of their names."""
    group = f"model_weights/{node.name}" if "model_weights" in file else node.name
    names = [name.decode() if isinstance(name, bytes) else str(name)
             for name in _hard_linked(file, group, node, path).attrs["weight_names"]]
    by_role = {name.rsplit("/", 1)[-1].split(":")[0]: name for name in names}
    for role in shapes:
        if role not in by_role:
            raise ModelError(f"{path.name} is damaged: layer {node.name!r} has no weights {role!r}; "
                             "download or save the model again.")
    return {role: _array(file, f"{group}/{by_role[role]}", shape, node, path) for role, shape in shapes.items()}


def _array(file: Any, place: str, shape: tuple[int, ...], node: Node, path: Path) -> FloatArray:
    import h5py

    dataset = _hard_linked(file, place, node, path)
    if not isinstance(dataset, h5py.Dataset):
        raise ModelError(f"{path.name} is damaged: weights of layer {node.name!r} are a group; "
                         "download or save the model again.")
    if dataset.external or dataset.is_virtual:
        raise ModelError(f"{path.name} is refused: weights of layer {node.name!r} lie in another file.")
    if dataset.shape != shape or dataset.dtype.kind != "f":
        raise ModelError(f"{path.name} is damaged: weights of layer {node.name!r} are {dataset.dtype} {dataset.shape}; "
                         f"its configuration asks for floats {shape}.")
    return np.asarray(dataset[()], dtype=np.float32)


def _hard_linked(file: Any, place: str, node: Node, path: Path) -> Any:
    """The object at a place, reached without links that could lead into other files."""
    import h5py

    item = file
    for part in filter(None, place.split("/")):
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            raise ModelError(f"{path.name} is damaged: weights of layer {node.name!r} are missing; "
                             "download or save the model again.")
        if not isinstance(link, h5py.HardLink):
            raise ModelError(f"{path.name} is refused: weights of layer {node.name!r} are a link to another place.")
        item = item[part]
    return item
