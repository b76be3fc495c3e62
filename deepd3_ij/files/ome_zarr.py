"""Opening images in OME-Zarr (NGFF 0.4 and 0.5): any order of axes, one channel, time point and resolution level."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from deepd3_ij.errors import DeepD3Error, StackError, one_line, remedy
from deepd3_ij.files.calibration import FileVoxelSize
from deepd3_ij.files.choosing import choose
from deepd3_ij.files.ngff import OWN, Multiscales, ngff_part, read_multiscales
from deepd3_ij.files.plane_source import PlaneSource
from deepd3_ij.files.zarr_stores import local_folder, open_group, shown_name, stored_keys
from deepd3_ij.input_limits import check_memory
from deepd3_ij.names import PROVENANCE

_KEPT_BYTES = 512 * 2**20
_LARGEST_SIZE = 2**31
_MOST_CHUNKS = 2_000_000


class ZarrPlanes(PlaneSource):
    """Planes of an array of Zarr; planes that share chunks are read together and kept until others are asked for.

    Parameters
    ----------
    name
        For messages.
    array
        ``zarr.Array``.
    at
        For each axis of the array its fixed index, or the name of the axis ("z", "y" or "x").
    """

    def __init__(self, name: str, array: Any, at: Sequence[int | str]) -> None:
        sizes = {axis: size for axis, size in zip(at, array.shape, strict=True) if isinstance(axis, str)}
        shape = (int(sizes.get("z", 1)), int(sizes["y"]), int(sizes["x"]))
        super().__init__(name, shape, np.dtype(array.dtype))
        self._array = array
        self._at = tuple(at)
        deep = array.chunks[self._at.index("z")] if "z" in self._at else 1
        plane_bytes = max(shape[1] * shape[2] * self.stored.itemsize, 1)
        self._together = max(1, min(int(deep), _KEPT_BYTES // plane_bytes))
        self._kept: tuple[int, np.ndarray] | None = None
        self._lock = threading.Lock()

    def _threads(self) -> int:
        return 1  # Zarr decodes the chunks of a plane in threads

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def _stored_plane(self, plane: int) -> np.ndarray:
        first = plane - plane % self._together
        with self._lock:
            if self._kept is None or self._kept[0] != first:
                self._kept = None
                self._kept = first, self._read(first, min(first + self._together, self.shape[0]))
            return self._kept[1][plane - first]

    def _read(self, first: int, last: int) -> np.ndarray:
        index = tuple((slice(first, last) if axis == "z" else slice(None)) if isinstance(axis, str) else axis
                      for axis in self._at)
        pixels = np.asarray(self._array[index])
        left = [axis for axis in self._at if isinstance(axis, str)]
        pixels = pixels.transpose([left.index(axis) for axis in "zyx" if axis in left])
        return pixels if "z" in left else pixels[np.newaxis]


@dataclass(frozen=True)
class ZarrImage:
    """An image in OME-Zarr.

    Attributes
    ----------
    name
        For messages.
    multiscales
        Its metadata.
    array
        The ``zarr.Array`` of the level that was chosen.
    level
        Its number.
    attributes
        All attributes of the image's group.
    keys
        Names of the stored files of the array, None if they cannot be listed.
    """

    name: str
    multiscales: Multiscales
    array: Any
    level: int
    attributes: dict[str, Any]
    keys: set[str] | None

    def size(self, axis: str) -> int:
        """Length of an axis ("t", "c", "z", "y", "x"); 1 if there is none."""
        number = self.multiscales.axis(axis)
        return 1 if number is None else int(self.array.shape[number])

    @property
    def provenance(self) -> str | None:
        """What this package wrote about where the image comes from, JSON text."""
        own = self.attributes.get(OWN)
        text = own.get(PROVENANCE) if isinstance(own, dict) else None
        return text if isinstance(text, str) else None

    @property
    def voxel_size(self) -> FileVoxelSize:
        """As stated."""
        return self.multiscales.voxel_size(self.level)

    def planes(self, channel: int | None, frame: int | None) -> tuple[ZarrPlanes, list[str]]:
        """The planes of a channel and time point, and what is doubtful about them.

        Raises
        ------
        ChannelError
            One must be chosen, or is not there.
        StackError
            None of its pixels are stored, or a plane does not fit into memory.
        """
        chosen = {"c": choose(self.name, "channel", "channels", channel, self.size("c")),
                  "t": choose(self.name, "frame", "time points", frame, self.size("t"))}
        numbers = {self.multiscales.axis(axis): axis for axis in "tczyx"}
        at: list[int | str] = []
        for number in range(self.array.ndim):
            axis = numbers.get(number, "")
            at.append(chosen.get(axis, axis or 0))
        planes = ZarrPlanes(self.name, self.array, at)
        height, width = planes.shape[1:]
        check_memory(float(height) * width * planes.stored.itemsize,
                     f"A single plane of {self.name} ({height} × {width} pixels)", "export it again, or crop it",
                     StackError)
        return planes, self._missing(at)

    def _missing(self, at: Sequence[int | str]) -> list[str]:
        """A note on chunks that are not there; the format gives their pixels the fill value."""
        if self.keys is None or OWN in self.attributes:  # this package leaves chunks out that hold nothing
            return []
        stored = self.array.shards or self.array.chunks
        ranges = [range(math.ceil(size / step)) if isinstance(axis, str) else range(axis // step, axis // step + 1)
                  for axis, size, step in zip(at, self.array.shape, stored, strict=True)]
        total = math.prod(map(len, ranges))
        if total > _MOST_CHUNKS:
            return []
        there = sum(self.array.metadata.encode_chunk_key(place) in self.keys for place in itertools.product(*ranges))
        if there == 0:
            raise StackError(f"{self.name} has no pixels: none of its {total} chunks are there; copy or export it "
                             "again.")
        if there < total:
            return [f"{self.name}: {total - there} of {total} chunks are not stored; as the format says, their pixels "
                    f"count as {self.array.fill_value}. If it was not copied whole, copy it again."]
        return []


def open_image(path: str | PathLike[str], level: int | None = None) -> ZarrImage:
    """Find the array of an image and a resolution level.

    Parameters
    ----------
    path
        Folder or address of the group with the image's metadata.
    level
        Resolution level from 0, the finest and the default.

    Raises
    ------
    StackError
        It is no OME-Zarr image, is damaged, holds several images, or has no such level.
    """
    name = shown_name(path)
    group = open_group(path)
    try:
        attributes = dict(group.attrs.asdict())
    except Exception as error:
        raise StackError(f"{name} has damaged OME-Zarr metadata ({one_line(error)}); export it again.") from error
    _check_single(attributes, group, name)
    multiscales = read_multiscales(attributes, name)
    chosen = 0 if level is None else level
    if not 0 <= chosen < len(multiscales.levels):
        raise StackError(f"{name} has no resolution level {chosen}: it has {len(multiscales.levels)}; accepted for "
                         f"{remedy('--level', 'Resolution level')}: 0 to {len(multiscales.levels) - 1}.")
    place = multiscales.levels[chosen].path
    folder = local_folder(path)
    keys = None
    if folder is not None:
        if not folder.joinpath(*place.split("/")).is_dir():
            raise StackError(f"{name} is incomplete: its level {place} is not there; copy or export it again.")
        keys = stored_keys(folder, place)
    array = _array(group, place, name)
    _check_array(array, multiscales, name)
    return ZarrImage(name, multiscales, array, chosen, attributes, keys)


def _array(group: Any, place: str, name: str) -> Any:
    try:
        array = group[place]
    except DeepD3Error:
        raise
    except (KeyError, FileNotFoundError) as error:
        raise StackError(f"{name} is incomplete: its level {place} is not there; copy or export it again.") from error
    except Exception as error:
        raise StackError(f"{name} has a damaged level {place} ({one_line(error)}); export it again.") from error
    if not hasattr(array, "chunks"):
        raise StackError(f"{name} is damaged: its level {place} is a group, no array; export it again.")
    return array


def _check_array(array: Any, multiscales: Multiscales, name: str) -> None:
    axes = multiscales.axes
    if len(array.shape) != len(axes):
        raise StackError(f"{name} contradicts itself: its metadata name {len(axes)} axes and its array has "
                         f"{len(array.shape)}; export it again.")
    numbers = [multiscales.axis(axis) for axis in "tczyx"]
    if numbers[3] is None or numbers[4] is None:
        raise StackError(f"{name} has the axes {', '.join(axis.name for axis in axes)}; accepted: an image with y and "
                         "x.")
    foreign = [f"{axis.name} ({size})" for number, (axis, size) in enumerate(zip(axes, array.shape, strict=True))
               if number not in numbers and size != 1]
    if foreign:
        raise StackError(f"{name} has axes that are neither z, channel nor time: {', '.join(foreign)}; save one z "
                         "stack of it as an image of its own.")
    if 0 in array.shape or max(array.shape) > _LARGEST_SIZE:
        raise StackError(f"{name} states the sizes {tuple(array.shape)}; accepted: 1 to {_LARGEST_SIZE} along each "
                         "axis.")
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise StackError(f"{name} has pixels of type {dtype}; accepted: 8 and 16 bit, 32-bit float.")
    check_memory(float(math.prod(map(float, array.chunks))) * dtype.itemsize,
                 f"A single chunk of {name} ({' × '.join(map(str, array.chunks))} pixels)",
                 "export it again with smaller chunks", StackError)


def _check_single(attributes: dict[str, Any], group: Any, name: str) -> None:
    """Refuse a plate and the like, and name what can be opened."""
    part = ngff_part(attributes)
    if "multiscales" in part:
        return
    found: list[str] = []
    what = "images"
    try:
        if isinstance(part.get("plate"), dict):
            what = "wells"
            found = [str(well["path"]) + "/0" for well in part["plate"].get("wells", [])]
        elif isinstance(part.get("well"), dict):
            found = [str(image["path"]) for image in part["well"].get("images", [])]
        elif isinstance(part.get("labels"), list):
            found = [str(label) for label in part["labels"]]
        else:
            found = sorted(key for key, item in group.groups() if "multiscales" in ngff_part(item.attrs.asdict()))
    except Exception as error:
        raise StackError(f"{name} has damaged OME-Zarr metadata ({one_line(error)}); export it again.") from error
    if found:
        shown = ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        raise StackError(f"{name} holds {len(found)} {what} ({shown}); give the path of one image in it, for example "
                         f"{name}/{found[0]}.")
