"""Annotated training data in DeepD3's d3data files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import PureWindowsPath
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import AnnotationError, FileFormatError
from deepd3_ij.files import pytables_layout as layout
from deepd3_ij.stack import voxel_size_um

Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice, slice]

_KIND = "a d3data file"
META_TYPES: Mapping[str, type] = MappingProxyType({
    "Depth": int, "Generated_from": str, "Height": int, "Resolution_XY": float, "Resolution_Z": float,
    "Timestamp": str, "Width": int, "X": int, "Y": int, "Z_begin": int, "Z_end": int, "crop": bool,
})
"""Names and types of DeepD3's metadata, in the order of its tables."""
_SIZES = ("Depth", "Height", "Width")
_VOXEL_SIZES = ("Resolution_XY", "Resolution_Z")
CHANGEABLE = tuple(name for name in META_TYPES if name not in _SIZES)
"""Names of the metadata that do not follow from the arrays."""
_CHANGED = "Changed"
IGNORED = "ignored"
"""Name of the array that only training data of this package have, and only where something does not count."""
NO_DENDRITE, NO_SPINE = 1, 2
"""Bits of ``ignored``: whether a voxel is dendrite, or spine, is not known."""


@dataclass(frozen=True, eq=False)
class D3Data:
    """A piece of a stack with its annotation.

    Attributes
    ----------
    stack
        Image ``(z, y, x)`` of any pixel type.
    dendrite, spines
        Boolean masks of the same shape.
    meta
        DeepD3's metadata by its names: ``X``, ``Y``, ``Z_begin``, ``Z_end`` (position in the stack it was cut
        from; the last plane is included), ``Width``, ``Height``, ``Depth`` (px), ``Resolution_XY``, ``Resolution_Z``
        (µm), ``crop``, ``Generated_from``, ``Timestamp``, perhaps ``Changed``. Files of DeepD3 can hold a ``Width``
        and ``Height`` that differ from the arrays' shape; files written here cannot.
    ignored
        None, or uint8 of the same shape: where the bit :data:`NO_DENDRITE` or :data:`NO_SPINE` is set, nobody knows
        whether the voxel is one, and training does not count it. DeepD3 itself does not know of it.
    """

    stack: npt.NDArray[Any]
    dendrite: Mask
    spines: Mask
    meta: Mapping[str, Any]
    ignored: npt.NDArray[np.uint8] | None = None

    @property
    def xy_um(self) -> float:
        """Size of a pixel in µm."""
        return float(self.meta["Resolution_XY"])

    @property
    def z_um(self) -> float:
        """Distance between planes in µm."""
        return float(self.meta["Resolution_Z"])


def cut_d3data(stack: xr.DataArray, dendrite: npt.NDArray[Any], spines: npt.NDArray[Any], box: Box | None = None,
               ignored: npt.NDArray[np.uint8] | None = None) -> D3Data:
    """Cut training data out of a stack and its masks.

    Parameters
    ----------
    stack
        Image with voxel size and source.
    dendrite, spines
        Masks of the whole stack's shape, foreground > 0.
    box
        Planes, rows and columns (begin and end as in Python); everything if omitted.
    ignored
        What does not count, as in :class:`D3Data`.

    Raises
    ------
    AnnotationError
        The masks have another shape, or the box is empty.
    """
    for name, mask in (("dendrite", dendrite), ("spine", spines), (IGNORED, ignored)):
        if mask is not None and mask.shape != stack.shape:
            raise AnnotationError(f"The {name} mask has shape {mask.shape}, the stack {stack.shape} (z, y, x); "
                                  "give a mask that was made for this stack.")
    whole = tuple(slice(0, length) for length in stack.shape)
    spans = [range(length)[part] for part, length in zip(box or whole, stack.shape, strict=True)]
    if not all(spans):
        raise AnnotationError(f"The box {box} holds no voxel of the stack of shape {stack.shape} (z, y, x).")
    z_um, xy_um, _ = voxel_size_um(stack)
    planes, rows, columns = spans
    part = (slice(planes[0], planes[-1] + 1), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    meta = {
        "Depth": len(planes), "Height": len(rows), "Width": len(columns), "X": columns[0], "Y": rows[0],
        "Z_begin": planes[0], "Z_end": planes[-1], "Resolution_XY": xy_um, "Resolution_Z": z_um,
        "crop": box is not None, "Generated_from": str(stack.attrs.get("source", "")), "Timestamp": _now(),
    }
    return D3Data(np.asarray(stack[part].values), dendrite[part] > 0, spines[part] > 0, meta,
                  None if ignored is None else ignored[part])


def write_d3data(path: str | PathLike[str], data: D3Data) -> None:
    """Write a d3data file that DeepD3 opens.

    Width, height and depth are those of the arrays; of ``Generated_from`` only the file name is stored.

    Raises
    ------
    AnnotationError
        Shapes differ, or the metadata lack something or have a wrong type.
    OutputError
        The file cannot be written.
    """
    meta = checked_meta(data)
    with replacing(path) as temporary, layout.create_file(temporary) as file:
        named = {"stack": data.stack, "dendrite": data.dendrite > 0, "spines": data.spines > 0,
                 **({} if data.ignored is None else {IGNORED: data.ignored})}
        arrays = layout.create_group(file, "data", f"dict:{len(named)}")
        for name, array in named.items():
            layout.write_volume(arrays, name, array)
        group = layout.create_group(file, "meta", f"dict:{len(meta)}")
        for name, value in meta.items():
            if isinstance(value, str):
                layout.set_text(group, name, value)
            else:
                layout.set_number(group, name, np.int64(value) if type(value) is int else value)


def read_d3data(path: str | PathLike[str]) -> D3Data:
    """Read a d3data file of this package or of DeepD3.

    Raises
    ------
    FileFormatError
        The file is damaged or of another kind; nothing in it is unpickled.
    """
    with layout.open_file(path, _KIND) as file:
        arrays, group = layout.node_of(file, "data"), layout.node_of(file, "meta")
        if not isinstance(arrays, h5py.Group) or not isinstance(group, h5py.Group):
            raise FileFormatError(f"{path} has no /data and /meta; give {_KIND}.")
        volumes = [layout.read_volume(arrays, name, _KIND) for name in ("stack", "dendrite", "spines")]
        ignored = layout.read_volume(arrays, IGNORED, _KIND) if IGNORED in arrays else None
        meta = {name: layout.read_attribute(group, name) for name in (*META_TYPES, _CHANGED)}
    return assemble(path, volumes, meta, ignored)


def update_meta(path: str | PathLike[str], changes: Mapping[str, Any]) -> None:
    """Change metadata of a d3data file and note the time as ``Changed``.

    Parameters
    ----------
    path
        The file; it is replaced as a whole.
    changes
        New values by DeepD3's names; texts are turned into the right type. ``Width``, ``Height`` and ``Depth`` follow
        from the arrays and cannot be changed.

    Raises
    ------
    AnnotationError
        A name is unknown or a value unfit.
    FileFormatError, OutputError
        The file cannot be read or written.
    """
    new = {name: checked_change(name, value) for name, value in changes.items()}
    data = read_d3data(path)
    write_d3data(path, replace(data, meta={**data.meta, **new, _CHANGED: _now()}))


def checked_change(name: str, value: Any) -> Any:
    """A new value of the metadata in its type; texts are turned into it.

    Raises
    ------
    AnnotationError
        The name is unknown, or not to be changed, or the value unfit.
    """
    if name not in CHANGEABLE:
        raise AnnotationError(f"The metadata have no {name!r} that can be changed; accepted: {', '.join(CHANGEABLE)}.")
    return _positive_size(name, _converted(name, value))


def assemble(path: str | PathLike[str], volumes: list[npt.NDArray[Any]], meta: Mapping[str, Any],
             ignored: npt.NDArray[Any] | None = None) -> D3Data:
    """Join what was read, after a check that it belongs together."""
    stack, dendrite, spines = volumes
    if ignored is not None and (ignored.shape != stack.shape or ignored.dtype != np.uint8):
        raise FileFormatError(f"{path}: the voxels that do not count are {ignored.dtype} of shape {ignored.shape}; "
                              f"accepted: uint8 of the stack's shape {stack.shape}. Create the file again.")
    if not stack.shape == dendrite.shape == spines.shape:
        raise FileFormatError(f"{path}: stack and masks have different shapes, {stack.shape}, {dendrite.shape} and "
                              f"{spines.shape}; create the file again.")
    known = {name: value for name, value in meta.items() if value is not None}
    for name in _VOXEL_SIZES:
        value = known.get(name)
        if not isinstance(value, int | float) or not 0 < value < np.inf:
            raise FileFormatError(f"{path}: {name} is {value!r}; accepted: a positive number of µm. "
                                  "Create the file again.")
    for name, kind in META_TYPES.items():
        if name in known:
            try:
                known[name] = _converted(name, known[name])
            except AnnotationError as error:
                raise FileFormatError(f"{path}: {error}") from error
        elif kind is int:
            known[name] = 0
    sizes = dict(zip(_SIZES, stack.shape, strict=True))
    return D3Data(stack, dendrite > 0, spines > 0, {**sizes, **{k: v for k, v in known.items() if v or k not in sizes}},
                  ignored)


def checked_meta(data: D3Data) -> dict[str, Any]:
    """Metadata as they are stored: every name, the right types, sizes of the arrays, no folder names."""
    shapes = {array.shape for array in (data.stack, data.dendrite, data.spines, data.ignored) if array is not None}
    if len(shapes) > 1 or data.stack.ndim != 3 or 0 in data.stack.shape or data.stack.dtype.kind not in "iuf":
        raise AnnotationError(f"Stack and masks have shapes {data.stack.shape}, {data.dendrite.shape}, "
                              f"{data.spines.shape} and the stack type {data.stack.dtype}; accepted: numbers of one "
                              "shape (z, y, x).")
    meta = {name: _converted(name, data.meta.get(name, kind())) for name, kind in META_TYPES.items()}
    if _CHANGED in data.meta:
        meta[_CHANGED] = str(data.meta[_CHANGED])
    meta.update(zip(_SIZES, data.stack.shape, strict=True))
    # Windows' rules know both kinds of separators.
    meta["Generated_from"] = PureWindowsPath(meta["Generated_from"]).name
    for name in _VOXEL_SIZES:
        _positive_size(name, meta[name])
    return meta


def _positive_size(name: str, value: Any) -> Any:
    if name in _VOXEL_SIZES and not (np.isfinite(value) and value > 0):
        raise AnnotationError(f"{name} is {value}; accepted: a positive number of µm.")
    return value


def _converted(name: str, value: Any) -> Any:
    kind = META_TYPES[name]
    problem = f"{name} is {value!r}; accepted: {_ACCEPTED[kind]}."
    if kind is bool:
        words = {"true": True, "1": True, "false": False, "0": False}
        if str(value).lower() not in words:
            raise AnnotationError(problem)
        return words[str(value).lower()]
    try:
        number = kind(value)
        if kind is int and float(value) != number:
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(problem) from error
    return number


_ACCEPTED = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _now() -> str:
    return datetime.now().strftime("%Y%m%d_%H%M%S")
