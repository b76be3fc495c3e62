"""Predictions and ROI maps as HDF5, readable by DeepD3 and from DeepD3.

``.prediction`` holds ``/dendrites`` and ``/spines`` (float32), ``.rois`` holds ``/roi_map`` (int32) and
``/rois`` (outlines plane by plane), as DeepD3 lays them out. The group ``/deepd3`` adds
what DeepD3 leaves out: voxel size, origin, source, provenance and, for ROIs, their table.
DeepD3 opens both kinds (the group appears there as one more dictionary). Its own ``/rois`` is a pickle, which is
never read here; ROIs come from ``/roi_map``. Ours is built of plain groups instead.
"""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import xarray as xr

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import FileFormatError, StackError, VoxelSizeError, remedy
from deepd3_ij.files import pytables_layout as layout
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.slabs import (
    ConvertedSlabs,
    FileVolume,
    MemoryVolume,
    SlabSource,
    into_volume,
    lazily,
    new_volume,
    slab_bounds,
    slabs_of,
    workspace,
)
from deepd3_ij.stack import DIMS, label_like, label_prediction, label_stack, provenance_of, voxel_size_um

if TYPE_CHECKING:
    import pandas as pd

_GROUP = "deepd3"
_PREDICTION = "a .prediction file"
_ROIS = "a .rois file"


def write_prediction(path: str | PathLike[str], prediction: xr.Dataset, *, progress: Progress = no_progress) -> None:
    """Write probability maps as a ``.prediction`` file.

    Parameters
    ----------
    path
        File to make or replace.
    prediction
        ``dendrite`` and ``spine``, float32, ``(z, y, x)``.
    progress
        Called before, between and after the two maps.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    progress(0, 2, "Writing prediction")
    with replacing(path) as temporary, layout.create_file(temporary) as file:
        for done, (name, key) in enumerate((("dendrites", "dendrite"), ("spines", "spine")), start=1):
            layout.write_volume(file, name, _as_float32(slabs_of(prediction[key])))
            progress(done, 2, "Writing prediction")
        _write_origin(file, prediction, provenance_of(prediction), entries=0)


def read_prediction(
    path: str | PathLike[str],
    *,
    like: xr.DataArray | xr.Dataset | None = None,
    xy_um: float | None = None,
    z_um: float | None = None,
    lazy: bool = False,
) -> xr.Dataset:
    """Read a ``.prediction`` file of this package or of DeepD3.

    Parameters
    ----------
    path
        The file; the older key ``/dendrite`` is understood.
    like
        Stack that the maps belong to; gives coordinates and voxel size.
    xy_um, z_um
        Voxel size in µm where the file has none (DeepD3 stores none) or a wrong one.
    lazy
        Leave the maps in the file, which must stay there, and read planes when they are used.

    Returns
    -------
    xarray.Dataset
        float32 ``dendrite`` and ``spine``, values as stored.

    Raises
    ------
    FileFormatError
        The file is damaged or of another kind, or the maps' shapes differ.
    VoxelSizeError
        Neither the file nor the arguments give the voxel size.
    StackError
        The maps have another shape than `like`.
    """
    with layout.open_file(path, _PREDICTION) as file:
        key = "dendrites" if "dendrites" in file or "dendrite" not in file else "dendrite"
        dendrite, spine = (layout.StoredVolume(path, name, _PREDICTION) if lazy
                           else slabs_of(layout.read_volume(file, name, _PREDICTION)) for name in (key, "spines"))
        if dendrite.shape != spine.shape:
            raise FileFormatError(f"{path}: the maps have different shapes, {dendrite.shape} and {spine.shape}; "
                                  "segment the stack again.")
        maps = [lazily(_as_float32(source)) if lazy else _as_float32(source).read(0, source.shape[0])
                for source in (dendrite, spine)]
        grid = _read_origin(file, maps[0], like, xy_um, z_um)
        provenance = _read_json(file, "provenance")
    return label_prediction(maps[0], maps[1], grid, provenance)


def _as_float32(source: SlabSource) -> SlabSource:
    return ConvertedSlabs(source, np.dtype(np.float32), lambda planes: planes.astype(np.float32, copy=False))


def write_rois(
    path: str | PathLike[str],
    rois: RoiSet,
    table: pd.DataFrame | None = None,
    *,
    progress: Progress = no_progress,
) -> None:
    """Write ROIs as a ``.rois`` file.

    ``/rois`` lists for every plane the outlines that DeepD3 shows (an entry per outline, vertices y, x relative to
    pixel centres, as DeepD3 counts); holes are only in the map.

    Parameters
    ----------
    path
        File to make or replace.
    rois
        ROIs of two or three dimensions.
    table
        Measured spines, a row per ROI; numbers and texts.
    progress
        Called before and after each part.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    progress(0, 2, "Writing ROIs")
    with replacing(path) as temporary, layout.create_file(temporary) as file:
        layout.write_volume(file, "roi_map", slabs_of(rois.labels))
        progress(1, 2, "Writing ROIs")
        _write_outlines(file, rois)
        group = _write_origin(file, rois.labels, rois.provenance, entries=0 if table is None else 1)
        layout.set_number(group, "dimensions", np.int64(rois.dimensions))
        if table is not None:
            _write_table(group, table)
    progress(2, 2, "Writing ROIs")


def read_rois(
    path: str | PathLike[str],
    *,
    like: xr.DataArray | xr.Dataset | None = None,
    xy_um: float | None = None,
    z_um: float | None = None,
    dimensions: int | None = None,
) -> RoiSet:
    """Read a ``.rois`` file of this package or of DeepD3 from its ROI map.

    Parameters
    ----------
    path
        The file.
    like
        Stack that the ROIs belong to; gives coordinates and voxel size.
    xy_um, z_um
        Voxel size in µm where the file has none (DeepD3 stores none) or a wrong one.
    dimensions
        2 or 3; None for what the file says, else 3. DeepD3's 2-D maps count from 1 again in each plane (and
        after cleaning hold only ones): with 2 they get ids that are unique through the stack.

    Returns
    -------
    RoiSet

    Raises
    ------
    FileFormatError
        The file is damaged or of another kind.
    VoxelSizeError
        Neither the file nor the arguments give the voxel size.
    StackError
        The map has another shape than `like`.
    """
    with layout.open_file(path, _ROIS) as file:
        stored = slabs_of(layout.read_volume(file, "roi_map", _ROIS)) if workspace().scratch is None \
            else layout.StoredVolume(path, "roi_map", _ROIS)
        labels = into_volume(ConvertedSlabs(stored, np.dtype(np.int32), lambda planes: _checked_labels(planes, path)))
        grid = _read_origin(file, labels.as_array(), like, xy_um, z_um)
        provenance = _read_json(file, "provenance")
        group = layout.node_of(file, _GROUP)
        own = layout.read_attribute(group, "dimensions") if isinstance(group, h5py.Group) else None
    if own is None and dimensions == 2:
        labels = _unique_through_planes(labels)
    chosen = dimensions or (2 if own == 2 else 3)
    return RoiSet(label_like(labels.as_array(), grid), dimensions=chosen, provenance=provenance)


def _checked_labels(planes: np.ndarray, path: str | PathLike[str]) -> np.ndarray:
    """Planes of a ROI map as int32."""
    if planes.dtype.kind not in "iu" or planes.min() < 0 or planes.max() > np.iinfo(np.int32).max:
        raise FileFormatError(f"{path}: the ROI map has type {planes.dtype} and values from {planes.min()} to "
                              f"{planes.max()}; accepted: whole numbers from 0 to {np.iinfo(np.int32).max}.")
    return planes.astype(np.int32, copy=False)


def read_spine_table(path: str | PathLike[str]) -> pd.DataFrame | None:
    """Read the measured spines that :func:`write_rois` wrote into a ``.rois`` file.

    Returns
    -------
    pandas.DataFrame
        A row per ROI; None if the file has no such table.

    Raises
    ------
    FileFormatError
        The file is damaged or of another kind.
    """
    import pandas as pd

    with layout.open_file(path, _ROIS) as file:
        group = layout.node_of(file, f"{_GROUP}/table")
        if not isinstance(group, h5py.Group):
            return None
        columns: dict[str, np.ndarray] = {}
        for index, name in enumerate(json.loads(layout.read_text(group, "columns") or "[]")):
            node = layout.node_of(group, f"column{index}")
            if not isinstance(node, h5py.Dataset):
                raise FileFormatError(f"{path}: the table of spines has no column {name}; write the file again.")
            values = layout.read_values(node)
            if values.dtype.kind == "S":
                values = np.char.decode(values, "utf-8", "replace").astype(object)
            columns[str(name)] = values
        return pd.DataFrame(columns)


def _write_origin(
    file: h5py.File, data: xr.DataArray | xr.Dataset, provenance: Any, *, entries: int
) -> h5py.Group:
    """Write where the data lie and come from."""
    group = layout.create_group(file, _GROUP, f"dict:{entries + 4}")
    layout.set_number(group, "voxel_size_um", np.array(voxel_size_um(data)))
    layout.set_number(group, "origin_um", np.array([float(data.coords[dim][0]) for dim in DIMS]))
    layout.write_text(group, "source", str(data.attrs.get("source", "")))
    layout.write_text(group, "provenance", json.dumps(dict(provenance), sort_keys=True))
    return group


def _read_origin(
    file: h5py.File,
    array: Any,
    like: xr.DataArray | xr.Dataset | None,
    xy_um: float | None,
    z_um: float | None,
) -> xr.DataArray:
    """Label an array with the coordinates given, or stored."""
    name = Path(file.filename).name
    if like is not None:
        try:
            return label_like(array, like)
        except StackError as error:
            raise StackError(f"{name} does not belong to this stack. {error}") from error
    group = layout.node_of(file, _GROUP)
    size = layout.read_attribute(group, "voxel_size_um") if isinstance(group, h5py.Group) else None
    if isinstance(size, np.ndarray) and size.shape == (3,):
        z_um = float(size[0]) if z_um is None else z_um
        xy_um = float(size[2]) if xy_um is None else xy_um
    if xy_um is None or z_um is None:
        raise VoxelSizeError(f"{name} does not tell its voxel size; " + remedy(
            "give --xy and --z (in µm).", "open its stack first, with a voxel size, and load it there."))
    source = layout.read_text(group, "source") if isinstance(group, h5py.Group) else None
    stack = label_stack(array, xy_um=xy_um, z_um=z_um, source=source or name)
    origin = layout.read_attribute(group, "origin_um") if isinstance(group, h5py.Group) else None
    if isinstance(origin, np.ndarray) and origin.shape == (3,) and np.isfinite(origin).all():
        stack = stack.assign_coords({dim: stack.coords[dim] + first for dim, first in zip(DIMS, origin, strict=True)})
    return stack


def _read_json(file: h5py.File, name: str) -> dict[str, Any]:
    group = layout.node_of(file, _GROUP)
    text = layout.read_text(group, name) if isinstance(group, h5py.Group) else None
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = {}
    return value if isinstance(value, dict) else {}


def _write_outlines(file: h5py.File, rois: RoiSet) -> None:
    """Write DeepD3's list of outlines per plane, of groups and attributes only."""
    contours = rois.contours
    planes = rois.labels.sizes["z"]
    outer = np.flatnonzero(~contours.is_hole)
    first = np.searchsorted(contours.plane[outer], np.arange(planes + 1))
    statistics = rois.statistics
    centroids = dict(zip(statistics.ids.tolist(), statistics.centroids_zyx, strict=True))
    top = layout.create_group(file, "rois", f"dict:{planes}")
    for plane in range(planes):
        pair = layout.create_group(top, f"__pair{plane}", "dict:2")
        layout.set_number(pair, "key", np.int64(plane))
        entries = outer[first[plane]:first[plane + 1]]
        listing = layout.create_group(pair, "value", f"list:{len(entries)}")
        for number, index in enumerate(entries.tolist()):
            roi_id = int(contours.roi_id[index])
            entry = layout.create_plain_group(listing, f"i{number}")
            layout.set_number(entry, "ROI_id", np.int64(roi_id))
            z_px, y_px, x_px = centroids[roi_id]
            layout.set_number(entry, "centroid",
                              np.array([x_px, y_px] if rois.dimensions == 2 else [z_px, y_px, x_px]))
            # Corners count from a pixel's upper left, DeepD3's contours from its centre.
            outline = contours.points(index).astype(np.float64) - 0.5
            if outline.nbytes <= layout.MAX_ATTRIBUTE_BYTES:
                layout.set_number(entry, "contour", outline)
            else:
                layout.write_array(entry, "contour", outline)


def _write_table(group: h5py.Group, table: pd.DataFrame) -> None:
    columns = layout.create_group(group, "table", f"dict:{len(table.columns) + 1}")
    layout.write_text(columns, "columns", json.dumps([str(name) for name in table.columns]))
    for index, name in enumerate(table.columns):
        values = table[name].to_numpy()
        if values.dtype.kind not in "biuf":
            encoded = [("" if value is None else str(value)).encode() for value in values]
            values = np.array(encoded, dtype=f"S{max([1, *map(len, encoded)])}")
        layout.write_array(columns, f"column{index}", values)


def _unique_through_planes(labels: SlabSource) -> MemoryVolume | FileVolume:
    """Number the 2-D ROIs of all planes consecutively; binarised planes by their 8-connected pieces."""
    from skimage.measure import label

    result = new_volume(labels.shape, labels.dtype)
    bounds = slab_bounds(labels.shape, 2)
    last_id = 0
    binary = max(int(labels.read(first, last).max()) for first, last in bounds) == 1
    for first, last in bounds:
        planes = np.zeros((last - first, *labels.shape[1:]), labels.dtype)
        for plane, values in zip(planes, labels.read(first, last), strict=True):
            numbered = label(values, connectivity=2) if binary else values
            ids, index = np.unique(numbered, return_inverse=True)
            new = np.cumsum(ids > 0) + last_id
            plane[:] = np.where(numbered > 0, new[index].reshape(values.shape), 0)
            last_id += int((ids > 0).sum())
        result.write(first, planes)
    return result
