"""Writing stacks as TIFF hyperstacks that ImageJ opens with axes, calibration and display range.

One file has one page per plane up to 4 GB. Larger files follow ImageJ's own way: one page
and the raw planes one after the other, which ImageJ, Fiji and this package read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import xarray as xr

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import OutputError
from deepd3_ij.names import PROVENANCE, ROLE
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.slabs import FileVolume
from deepd3_ij.stack import DIMS, MAPS, voxel_size_um

_WRITTEN = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.int16), np.dtype(np.float32))
_LARGEST_UINT16 = 65_535
_LARGEST_EXACT_FLOAT = 2**24
_LARGEST_PAGED_BYTES = 4_200_000_000
_LARGEST_RATIONAL = 2**32 - 1


def write_stack(
    path: str | PathLike[str],
    data: xr.DataArray,
    *,
    display_range: tuple[float, float] | None = None,
    properties: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> None:
    """Write a stack or a label volume as ImageJ hyperstack, its provenance among the image's properties.

    Parameters
    ----------
    path
        File to make or replace.
    data
        Dimensions ``("z", "y", "x")`` with a voxel size; numpy or dask (then read plane by
        plane). uint8, uint16, int16 and float32 are kept. int32 is taken as labels: they become
        uint16 if the largest is below 65536, otherwise float32, which is exact up to 2**24.
    display_range
        Values shown black and in full colour. If None, ImageJ chooses; labels are shown from 0
        to the largest.
    properties
        Texts that ImageJ keeps with the image.
    progress
        Called before the first and after every plane.

    Raises
    ------
    OutputError
        The file cannot be written, ImageJ does not know the pixel type, or a label is negative
        or above 2**24.
    """
    if data.dims != DIMS:
        raise OutputError(f"{path} cannot be written: the data have the dimensions {data.dims}; accepted: {DIMS}.")
    if data.dtype == np.int32:
        largest = _largest_label(path, data)
        dtype = np.dtype(np.uint16 if largest <= _LARGEST_UINT16 else np.float32)
        display_range = display_range or (0, max(largest, 1))
    else:
        dtype = _checked_dtype(path, data.dtype)
    planes = (_plane(data, z).astype(dtype, copy=False) for z in range(data.sizes["z"]))
    _write(path, planes, data, dtype, _metadata(data, dtype, display_range, properties), progress)


def write_time_series(
    path: str | PathLike[str],
    planes: Iterable[np.ndarray],
    like: xr.DataArray | xr.Dataset,
    labels: Sequence[str],
    dtype: np.dtype[Any],
    *,
    display_range: tuple[float, float] | None = None,
    properties: Mapping[str, str] | None = None,
) -> None:
    """Write several time points as one ImageJ hyperstack.

    Parameters
    ----------
    path
        File to make or replace.
    planes
        Planes of `dtype`, of all time points one after the other; taken one at a time.
    like
        Stack that gives shape and voxel size of a time point.
    labels
        What ImageJ calls each time point.
    dtype
        uint8, uint16 or float32.
    display_range, properties
        As in :func:`write_stack`.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    metadata = _metadata(like, dtype, display_range, properties)
    metadata["Labels"] = [label for label in labels for _ in range(like.sizes["z"])]
    with replacing(path) as temporary:
        tifffile.imwrite(temporary, iter(planes), **_layout(like, dtype, metadata, frames=len(labels)))


def write_prediction_maps(
    folder: str | PathLike[str],
    stem: str,
    prediction: xr.Dataset,
    *,
    eight_bit: bool = False,
    progress: Progress = no_progress,
) -> tuple[Path, Path]:
    """Write ``<stem>_dendrites.tif`` and ``<stem>_spines.tif``.

    Parameters
    ----------
    folder, stem
        Where, and the first part of the names.
    prediction
        Dataset with ``dendrite`` and ``spine``.
    eight_bit
        Write 255 × probability, rounded and kept within 0…255, instead of 32-bit probabilities.
    progress
        Called before the first and after every plane.

    Returns
    -------
    tuple of pathlib.Path
        The two files.

    Raises
    ------
    OutputError
        A file cannot be written, `stem` is no plain name, or a map has NaN.
    """
    if not stem or Path(stem).name != stem:
        raise OutputError(f"{stem!r} cannot be the beginning of a file name; give a name without folders.")
    places = (Path(folder) / f"{stem}_dendrites.tif", Path(folder) / f"{stem}_spines.tif")
    dtype = np.dtype(np.uint8 if eight_bit else np.float32)
    for place, name in zip(places, MAPS, strict=True):
        metadata = _metadata(prediction, dtype, (0, 255 if eight_bit else 1), {ROLE: name})
        planes = _probabilities(place, prediction[name], eight_bit=eight_bit)
        _write(place, planes, prediction, dtype, metadata, progress)
    return places


@contextmanager
def open_stack_for_writing(
    path: str | PathLike[str],
    like: xr.DataArray | xr.Dataset,
    *,
    display_range: tuple[float, float] | None = None,
    properties: Mapping[str, str] | None = None,
) -> Iterator[FileVolume]:
    """Open a hyperstack file for a map that is larger than memory.

    Parameters
    ----------
    path
        File to make or replace; it appears when the block has ended without an exception.
    like
        Stack or prediction that gives shape and voxel size.
    display_range
        As in :func:`write_stack`.
    properties
        Texts that ImageJ keeps with the image (``imp.getProp(key)``) and shows in
        *Image ▸ Show Info*; the data's provenance is added.

    Yields
    ------
    FileVolume
        float32, of shape ``(z, y, x)``, zero at first. Not to be used after the block.

    Raises
    ------
    OutputError
        The file cannot be written, or the disk has not enough room for it.
    """
    dtype = np.dtype(np.float32)
    metadata = _metadata(like, dtype, display_range, properties)
    with replacing(path) as temporary:
        offset = tifffile.memmap(temporary, **_layout(like, dtype, metadata)).offset
        _reserve(temporary)
        planes, height, width = (like.sizes[dim] for dim in DIMS)
        yield FileVolume(temporary, (planes, height, width), dtype.newbyteorder("<"), offset)


def _write(path: str | PathLike[str], planes: Iterator[np.ndarray], like: xr.DataArray | xr.Dataset,
           dtype: np.dtype[Any], metadata: dict[str, Any], progress: Progress) -> None:
    """Write planes one after the other."""
    count = like.sizes["z"]
    message = f"Writing {Path(path).name}"

    def reported() -> Iterator[np.ndarray]:
        progress(0, count, message)
        for done, plane in enumerate(planes, start=1):
            yield plane
            progress(done, count, message)

    with replacing(path) as temporary:
        tifffile.imwrite(temporary, reported(), **_layout(like, dtype, metadata))


def _layout(like: xr.DataArray | xr.Dataset, dtype: np.dtype[Any], metadata: dict[str, Any], frames: int = 1
            ) -> dict[str, Any]:
    """What tifffile has to know to write an ImageJ hyperstack."""
    z_um, y_um, x_um = voxel_size_um(like)
    planes, height, width = (like.sizes[dim] for dim in DIMS)
    return {
        # The last axis says that a pixel has one sample, which tifffile would else guess for narrow images.
        "shape": (*([frames] if frames > 1 else []), planes, 1, height, width, 1),
        "dtype": dtype.newbyteorder("<"),
        "imagej": True,
        "byteorder": "<",
        "software": "deepd3_ij",
        "photometric": "minisblack",
        "resolution": (_pixels_per_um(x_um), _pixels_per_um(y_um)),
        "metadata": {"axes": "TZCYXS" if frames > 1 else "ZCYXS", "unit": "micron", "spacing": z_um, **metadata},
        "truncate": frames * planes * height * width * dtype.itemsize > _LARGEST_PAGED_BYTES,
    }


def _pixels_per_um(size_um: float) -> tuple[int, int]:
    """TIFF's fraction of two 32-bit numbers that is nearest to 1 / size."""
    per_um = 1 / Fraction(repr(size_um))
    if per_um >= 1:
        nearest = per_um.limit_denominator(max(int(_LARGEST_RATIONAL / per_um), 1))
    else:
        nearest = 1 / (1 / per_um).limit_denominator(max(int(_LARGEST_RATIONAL * per_um), 1))
    return nearest.numerator, nearest.denominator


def _metadata(data: xr.DataArray | xr.Dataset, dtype: np.dtype[Any], display_range: tuple[float, float] | None,
              properties: Mapping[str, str] | None = None) -> dict[str, Any]:
    """ImageJ's description entries and binary metadata."""
    metadata: dict[str, Any] = {"mode": "grayscale", "loop": False}
    if display_range:
        # ImageJ counts signed 16-bit grey levels from -32768.
        low, high = (float(value + (32768 if dtype == np.int16 else 0)) for value in display_range)
        metadata.update(min=low, max=high, Ranges=(low, high))
    kept = {**_provenance(data), **(properties or {})}
    if kept:
        metadata["Properties"] = dict(kept)
        metadata["Info"] = "".join(f"{key}: {value}\n" for key, value in kept.items())
    return metadata


def _provenance(data: xr.DataArray | xr.Dataset) -> dict[str, str]:
    text = data.attrs.get("provenance")
    return {} if not text else {PROVENANCE: text if isinstance(text, str) else json.dumps(text, sort_keys=True)}


def _checked_dtype(path: str | PathLike[str], dtype: np.dtype[Any]) -> np.dtype[Any]:
    native = dtype.newbyteorder("=")
    if native not in _WRITTEN:
        raise OutputError(f"{path} cannot be written with pixels of type {dtype}; "
                          f"accepted: {', '.join(kind.name for kind in _WRITTEN)}; int32 for labels.")
    return native


def _largest_label(path: str | PathLike[str], labels: xr.DataArray) -> int:
    planes = (_plane(labels, z) for z in range(labels.sizes["z"]))
    extremes = [(int(plane.min()), int(plane.max())) for plane in planes]
    lowest, largest = min(low for low, _ in extremes), max(high for _, high in extremes)
    if lowest < 0 or largest > _LARGEST_EXACT_FLOAT:
        raise OutputError(f"{path} cannot be written: label {lowest if lowest < 0 else largest} is outside of what "
                          f"ImageJ holds exactly; accepted: 0 to {_LARGEST_EXACT_FLOAT}.")
    return largest


def _plane(data: xr.DataArray, z: int) -> np.ndarray:
    return data.variable[z].values


def _probabilities(path: str | PathLike[str], data: xr.DataArray, *, eight_bit: bool) -> Iterator[np.ndarray]:
    """Planes of a map, checked for NaN."""
    for z in range(data.sizes["z"]):
        plane = _plane(data, z).astype(np.float32, copy=False)
        missing = int(np.isnan(plane).sum())
        if missing:
            raise OutputError(f"{path} cannot be written: plane {z} (0-based) of the {data.name} map has {missing} "
                              "NaN; a probability is a number from 0 to 1.")
        yield np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8) if eight_bit else plane


def _reserve(file: Path) -> None:
    """Claim the room on the disk now, not after hours of work."""
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
