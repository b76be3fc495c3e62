"""Sets of training data in DeepD3's d3set files.

A set holds arrays under ``/data/stacks|dendrites|spines/x0, x1, …`` and their metadata as a table in
the "fixed" layout of pandas. DeepD3 stores the table's texts (source name, time) as a pickle, which is
never read here; ours are plain bytes, which pandas reads as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import AnnotationError, FileFormatError
from deepd3_ij.files import pytables_layout as layout
from deepd3_ij.files.d3data import IGNORED, META_TYPES, D3Data, assemble, checked_meta, read_d3data
from deepd3_ij.progress import Progress, no_progress

_KIND = "a d3set file"
_ARRAYS = ("stacks", "dendrites", "spines")
_MAX_BLOCKS = 64


def write_d3set(
    path: str | PathLike[str],
    items: Sequence[D3Data | str | PathLike[str]],
    *,
    progress: Progress = no_progress,
) -> None:
    """Arrange training data to a set that DeepD3 opens.

    Parameters
    ----------
    path
        File to make or replace.
    items
        Training data, or d3data files, which are read one after the other.
    progress
        Called for every item.

    Raises
    ------
    AnnotationError
        There are no items, or one is inconsistent.
    FileFormatError, OutputError
        A file cannot be read or written.
    """
    if not items:
        raise AnnotationError("A d3set needs at least one d3data file; none was given.")
    rows: list[dict[str, Any]] = []
    progress(0, len(items), "Writing d3set")
    with replacing(path) as temporary, layout.create_file(temporary) as file:
        data = layout.create_group(file, "data", "dict:3")
        groups = [layout.create_group(data, name, f"dict:{len(items)}") for name in _ARRAYS]
        for index, item in enumerate(items):
            part = item if isinstance(item, D3Data) else read_d3data(item)
            rows.append(checked_meta(part))
            arrays = (part.stack, part.dendrite > 0, part.spines > 0)
            for group, array in zip(groups, arrays, strict=True):
                layout.write_volume(group, f"x{index}", array)
            if part.ignored is not None:
                extra = data[IGNORED] if IGNORED in data else layout.create_group(data, IGNORED, "dict:0")
                layout.write_volume(extra, f"x{index}", part.ignored)
            progress(index + 1, len(items), "Writing d3set")
        _write_table(file, rows)


def read_d3set(path: str | PathLike[str], *, progress: Progress = no_progress) -> list[D3Data]:
    """Read a d3set of this package or of DeepD3.

    Parameters
    ----------
    path
        The file.
    progress
        Called for every stack.

    Returns
    -------
    list of D3Data
        In the order of the table. ``meta`` holds what the table says; of files by DeepD3 the
        texts (``Generated_from``, ``Timestamp``) are missing, as they are pickled.

    Raises
    ------
    FileFormatError
        The file is damaged or of another kind.
    """
    with layout.open_file(path, _KIND) as file:
        data, meta = layout.node_of(file, "data"), layout.node_of(file, "meta")
        groups = [layout.node_of(data, name) if isinstance(data, h5py.Group) else None for name in _ARRAYS]
        if not isinstance(meta, h5py.Group) or not all(isinstance(group, h5py.Group) for group in groups):
            raise FileFormatError(f"{path} has no /data/stacks, /data/dendrites, /data/spines and /meta; give {_KIND}.")
        rows = _read_table(meta, path, len(groups[0] or ()))
        if len(rows) != len(groups[0] or ()):
            raise FileFormatError(f"{path}: the table has {len(rows)} rows for {len(groups[0] or ())} stacks; "
                                  "arrange the set again.")
        result = []
        extra = layout.node_of(data, IGNORED)
        progress(0, len(rows), "Reading d3set")
        for index, row in enumerate(rows):
            volumes = [layout.read_volume(group, f"x{index}", _KIND) for group in groups]
            ignored = layout.read_volume(extra, f"x{index}", _KIND) \
                if isinstance(extra, h5py.Group) and f"x{index}" in extra else None
            result.append(assemble(path, volumes, row, ignored))
            progress(index + 1, len(rows), "Reading d3set")
    return result


def _write_table(file: h5py.File, rows: Sequence[dict[str, Any]]) -> None:
    """Write metadata in the layout of a pandas data frame, a block for every type."""
    blocks: list[tuple[list[str], npt.NDArray[Any]]] = []
    for kind in (bool, float, int):
        names = [name for name, column in META_TYPES.items() if column is kind]
        blocks.append((names, np.array([[row[name] for name in names] for row in rows],
                                       dtype=np.int64 if kind is int else kind)))
    names = [name for name, column in META_TYPES.items() if column is str]
    blocks.append((names, _bytes([[row[name] for name in names] for row in rows])))

    group = layout.create_group(file, "meta")
    for name, text in (("pandas_type", "frame"), ("pandas_version", "0.15.2"), ("encoding", "UTF-8"),
                       ("errors", "strict"), ("axis0_variety", "regular"), ("axis1_variety", "regular")):
        layout.set_text(group, name, text)
    layout.set_number(group, "ndim", np.int64(2))
    layout.set_number(group, "nblocks", np.int64(len(blocks)))
    _write_index(group, "axis0", _bytes(list(META_TYPES)), "string")
    _write_index(group, "axis1", np.arange(len(rows), dtype=np.int64), "integer")
    for number, (names, values) in enumerate(blocks):
        layout.set_text(group, f"block{number}_items_variety", "regular")
        _write_index(group, f"block{number}_items", _bytes(names), "string")
        layout.set_number(layout.write_array(group, f"block{number}_values", values), "transposed", True)


def _write_index(group: h5py.Group, name: str, values: npt.NDArray[Any], kind: str) -> None:
    node = layout.write_array(group, name, values)
    layout.set_text(node, "kind", kind)
    layout.set_number(node, "transposed", True)


def _bytes(texts: Any) -> npt.NDArray[np.bytes_]:
    return np.char.encode(np.array(texts, dtype=str), "utf-8")


def _read_table(meta: h5py.Group, path: str | PathLike[str], stacks: int) -> list[dict[str, Any]]:
    """Rows of the table as far as its blocks hold numbers or plain bytes."""
    columns: dict[str, list[Any]] = {}
    count = layout.read_attribute(meta, "nblocks")
    for number in range(min(count, _MAX_BLOCKS) if isinstance(count, int) else 0):
        items, node = layout.node_of(meta, f"block{number}_items"), layout.node_of(meta, f"block{number}_values")
        if not isinstance(items, h5py.Dataset) or items.dtype.kind != "S" or items.ndim != 1:
            continue
        if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "biufS" or node.ndim != 2:
            continue
        transposed = bool(layout.read_attribute(node, "transposed"))
        # Before anything is read: a table of very many rows would take all memory.
        count_of_rows = node.shape[0 if transposed else 1]
        if count_of_rows != stacks:
            raise FileFormatError(f"{path}: the table has {count_of_rows} rows for {stacks} stacks; "
                                  "arrange the set again.")
        values = layout.read_values(node) if transposed else layout.read_values(node).T
        if values.shape[1] != len(items):
            raise FileFormatError(f"{path}: block {number} of the table does not fit its columns; "
                                  "arrange the set again.")
        if values.dtype.kind == "S":
            values = np.array([[cell.decode(errors="replace") for cell in row] for row in values], dtype=object)
        for name, column in zip(layout.read_values(items).tolist(), values.T.tolist(), strict=True):
            columns[name.decode(errors="replace")] = column
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise FileFormatError(f"{path}: the table of metadata is missing or damaged; give {_KIND}.")
    return [{name: column[row] for name, column in columns.items()} for row in range(lengths.pop())]
