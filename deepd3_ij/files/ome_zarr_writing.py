"""Probability maps and labels as OME-Zarr: written slab by slab of whole planes, with a pyramid.

``probabilities`` is an image with the channels dendrite and spine; the root shows the same arrays, so that a viewer
that opens the folder finds maps and labels. A slab is a shard high, so that no shard is written twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from deepd3_ij.atomic import replacing_folder
from deepd3_ij.colours import DENDRITE, SPINE, roi_colour
from deepd3_ij.errors import OutputError
from deepd3_ij.files.ngff import OWN, Level, image_metadata, with_version
from deepd3_ij.files.zarr_stores import import_zarr, is_zarr
from deepd3_ij.names import PROVENANCE
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stack import DIMS, MAPS, voxel_size_um

if TYPE_CHECKING:
    import pandas as pd

    from deepd3_ij.rois.roiset import RoiSet

VERSIONS = ("0.4", "0.5")
_PLANE_CHUNK = 512
_SHARD_PLANES = 16
_SHARD_PIXELS = 4096
_SMALLEST = 256
_FLAT = 3.0
_MOST_PROPERTIES = 10_000
_PROPERTIES = {
    "spines": ("dendrite_id", "confidence", "x_um", "y_um", "z_um", "volume_um3", "max_probability"),
    "dendrites": ("length_um", "spines", "density_per_um", "volume_um3"),
}
Block = tuple[slice, slice, slice]


def write_ome_zarr(
    path: str | PathLike[str],
    prediction: xr.Dataset,
    rois: RoiSet | None = None,
    dendrites_in: Callable[[Block], np.ndarray] | None = None,
    *,
    spine_table: pd.DataFrame | None = None,
    dendrite_table: pd.DataFrame | None = None,
    origin_um: Sequence[float] | None = None,
    version: str = "0.4",
    approve: Callable[[Sequence[Path]], None] | None = None,
    progress: Progress = no_progress,
) -> Path:
    """Write ``probabilities``, ``labels/spines`` and ``labels/dendrites`` into an OME-Zarr folder.

    Parameters
    ----------
    path
        Folder to make; one that is an OME-Zarr is replaced as a whole when the new one is complete.
    prediction
        ``dendrite`` and ``spine``, ``(z, y, x)``, in memory or lazy.
    rois
        Spine ROIs.
    dendrites_in
        Gives the numbers of dendrites, int32, in a box of the volume.
    spine_table, dendrite_table
        Tables whose main columns become properties of the labels.
    origin_um
        Place (z, y, x) of the stack's first voxel, if it is not 0.
    version
        "0.4", or "0.5" with shards.
    approve
        Called with the complete new folder before it takes its place; raises to keep what is there.
    progress
        Receives progress over the volumes.

    Raises
    ------
    OutputError
        The folder cannot be written, or something else is at its place.
    StackError
        The package zarr is missing.
    """
    zarr = import_zarr()
    target = Path(path)
    if (target.exists() or target.is_symlink()) and (target.is_symlink() or not is_zarr(target)):
        raise OutputError(f"{target} exists and is no OME-Zarr folder; move it away or give another folder.")
    if version not in VERSIONS:
        raise OutputError(f"The version of OME-Zarr is {version!r}; accepted: {' or '.join(VERSIONS)}.")
    shape: tuple[int, int, int] = tuple(prediction.sizes[dim] for dim in DIMS)  # type: ignore[assignment]
    first = [float(prediction.coords[dim][0]) + (origin_um[axis] if origin_um else 0.0)
             for axis, dim in enumerate(DIMS)]
    grid = _Grid(shape, voxel_size_um(prediction), (first[0], first[1], first[2]))
    with replacing_folder(target, approve) as folder:
        root = zarr.open_group(str(folder), mode="w", zarr_format=2 if version == "0.4" else 3)
        writer = _Writer(zarr, root, version, grid)
        progress(0, 3, "Writing OME-Zarr")
        writer.maps(prediction)
        progress(1, 3, "Writing OME-Zarr")
        labels: dict[str, Callable[[Block], np.ndarray]] = {}
        if rois is not None:
            volume = rois.labels.data
            labels["spines"] = lambda box: np.asarray(volume[box])
        if dendrites_in is not None:
            labels["dendrites"] = dendrites_in
        if labels:
            root.create_group("labels").attrs.update(with_version(version, {"labels": list(labels)}))
        tables = {"spines": spine_table, "dendrites": dendrite_table}
        for done, (name, read) in enumerate(labels.items(), start=2):
            writer.labels(name, read, tables[name], target.name)
            progress(done, 3, "Writing OME-Zarr")
        progress(3, 3, "Writing OME-Zarr")
    return target


class _Grid:
    """The grids of a pyramid: shapes, voxel sizes and steps between them."""

    def __init__(self, shape: tuple[int, int, int], size_um: tuple[float, float, float],
                 origin_um: tuple[float, float, float]) -> None:
        self.shapes, self.sizes_um = [shape], [size_um]
        self.origin_um = origin_um
        self.factors: list[tuple[int, int, int]] = []
        while max(self.shapes[-1][1:]) > _SMALLEST:
            z, y, x = self.sizes_um[-1]
            factor = (2 if z < _FLAT * x and self.shapes[-1][0] > 1 else 1, 2, 2)
            self.factors.append(factor)
            self.sizes_um.append((z * factor[0], y * 2, x * 2))
            depth, height, width = (-(-n // by) for n, by in zip(self.shapes[-1], factor, strict=True))
            self.shapes.append((depth, height, width))

    def levels(self, before: int, *, centred: bool, path: str = "{}") -> list[Level]:
        """Metadata of the levels, after so many axes of other kinds; centred if a voxel is the mean of those below."""
        found = []
        for number, size in enumerate(self.sizes_um):
            shift = [(size[axis] - self.sizes_um[0][axis]) / 2 if centred else 0.0 for axis in range(3)]
            place = [origin + by for origin, by in zip(self.origin_um, shift, strict=True)]
            found.append(Level(path.format(number), (1.0,) * before + size, (0.0,) * before + tuple(place)))
        return found


class _Writer:
    """Writes images into the groups of one store."""

    def __init__(self, zarr: Any, root: Any, version: str, grid: _Grid) -> None:
        self._zarr, self._root, self._version, self._grid = zarr, root, version, grid

    def maps(self, prediction: xr.Dataset) -> None:
        group = self._root.create_group("probabilities")

        def read(box: Block) -> np.ndarray:
            block = np.stack([np.asarray(prediction[name].data[box], dtype=np.float32) for name in MAPS])
            if np.isnan(block).any():
                raise OutputError(f"The maps have NaN in the planes {box[0].start} to {box[0].stop - 1} (0-based) and "
                                  "cannot be written as OME-Zarr; a probability is a number from 0 to 1.")
            return block

        self._pyramid(group, read, np.dtype(np.float32), len(MAPS), _mean)
        channels = [(name, "".join(f"{part:02X}" for part in colour))
                    for name, colour in zip(MAPS, (DENDRITE, SPINE), strict=True)]
        own = {PROVENANCE: prediction.attrs.get("provenance", "{}"), "source": prediction.attrs.get("source", "")}
        for place, path in ((group, "{}"), (self._root, "probabilities/{}")):
            place.attrs.update({**image_metadata(
                self._version, "probabilities", "czyx", self._grid.levels(1, centred=True, path=path),
                channels=channels), OWN: own})

    def labels(self, name: str, read: Callable[[Block], np.ndarray], table: pd.DataFrame | None, file: str) -> None:
        group = self._root["labels"].create_group(name)
        seen: set[int] = set()

        def read_and_note(box: Block) -> np.ndarray:
            block = read(box)
            seen.update(np.unique(block).tolist())
            return block.astype(np.uint32)

        self._pyramid(group, read_and_note, np.dtype(np.uint32), 0, _nearest)
        numbers = sorted(int(value) for value in seen if value)
        part: Any = {"source": {"image": "../../"}}
        if len(numbers) <= _MOST_PROPERTIES:
            part["colors"] = [{"label-value": number, "rgba": [*roi_colour(number), 255]} for number in numbers]
            part["properties"] = _properties(numbers, table, _PROPERTIES[name])
        own: dict[str, Any] = {"of": name}
        if len(numbers) > _MOST_PROPERTIES:
            own["table"] = f"../{file.removesuffix('.ome.zarr')}_{name}.csv"
        group.attrs.update({**image_metadata(
            self._version, name, "zyx", self._grid.levels(0, centred=False), label=part), OWN: own})

    def _pyramid(self, group: Any, read: Callable[[Block], np.ndarray], dtype: np.dtype[Any], channels: int,
                 reduce: Callable[[np.ndarray, tuple[int, int, int]], np.ndarray]) -> None:
        finer = None
        for number, shape in enumerate(self._grid.shapes):
            array = self._array(group, str(number), (channels, *shape) if channels else shape, dtype)
            for first in range(0, shape[0], _SHARD_PLANES):
                last = min(first + _SHARD_PLANES, shape[0])
                if finer is None:
                    block = read((slice(first, last), slice(None), slice(None)))
                else:
                    factor = self._grid.factors[number - 1]
                    block = reduce(finer[..., first * factor[0]:last * factor[0], :, :], factor)
                array[..., first:last, :, :] = block
            finer = array

    def _array(self, group: Any, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        chunks = (1,) * (len(shape) - 2) + tuple(min(_PLANE_CHUNK, n) for n in shape[-2:])
        common = {"shape": shape, "dtype": dtype, "chunks": chunks, "fill_value": 0,
                  "config": {"write_empty_chunks": False}}
        if self._version == "0.4":
            from numcodecs import Blosc

            return group.create_array(name, **common, compressors=Blosc("zstd", 3, Blosc.BITSHUFFLE),
                                      chunk_key_encoding={"name": "v2", "separator": "/"})
        blosc = self._zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
        shards = (1,) * (len(shape) - 3) + (_SHARD_PLANES,) + tuple(
            chunk * -(-min(_SHARD_PIXELS, n) // chunk) for chunk, n in zip(chunks[-2:], shape[-2:], strict=True))
        return group.create_array(name, **common, compressors=blosc, shards=shards,
                                  dimension_names=tuple("czyx"[-len(shape):]))


def _mean(block: np.ndarray, factor: tuple[int, int, int]) -> np.ndarray:
    """Mean over boxes of voxels, along the last three axes; at the far borders, of the voxels that are there."""
    for axis, by in zip((-3, -2, -1), factor, strict=True):
        if by > 1:
            rest = -block.shape[axis] % by
            widths = [(0, 0)] * block.ndim
            widths[axis] = (0, rest)
            padded = np.pad(block, widths, mode="edge") if rest else block
            at = block.ndim + axis
            shape = padded.shape
            block = padded.reshape(*shape[:at], shape[at] // by, by, *shape[at + 1:]).mean(
                axis=at + 1, dtype=np.float32)
    return block


def _nearest(block: np.ndarray, factor: tuple[int, int, int]) -> np.ndarray:
    z, y, x = factor
    return block[..., ::z, ::y, ::x]


def _properties(numbers: Sequence[int], table: pd.DataFrame | None, columns: Sequence[str]) -> list[Mapping[str, Any]]:
    """An entry per label; with the main columns of its row, where there is one."""
    rows: dict[int, dict[str, Any]] = {}
    if table is not None and "id" in table:
        chosen = [name for name in columns if name in table]
        # Text of JSON gives plain numbers, and nothing for NaN.
        entries = json.loads(table[["id", *chosen]].to_json(orient="records"))
        rows = {int(row.pop("id")): {key: value for key, value in row.items() if value is not None} for row in entries}
    return [{"label-value": number, **rows.get(number, {})} for number in numbers]
