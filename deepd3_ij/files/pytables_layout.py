"""HDF5 files in the layout of PyTables, as DeepD3 writes them, made and read with h5py alone.

PyTables keeps a few attributes at every node, compresses arrays with the blosc filter, stores booleans
as 8-bit bit fields and everything that has no form of its own as a pickle. Here nothing is pickled, and
nothing that could be a pickle is ever decoded: only numbers and plain text are read.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - makes the blosc filter known to HDF5
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t, h5z

from deepd3_ij.errors import DeepD3Error, FileFormatError, one_line
from deepd3_ij.input_limits import check_memory, check_regular
from deepd3_ij.slabs import Box, Shape, SlabSource, slab_bounds, slabs_of

_BLOSC = 32001
_BLOSC_OPTIONS = (2, 2, 0, 0, 9, 1)  # format versions, item and chunk size (filled in), level, shuffle
_BLOSC_SETTINGS = 4
_BLOSC_HEADER = "<4xI4xI"  # bytes of the data and of what is stored
_BLOSC_HEADER_BYTES = 16
COPIES = 2.0
"""Slabs of 4-byte values that writing is counted with; 1.0 was measured, of values that need no conversion."""
_CHUNK_BYTES = 64 * 2**10
_LARGE_CHUNK_BYTES = 2**20
_LARGE_ARRAY_BYTES = 64 * 2**20
# Blosc makes the emptiest map about 250 times smaller; the rest is for other compressions.
_LARGEST_RATIO = 20_000
_UNCHECKED_BYTES = 64 * 2**20
# What an attribute may hold in HDF5's compact form, less its own header.
MAX_ATTRIBUTE_BYTES = 60_000


@contextmanager
def create_file(path: str | PathLike[str]) -> Iterator[h5py.File]:
    """Make an HDF5 file with the root attributes that PyTables and flammkuchen expect.

    Raises
    ------
    OSError
        The disk is full or failed.
    """
    with _PatientFile(path) as target:
        with h5py.File(target, "w") as file:
            _mark_node(file, "GROUP", "", "1.0")
            set_text(file, "PYTABLES_FORMAT_VERSION", "2.1")
            set_number(file, "DEEPDISH_IO_VERSION", np.int64(12))
            yield file
        if target.failure is not None:
            raise target.failure


class _PatientFile(io.FileIO):
    """A file that remembers the first failure to write instead of raising it.

    The HDF5 library crashes the process when it cannot write while closing a file. So it is let
    finish, with what no longer fits on the disk kept in memory, and the failure is raised afterwards.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path, "w+")
        self.failure: OSError | None = None
        self._kept: dict[int, bytes] = {}

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        length = len(rest)
        try:
            while self.failure is None and len(rest):
                rest = rest[super().write(rest):]
        except OSError as error:
            self.failure = error
        if len(rest):
            begin = self.tell()
            self._kept.pop(begin, None)
            self._kept[begin] = bytes(rest)
            self.seek(begin + len(rest))
        return length

    def readinto(self, buffer: Any, /) -> int:
        begin, view = self.tell(), memoryview(buffer).cast("B")
        count = super().readinto(buffer) or 0
        if self.failure is None:
            return count
        view[count:] = bytes(len(view) - count)
        for offset, piece in self._kept.items():
            first, last = max(begin, offset), min(begin + len(view), offset + len(piece))
            if first < last:
                view[first - begin:last - begin] = piece[first - offset:last - offset]
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0


@contextmanager
def open_file(path: str | PathLike[str], kind: str) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Parameters
    ----------
    path
        The file.
    kind
        What the caller expects, for messages: "a .prediction file".

    Raises
    ------
    FileFormatError
        Missing, no HDF5, truncated or otherwise damaged; also when data turn out to be damaged
        while they are read inside of the block.
    """
    source = Path(path)
    check_regular(source, kind)
    try:
        with h5py.File(source, "r", locking=False) as file:  # a reader needs no lock, and some network drives have none
            yield file
    except DeepD3Error:
        raise
    except BlockingIOError as error:  # the variable HDF5_USE_FILE_LOCKING goes before what a program asks for
        raise FileFormatError(f"{source} is in use by another program; close it there, or set "
                              "HDF5_USE_FILE_LOCKING=FALSE.") from error
    except Exception as error:  # damaged files make h5py fail in many ways
        raise FileFormatError(f"{source} is damaged or no HDF5 file ({one_line(error, 120)}); give {kind}.") from error


def create_group(parent: h5py.Group, name: str, title: str = "") -> h5py.Group:
    """Make a group; flammkuchen reads its title (``dict:3``, ``list:2``) to know what it holds."""
    group = parent.create_group(name)
    _mark_node(group, "GROUP", title, "1.0")
    return group


def create_plain_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Make a group without PyTables' attributes, which it does without: for very many small ones."""
    return h5py.Group(h5g.create(parent.id, name.encode()))


def write_volume(parent: h5py.Group, name: str, volume: np.ndarray | SlabSource) -> None:
    """Write a compressed, chunked array slab by slab; bool becomes a bit field.

    Parameters
    ----------
    parent, name
        Where it goes.
    volume
        Numbers or bool, shape ``(z, y, x)``, no side empty.
    """
    source = slabs_of(volume) if isinstance(volume, np.ndarray) else volume
    node_type = _hdf5_type(source.dtype)
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_chunk(_chunk_shape(source.shape, source.dtype.itemsize))
    properties.set_fill_time(h5d.FILL_TIME_ALLOC)
    properties.set_obj_track_times(False)  # equal data give equal files
    properties.set_filter(_BLOSC, h5z.FLAG_OPTIONAL, _BLOSC_OPTIONS)
    space = h5s.create_simple(source.shape)
    dataset = h5d.create(parent.id, name.encode(), node_type, space, dcpl=properties)
    for first, last in slab_bounds(source.shape, COPIES):
        planes = np.ascontiguousarray(source.read(first, last))
        stored = planes.view(np.uint8) if planes.dtype == bool else planes
        space.select_hyperslab((first, 0, 0), planes.shape)
        dataset.write(h5s.create_simple(planes.shape), space, stored, mtype=node_type)
    _mark_node(parent[name], "CARRAY", "", "1.1", cset=h5t.CSET_ASCII)


def write_array(parent: h5py.Group, name: str, array: np.ndarray) -> h5py.Dataset:
    """Write a small array of numbers, bool or byte strings uncompressed, as PyTables writes its "ARRAY" nodes."""
    array = np.ascontiguousarray(array) if array.ndim else array
    node_type = _hdf5_type(array.dtype)
    stored = array.view(np.uint8) if array.dtype == bool else array
    space = h5s.create_simple(array.shape) if array.ndim else h5s.create(h5s.SCALAR)
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    dataset = h5d.create(parent.id, name.encode(), node_type, space, dcpl=properties)
    if array.size:
        dataset.write(h5s.ALL, h5s.ALL, stored, mtype=node_type)
    node = parent[name]
    _mark_node(node, "ARRAY", "", "2.4")
    set_text(node, "FLAVOR", "numpy")
    return node


def write_text(parent: h5py.Group, name: str, text: str) -> None:
    """Write a text of any length as a scalar array of UTF-8 bytes."""
    content = text.encode()
    write_array(parent, name, np.array(content, dtype=f"S{max(1, len(content))}"))


def set_text(node: h5py.HLObject, name: str, text: str, *, cset: int = h5t.CSET_UTF8) -> None:
    """Set a text attribute as PyTables does: fixed length, an empty text as a null attribute."""
    content = text.encode()
    kind = _text_type(max(1, len(content)), cset)
    space = h5s.create(h5s.SCALAR if content else h5s.NULL)
    attribute = h5a.create(node.id, name.encode(), kind, space)
    if content:
        attribute.write(np.array(content, dtype=f"S{len(content)}"), mtype=kind)


def set_number(node: h5py.HLObject, name: str, value: Any) -> None:
    """Set an attribute to a number, a bool or a small array of numbers."""
    array = np.asarray(value)
    kind = _hdf5_type(array.dtype)
    space = h5s.create_simple(array.shape) if array.ndim else h5s.create(h5s.SCALAR)
    stored = array.astype(np.uint8) if array.dtype == bool else np.ascontiguousarray(array) if array.ndim else array
    h5a.create(node.id, name.encode(), kind, space).write(stored, mtype=kind)


def read_volume(parent: h5py.Group, name: str, kind: str) -> np.ndarray:
    """Read a three-dimensional array of numbers; bit fields come as uint8.

    Raises
    ------
    FileFormatError
        It is missing, has other dimensions, or holds something else than numbers.
    """
    return read_values(_volume(parent, name, kind))


class StoredVolume:
    """A three-dimensional array of numbers in a file, read slab by slab; the file is open only while it is read.

    Parameters
    ----------
    path
        The file.
    name
        Where the array lies in it.
    kind
        What the caller expects, for messages.

    Raises
    ------
    FileFormatError
        As :func:`read_volume`, apart from what does not fit into memory.
    """

    def __init__(self, path: str | PathLike[str], name: str, kind: str) -> None:
        self.path, self.name, self.kind = path, name, kind
        with open_file(path, kind) as file:
            dataset = _volume(file, name, kind)
            check_memory(_check_sizes(dataset), f"{path}:{name}", "close other programs")
            self.shape: Shape = dataset.shape
            self.dtype = dataset.dtype.newbyteorder("=")

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``."""
        return self.read_box(((first, last), (0, self.shape[1]), (0, self.shape[2])))

    def read_box(self, box: Box) -> np.ndarray:
        """Part between bounds."""
        (z0, z1), (y0, y1), (x0, x1) = box
        with open_file(self.path, self.kind) as file:
            part = _volume(file, self.name, self.kind)[z0:z1, y0:y1, x0:x1]
        return np.asarray(part).astype(self.dtype, copy=False)


def _volume(parent: h5py.Group, name: str, kind: str) -> h5py.Dataset:
    dataset = node_of(parent, name)
    where = f"{parent.file.filename}:{parent.name.rstrip('/')}/{name}"
    if not isinstance(dataset, h5py.Dataset):
        raise FileFormatError(f"{where} is missing; give {kind}.")
    if dataset.dtype.kind not in "biuf" or dataset.ndim != 3 or 0 in dataset.shape:
        raise FileFormatError(f"{where} has type {dataset.dtype} and shape {dataset.shape}; accepted: numbers with "
                              f"three dimensions (z, y, x), none empty.")
    return dataset


def read_values(dataset: h5py.Dataset) -> np.ndarray:
    """Read all values of a dataset, after a check that the file can hold them and that they fit into memory.

    Raises
    ------
    FileFormatError
        The file states far more than it stores, or more than memory is free, or what it stores contradicts itself.
    """
    chunk = _check_sizes(dataset)
    stated = dataset.size * dataset.dtype.itemsize if dataset.size else 0
    check_memory(max(stated, chunk), f"{dataset.file.filename}:{dataset.name}", "close other programs")
    return np.asarray(dataset[()])


def _check_sizes(dataset: h5py.Dataset) -> int:
    """Check that a file can hold what it states; bytes of a chunk."""
    where = f"{dataset.file.filename}:{dataset.name}"
    _check_blosc(dataset, where)
    stated = dataset.size * dataset.dtype.itemsize if dataset.size else 0
    stored = int(dataset.id.get_storage_size())
    if stated > _UNCHECKED_BYTES and stated > _LARGEST_RATIO * stored:
        raise FileFormatError(f"{where} states {stated} bytes and stores {stored}; it is damaged. Write the file "
                              "again.")
    return int(np.prod(dataset.chunks or (1,), dtype=np.float64)) * dataset.dtype.itemsize


def _check_blosc(dataset: h5py.Dataset, where: str) -> None:
    """Check what Blosc's plugin takes from a file unchecked: with wrong sizes it reads beyond the end of its memory."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(number) for number in range(properties.get_nfilters())]
    settings = [each[2] for each in filters if each[0] == _BLOSC]
    if not settings:
        return
    right = all(len(each) >= _BLOSC_SETTINGS for each in settings)
    is_alone = len(filters) == 1  # other filters, such as checksums, add bytes of their own
    chunk_bytes = int(np.prod(dataset.chunks, dtype=np.float64)) * dataset.dtype.itemsize
    try:
        for number in range(dataset.id.get_num_chunks() if right and is_alone else 0):
            chunk = dataset.id.get_chunk_info(number)
            if chunk.filter_mask == 0:
                check_memory(chunk.size, where, "close other programs")
                stored = dataset.id.read_direct_chunk(chunk.chunk_offset)[1]
                header = stored[:_BLOSC_HEADER_BYTES].ljust(_BLOSC_HEADER_BYTES, b"\0")
                right = right and struct.unpack(_BLOSC_HEADER, header) == (chunk_bytes, len(stored))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise FileFormatError(f"{where} cannot be read ({one_line(error)}); it is damaged. Write the file again."
                              ) from error
    if not right:
        raise FileFormatError(f"{where} is compressed with Blosc, and the sizes that it states are not those of its "
                              "data; it is damaged. Write the file again.")


def read_text(parent: h5py.Group, name: str) -> str | None:
    """Read what :func:`write_text` wrote; None if it is missing or no text."""
    dataset = node_of(parent, name)
    if not isinstance(dataset, h5py.Dataset) or dataset.shape != () or dataset.dtype.kind != "S":
        return None
    check_memory(dataset.dtype.itemsize, f"{parent.file.filename}:{name}", "write the file again")
    return bytes(dataset[()]).decode(errors="replace")


def read_attribute(node: h5py.Group, name: str) -> Any:
    """Read a text or number attribute; None if it is missing or something else.

    Texts that PyTables would unpickle come back as the text that they are.
    """
    if name not in node.attrs:
        return None
    value = node.attrs[name]
    if isinstance(value, h5py.Empty):
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, str | np.number | np.bool_):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return value
    return None


def node_of(parent: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """A group or dataset of this file, None if there is none.

    Links to other files and arrays whose values lie in other files are taken as missing, so that
    a file cannot show what lies elsewhere on the disk.
    """
    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        return None
    node = parent[name]
    if isinstance(node, h5py.Dataset):
        properties = node.id.get_create_plist()
        if properties.get_layout() == h5d.VIRTUAL or properties.get_external_count():
            return None
    return node


def _mark_node(node: h5py.HLObject, kind: str, title: str, version: str, *, cset: int = h5t.CSET_UTF8) -> None:
    for name, text in (("CLASS", kind), ("TITLE", title), ("VERSION", version)):
        set_text(node, name, text, cset=cset)


def _text_type(length: int, cset: int) -> h5t.TypeStringID:
    kind = h5t.C_S1.copy()
    kind.set_size(length)
    kind.set_cset(cset)
    kind.set_strpad(h5t.STR_NULLTERM)
    return kind


@lru_cache(maxsize=64)
def _hdf5_type(dtype: np.dtype) -> h5t.TypeID:
    if dtype.kind == "b":
        return h5t.STD_B8LE
    if dtype.kind == "S":
        return _text_type(dtype.itemsize, h5t.CSET_ASCII)
    if dtype.kind not in "iuf":
        raise TypeError(f"{dtype} has no plain form in HDF5")
    return h5t.py_create(dtype)


def _chunk_shape(shape: Shape, itemsize: int) -> Shape:
    """Whole rows of one plane, or whole planes if they are small."""
    planes, height, width = shape
    row = width * itemsize
    budget = _LARGE_CHUNK_BYTES if planes * height * row > _LARGE_ARRAY_BYTES else _CHUNK_BYTES
    rows = min(height, max(1, budget // row))
    return min(planes, max(1, budget // (row * height))), rows, width
