"""The planes of an image file as an array that reads each plane when it is used."""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile

from deepd3_ij.errors import StackError, one_line
from deepd3_ij.input_limits import check_memory

_KEPT = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int16), np.dtype(np.float32))
_EXACT: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.bool_): np.dtype(np.uint8),
    np.dtype(np.int8): np.dtype(np.int16),
    np.dtype(np.float16): np.dtype(np.float32),
}


@dataclass(frozen=True)
class PlacedPlane:
    """Where a plane lies: raw at `offset`, or number `part` of the planes that the IFD at `offset` describes."""

    path: str
    offset: int
    raw: bool
    part: int = 0


class PlaneSource(ABC):
    """The planes of one channel and time point; reads each from its file, from any thread.

    No file stays open between two reads, so nothing has to be closed when a lazy stack is
    thrown away. It looks like an array of shape ``(z, y, x)`` to dask.

    Parameters
    ----------
    name
        The file's name, for messages.
    shape
        Planes, rows and columns.
    stored
        Pixel type in the file, with its byte order.
    signed_offset
        The stored uint16 values are 32768 above the image's signed ones.
    """

    ndim = 3

    def __init__(self, name: str, shape: tuple[int, int, int], stored: np.dtype[Any], signed_offset: bool = False
                 ) -> None:
        self.name = name
        self.shape = shape
        self.stored = stored
        self.signed_offset = signed_offset
        native = stored.newbyteorder("=")
        used: np.dtype[Any] = native if native in _KEPT else _EXACT.get(native, np.dtype(np.float32))
        self.dtype = np.dtype(np.int16) if signed_offset else used

    @abstractmethod
    def _stored_plane(self, plane: int) -> np.ndarray:
        """The pixels of a plane as they are in the file, shape ``(y, x)``."""

    def _threads(self) -> int:
        """How many planes are read at a time."""
        return min(len(self), os.cpu_count() or 1)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        z, *within = index if isinstance(index, tuple) else (index,)
        if isinstance(z, slice):
            chosen = range(len(self))[z]
            block = [self.read(plane)[tuple(within)] for plane in chosen]
            return np.stack(block) if block else np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *within)]
        return self.read(int(z))[tuple(within)]

    def as_dask(self) -> Any:
        """Dask array with one chunk per plane."""
        import dask.array

        return dask.array.from_array(self, chunks=(1, *self.shape[1:]), name=False, asarray=False, fancy=False,
                                     meta=np.empty((0, 0, 0), self.dtype))

    def load(self) -> np.ndarray:
        """Read all planes."""
        check_memory(float(np.prod([float(n) for n in self.shape])) * self.dtype.itemsize, self.name,
                     "open it lazily (lazy=True) or crop it", StackError)
        try:
            stack = np.empty(self.shape, self.dtype)
        except (MemoryError, ValueError) as error:
            gigabytes = np.prod([float(n) for n in self.shape]) * self.dtype.itemsize / 1e9
            raise StackError(f"{self.name} needs {gigabytes:.3g} GB of memory, which is not free; "
                             "open it lazily (lazy=True) or crop it.") from error

        def fill(plane: int) -> None:
            stack[plane] = self.read(plane)

        if self._threads() == 1:
            for plane in range(len(self)):
                fill(plane)
        else:
            with ThreadPoolExecutor(self._threads()) as pool:
                for _ in pool.map(fill, range(len(self))):
                    pass
        return stack

    def read(self, plane: int) -> np.ndarray:
        """Read and check one plane; array of shape ``(y, x)``."""
        try:
            pixels = self._stored_plane(plane)
            if pixels.dtype.newbyteorder("=") != self.stored.newbyteorder("="):
                raise ValueError(f"its pixels have the type {pixels.dtype} instead of {self.stored}")
        except (OSError, MemoryError) as error:
            raise StackError(f"Plane {plane} (0-based) of {self.name} cannot be read: {one_line(error)}.") from error
        except Exception as error:
            raise StackError(f"{self.name} is damaged or truncated: plane {plane} (0-based) cannot be decoded "
                             f"({one_line(error)}); export it again.") from error
        return self._convert(pixels, plane)

    def _convert(self, pixels: np.ndarray, plane: int) -> np.ndarray:
        if self.signed_offset:
            return (pixels.astype(np.uint16) ^ np.uint16(0x8000)).view(np.int16)
        with np.errstate(over="ignore", invalid="ignore"):
            converted = pixels.astype(self.dtype, copy=False)
        if pixels.dtype.kind == "f":
            bad = converted.size - int(np.isfinite(pixels).sum())
            if bad:
                raise StackError(f"{self.name} has {bad} NaN or infinite pixel{'s' if bad > 1 else ''} in plane "
                                 f"{plane} (0-based); replace them first "
                                 "(in Fiji: Process ▸ Noise ▸ Remove NaNs).")
        if self.dtype == np.float32 and not _same_values(converted, pixels):
            raise StackError(f"{self.name} has {pixels.dtype} values that 32-bit floating point cannot hold exactly; "
                             "convert it to 16 or 32 bit first (in Fiji: Image ▸ Type).")
        return converted


class TiffPlanes(PlaneSource):
    """Planes of a TIFF file.

    Parameters
    ----------
    name
        The file's name, for messages.
    places
        Where each plane lies.
    plane_shape
        Rows and columns.
    stored
        Pixel type in the file, with its byte order for raw planes.
    signed_offset
        The stored uint16 values are 32768 above the image's signed ones.
    """

    def __init__(self, name: str, places: Sequence[PlacedPlane], plane_shape: tuple[int, int], stored: np.dtype[Any],
                 signed_offset: bool) -> None:
        super().__init__(name, (len(places), *plane_shape), stored, signed_offset)
        self.places = list(places)

    def _threads(self) -> int:
        return 1 if self.places[0].raw else super()._threads()

    def _stored_plane(self, plane: int) -> np.ndarray:
        place = self.places[plane]
        pixels = self._read_raw(place) if place.raw else self._read_page(place)
        if not place.raw and pixels.shape[-2:] != self.shape[1:]:
            raise ValueError(f"it has {pixels.shape} pixels instead of {self.shape[1:]}")
        stored: np.ndarray = pixels.reshape(-1, *self.shape[1:])[place.part]
        return stored

    def _read_raw(self, place: PlacedPlane) -> np.ndarray:
        count = self.shape[1] * self.shape[2]
        return np.fromfile(place.path, self.stored, count, offset=place.offset)

    def _read_page(self, place: PlacedPlane) -> np.ndarray:
        with quiet_tifffile(), tifffile.TiffFile(place.path) as tif:
            tif.filehandle.seek(place.offset)
            return tifffile.TiffPage(tif, index=0).asarray(maxworkers=1)


def _same_values(converted: np.ndarray, pixels: np.ndarray) -> bool:
    """Whether float32 values equal the integers or floating-point numbers that they were made of."""
    if pixels.dtype.kind == "f":
        return pixels.itemsize <= converted.itemsize or np.array_equal(converted.astype(pixels.dtype), pixels)
    limits = np.iinfo(pixels.dtype)
    if not ((converted >= limits.min) & (converted < float(limits.max))).all():
        return False
    return np.array_equal(converted.astype(pixels.dtype), pixels)


@contextmanager
def quiet_tifffile() -> Iterator[None]:
    """Keep tifffile's remarks on odd files, which are no use to a user, off this thread's log."""
    thread = threading.get_ident()
    logger = logging.getLogger("tifffile")

    def from_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(from_elsewhere)
    try:
        yield
    finally:
        logger.removeFilter(from_elsewhere)
