"""Volumes as slabs of whole planes: where they come from, where they go, how high a slab is.

Every step works slab by slab. A volume in memory without a limit is one slab, so there is one way for small stacks and
for those that are larger than memory. Where even one plane, with those around it, is too large, a slab is a band of its
rows. What a step makes is the same for every height.
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from deepd3_ij.errors import OutputError, one_line
from deepd3_ij.progress import Progress, no_progress

Shape = tuple[int, int, int]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@runtime_checkable
class SlabSource(Protocol):
    """A volume ``(z, y, x)`` that is read in slabs of whole planes."""

    @property
    def shape(self) -> Shape:
        """Planes, rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``, not to be written to."""

    def read_box(self, box: Box) -> np.ndarray:
        """The part between the bounds (first, last) along z, y and x, not to be written to."""


@runtime_checkable
class SlabSink(Protocol):
    """A volume ``(z, y, x)`` that is written in slabs of whole planes."""

    def write(self, first: int, planes: np.ndarray, row: int = 0) -> None:
        """Store planes from `first` on, or rows of them from `row` on; the sink may keep the array."""


@dataclass(frozen=True)
class Workspace:
    """How much of a volume is worked on at once, and where what is larger than memory lies meanwhile.

    Attributes
    ----------
    slab_bytes
        Memory for the slabs of one step, in bytes; None for whole volumes.
    slab_planes
        Height of all slabs, whatever they take.
    band_rows
        Rows of all bands, whatever they take, for steps that can work on a part of a plane.
    scratch
        Existing folder for volumes between two steps; None to keep them in memory.
    """

    slab_bytes: int | None = None
    slab_planes: int | None = None
    band_rows: int | None = None
    scratch: Path | None = None

    def height(self, shape: Shape, copies: float, halo: int = 0) -> int:
        """Planes of a slab for a step that holds so many 4-byte copies of it and of its halo on both sides."""
        if self.slab_planes is not None:
            return self.slab_planes
        if self.slab_bytes is None:
            return shape[0]
        planes = self.slab_bytes / (4 * copies * shape[1] * shape[2])
        return int(np.clip(planes - 2 * halo, 1, shape[0]))

    def rows(self, shape: Shape, copies: float, halo: int = 0, halo_rows: int = 0) -> int:
        """Rows of a band of one plane for such a step, which reads more rows on both sides, too; all if they fit."""
        if self.band_rows is not None:
            return min(self.band_rows, shape[1])
        if self.slab_bytes is None or self.slab_planes is not None:
            return shape[1]
        rows = self.slab_bytes / (4 * copies * min(2 * halo + 1, shape[0]) * shape[2])
        return shape[1] if rows >= shape[1] else max(1, int(rows) - 2 * halo_rows)


_WHOLE = Workspace()
_WORKSPACE: ContextVar[Workspace] = ContextVar("deepd3_ij_workspace", default=_WHOLE)
_NUMBERS = count()


@contextmanager
def working_in(workspace: Workspace) -> Iterator[Workspace]:
    """Let all steps in the block work like this."""
    token = _WORKSPACE.set(workspace)
    try:
        yield workspace
    finally:
        _WORKSPACE.reset(token)


def workspace() -> Workspace:
    """How steps work at present."""
    return _WORKSPACE.get()


def slab_bounds(shape: Shape, copies: float, halo: int = 0,
                planes: tuple[int, int] | None = None) -> list[tuple[int, int]]:
    """First plane of each slab of some planes (all if None), and the one after its last; see :meth:`Workspace.height`.
    """
    begin, end = planes or (0, shape[0])
    height = workspace().height(shape, copies, halo)
    return [(first, min(first + height, end)) for first in range(begin, end, height)]


def with_halo(first: int, last: int, halo: int, depth: int) -> tuple[int, int]:
    """A slab's planes and `halo` more on both sides, as far as the volume has them."""
    return max(0, first - halo), min(depth, last + halo)


@dataclass(frozen=True)
class Band:
    """Planes ``first:last`` and of them rows ``top:bottom``, of a volume of a shape.

    The bands of a step come in raster order, so there are several in a plane only if each has one plane.
    """

    first: int
    last: int
    top: int
    bottom: int
    shape: Shape

    @property
    def ends_plane(self) -> bool:
        """Whether nothing of its planes comes later."""
        return self.bottom == self.shape[1]

    @property
    def first_row(self) -> int:
        """Number of its first row, counted through all planes of the volume."""
        return self.first * self.shape[1] + self.top

    @property
    def end_row(self) -> int:
        """Number of the row after its last."""
        return (self.last - 1) * self.shape[1] + self.bottom

    def grown(self, halo: int, halo_rows: int) -> Band:
        """With more planes and rows on all sides, as far as the volume has them."""
        return Band(*with_halo(self.first, self.last, halo, self.shape[0]),
                    *with_halo(self.top, self.bottom, halo_rows, self.shape[1]), self.shape)

    def within(self, larger: Band) -> tuple[slice, slice]:
        """Planes and rows of the band, counted in a larger one."""
        return (slice(self.first - larger.first, self.last - larger.first),
                slice(self.top - larger.top, self.bottom - larger.top))

    def read(self, source: SlabSource) -> np.ndarray:
        """The band's part of a volume, not to be written to."""
        if (self.top, self.bottom) == (0, self.shape[1]):
            return source.read(self.first, self.last)
        return source.read_box(((self.first, self.last), (self.top, self.bottom), (0, self.shape[2])))

    def write(self, sink: SlabSink, values: np.ndarray) -> None:
        """Store the band's part of a volume."""
        sink.write(self.first, values, self.top)


def bands(shape: Shape, copies: float, halo: int = 0, halo_rows: int = 0,
          planes: tuple[int, int] | None = None) -> list[Band]:
    """The slabs of :func:`slab_bounds`, or bands of single planes where one plane with its halo takes too much."""
    rows = workspace().rows(shape, copies, halo, halo_rows)
    if rows < shape[1]:
        return [Band(z, z + 1, top, min(top + rows, shape[1]), shape)
                for z in range(*(planes or (0, shape[0]))) for top in range(0, shape[1], rows)]
    return [Band(first, last, 0, shape[1], shape) for first, last in slab_bounds(shape, copies, halo, planes)]


@dataclass(frozen=True, eq=False)
class LabelledSlabs:
    """Slabs of labelled data, in memory or lazy."""

    data: xr.DataArray

    @property
    def shape(self) -> Shape:
        """Planes, rows and columns."""
        return shape_of(self.data)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.data.dtype

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``."""
        return self.data.variable[first:last].values

    def read_box(self, box: Box) -> np.ndarray:
        """Part between bounds."""
        return self.data.variable[_slices(box)].values


@dataclass(frozen=True, eq=False)
class ArraySlabs:
    """Slabs of an array in memory: views."""

    array: np.ndarray

    @property
    def shape(self) -> Shape:
        """Planes, rows and columns."""
        depth, height, width = self.array.shape
        return depth, height, width

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.array.dtype

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``."""
        return self.array[first:last]

    def read_box(self, box: Box) -> np.ndarray:
        """Part between bounds."""
        return self.array[_slices(box)]

    def write(self, first: int, planes: np.ndarray, row: int = 0) -> None:
        """Store planes from `first` on, or rows of them."""
        self.array[first:first + len(planes), row:row + planes.shape[1]] = planes

    def as_array(self) -> np.ndarray:
        """The array."""
        return self.array


@dataclass(frozen=True, eq=False)
class ConvertedSlabs:
    """Slabs of another volume, converted as they are read.

    Attributes
    ----------
    source
        The volume.
    dtype
        Type of the converted values.
    convert
        Gives as many values as it is given.
    """

    source: SlabSource
    dtype: np.dtype[Any]
    convert: Callable[[np.ndarray], np.ndarray]

    @property
    def shape(self) -> Shape:
        """Planes, rows and columns."""
        return self.source.shape

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``."""
        return self.convert(self.source.read(first, last))

    def read_box(self, box: Box) -> np.ndarray:
        """Part between bounds."""
        return self.convert(self.source.read_box(box))


def _slices(box: Box) -> tuple[slice, slice, slice]:
    z, y, x = (slice(*bounds) for bounds in box)
    return z, y, x


def shape_of(data: xr.DataArray) -> Shape:
    """Planes, rows and columns."""
    depth, height, width = data.shape
    return depth, height, width


def slabs_of(volume: xr.DataArray | np.ndarray) -> SlabSource:
    """A volume as a source of slabs."""
    return ArraySlabs(volume) if isinstance(volume, np.ndarray) else LabelledSlabs(volume)


def is_lazy(data: xr.DataArray) -> bool:
    """Whether data are read when they are used."""
    return not isinstance(data.variable._data, np.ndarray)


class MemoryVolume:
    """A volume in memory to write to, and to read when it is complete.

    One slab that is all of it is kept as it is, not copied. Planes that were not written are 0.
    """

    def __init__(self, shape: Shape, dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self.array: np.ndarray | None = None

    def write(self, first: int, planes: np.ndarray, row: int = 0) -> None:
        """Store planes from `first` on, or rows of them."""
        if self.array is None and planes.shape == self.shape and planes.dtype == self.dtype:
            self.array = planes
            return
        if self.array is None:
            self.array = np.zeros(self.shape, self.dtype)
        self.array[first:first + len(planes), row:row + planes.shape[1]] = planes

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``."""
        return self.as_array()[first:last]

    def read_box(self, box: Box) -> np.ndarray:
        """Part between bounds."""
        return self.as_array()[_slices(box)]

    def as_array(self) -> np.ndarray:
        """The complete volume."""
        assert self.array is not None
        return self.array


class FileVolume:
    """A volume in a file: planes one after the other, from an offset on.

    It is read and written by calls, not mapped, so that it takes no memory but that of the slab in use.

    Parameters
    ----------
    path
        An existing file.
    shape, dtype
        What it holds.
    offset
        Bytes before the first plane.
    """

    def __init__(self, path: Path, shape: Shape, dtype: np.dtype[Any], offset: int = 0) -> None:
        self.path, self.shape, self.dtype, self.offset = path, shape, np.dtype(dtype), offset

    @classmethod
    def new(cls, path: Path, shape: Shape, dtype: np.dtype[Any]) -> FileVolume:
        """Make a file of zeros, which is removed when nothing uses it any more; the room on the disk is claimed now.

        Raises
        ------
        OutputError
            The disk has not enough room, or cannot be written.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        try:
            with path.open("wb") as stream:
                stream.truncate(size)
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(stream.fileno(), 0, max(size, 1))
        except OSError as error:
            raise OutputError(f"{path.parent} cannot take {size / 1e9:.3g} GB for the work ({one_line(error)}); free "
                              "space, or give another folder for the results.") from error
        made = cls(path, shape, dtype)
        weakref.finalize(made, _remove, path)
        return made

    def read(self, first: int, last: int) -> np.ndarray:
        """Planes ``first:last``."""
        area = self.shape[1] * self.shape[2]
        place = self.offset + first * area * self.dtype.itemsize
        planes = np.fromfile(self.path, self.dtype, (last - first) * area, offset=place)
        return planes.reshape(last - first, *self.shape[1:]).astype(self.dtype.newbyteorder("="), copy=False)

    def read_box(self, box: Box) -> np.ndarray:
        """Part between bounds, through a map of the file that is given back at once."""
        mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        return np.array(mapped[_slices(box)], dtype=self.dtype.newbyteorder("="))

    def write(self, first: int, planes: np.ndarray, row: int = 0) -> None:
        """Store planes from `first` on, or rows of them."""
        stored = np.ascontiguousarray(planes, dtype=self.dtype)
        _, height, width = self.shape
        parts = [stored] if planes.shape[1] == height else list(stored)
        try:
            with self.path.open("r+b", buffering=0) as stream:
                for z, part in enumerate(parts, first):
                    stream.seek(self.offset + (z * height + row) * width * self.dtype.itemsize)
                    part.tofile(stream)
        except OSError as error:
            raise OutputError(f"{self.path.parent} cannot be written ({one_line(error)}); free space, or give another "
                              "folder for the results.") from error

    def as_array(self) -> Any:
        """The volume as lazy data for labelled arrays."""
        return lazily(self)


def in_workspace(data: xr.DataArray, progress: Progress = no_progress) -> xr.DataArray:
    """Copy lazy data to where steps find them quickly: into memory, or into the scratch folder."""
    return data.copy(data=into_volume(slabs_of(data), progress).as_array())


def into_volume(source: SlabSource, progress: Progress = no_progress) -> MemoryVolume | FileVolume:
    """Read a volume, slab by slab, into a :func:`new_volume`."""
    volume = new_volume(source.shape, source.dtype)
    progress(0, source.shape[0], "Reading")
    for first, last in slab_bounds(source.shape, 1.5):
        volume.write(first, source.read(first, last))
        progress(last, source.shape[0], "Reading")
    return volume


Volume = ArraySlabs | MemoryVolume | FileVolume
"""What can be written to, read, and be the data of a labelled array."""


def new_volume(shape: Shape, dtype: np.dtype[Any] | type) -> MemoryVolume | FileVolume:
    """A volume for what a step makes: in memory, or in the scratch folder of the workspace."""
    scratch = workspace().scratch
    if scratch is None:
        return MemoryVolume(shape, np.dtype(dtype))
    return FileVolume.new(scratch / f"volume{next(_NUMBERS)}", shape, np.dtype(dtype))


def lazily(source: SlabSource) -> Any:
    """Data for a labelled array that reads its planes when they are used, and keeps none."""
    return indexing.LazilyIndexedArray(_LazyPlanes(source))


class _LazyPlanes(BackendArray):
    """What xarray asks for parts of a volume."""

    def __init__(self, source: SlabSource) -> None:
        self.source = source
        self.shape = source.shape
        self.dtype = source.dtype.newbyteorder("=")

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return np.asarray(indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC,
                                                             self._part))

    def _part(self, key: tuple[Any, ...]) -> np.ndarray:
        bounds: list[tuple[int, int]] = []
        within: list[Any] = []
        for chosen, size in zip(key, self.shape, strict=True):
            places = range(size)[chosen] if isinstance(chosen, slice) else range(int(chosen), int(chosen) + 1)
            low = min(places, default=0)
            bounds.append((low, max(places, default=-1) + 1))
            steps = None if places.step == 1 else np.array(places, dtype=np.int64) - low
            within.append(steps if isinstance(chosen, slice) else 0)
        z, y, x = bounds
        whole = (y, x) == ((0, self.shape[1]), (0, self.shape[2]))
        part = self.source.read(*z) if whole else self.source.read_box((z, y, x))
        for axis in (2, 1, 0):
            if within[axis] is not None:
                part = np.take(part, within[axis], axis)
        return part


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
