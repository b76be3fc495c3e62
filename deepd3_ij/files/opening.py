"""Reading of probability maps and ROIs from whichever file the user has."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from deepd3_ij.errors import StackError, VoxelSizeError
from deepd3_ij.files.hdf5 import read_prediction, read_rois
from deepd3_ij.files.image_reader import look_into, open_stack
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.files.zarr_stores import is_zarr, shown_name
from deepd3_ij.notes import note
from deepd3_ij.rois import RoiSet
from deepd3_ij.slabs import ConvertedSlabs, SlabSource, into_volume, lazily, slabs_of, workspace
from deepd3_ij.stack import DIMS, MAPS, label_like, label_prediction, voxel_size_um


def read_maps(
    paths: Sequence[str | PathLike[str]], *, xy_um: float | None = None, z_um: float | None = None, lazy: bool = False
) -> xr.Dataset:
    """Read a prediction.

    Parameters
    ----------
    paths
        One ``.prediction`` file or OME-Zarr that this package wrote, or two TIFFs: dendrite map and spine map.
        TIFFs with 8 bit are taken as 0…255 for probabilities 0…1.
    xy_um, z_um
        Voxel size; overrides the files'.
    lazy
        Leave the maps in their files and read planes when they are used; wrong values are found then.

    Returns
    -------
    xarray.Dataset
        The prediction.

    Raises
    ------
    StackError
        A map is no map of probabilities, or the two have different shapes.
    VoxelSizeError
        The voxel size is not known, or differs between the two.
    """
    if len(paths) == 1 and is_zarr(paths[0]):
        return _read_zarr_maps(paths[0], xy_um, z_um, lazy=lazy)
    if len(paths) == 1:
        prediction = read_prediction(paths[0], xy_um=xy_um, z_um=z_um, lazy=lazy)
        for name in MAPS:
            what = f"The {name} map in {Path(paths[0]).name}"
            prediction[name] = prediction[name].copy(data=_checked(slabs_of(prediction[name]), what, lazy=lazy))
        return prediction
    dendrite, spine = (_read_map(path, xy_um, z_um, lazy=lazy) for path in paths)
    names = [Path(path).name for path in paths]
    if dendrite.shape != spine.shape:
        raise StackError(f"The maps have different shapes: {dendrite.shape} in {names[0]} and {spine.shape} in "
                         f"{names[1]} (z, y, x); give two maps of one stack.")
    sizes = voxel_size_um(dendrite), voxel_size_um(spine)
    if not np.allclose(*sizes, rtol=1e-3, atol=0):
        raise VoxelSizeError(f"The maps have different voxel sizes: {_in_um(sizes[0])} in {names[0]} and "
                             f"{_in_um(sizes[1])} in {names[1]}; give two maps of one stack, or the size with --xy "
                             "and --z.")
    return label_prediction(dendrite.variable._data, spine.variable._data, spine,
                            {**_common_provenance(dendrite, spine), "source": names[1]})


def _in_um(size: tuple[float, float, float]) -> str:
    return " × ".join(f"{length:g}" for length in size) + " µm"


def _common_provenance(dendrite: xr.DataArray, spine: xr.DataArray) -> dict[str, Any]:
    """Provenance that both maps carry; empty if they have none or were not made together."""
    text = spine.attrs.get("provenance")
    if text is None or text != dendrite.attrs.get("provenance"):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def read_rois_of_any_kind(path: str | PathLike[str], like: xr.Dataset) -> RoiSet:
    """Read ROIs from a ROI zip or single ROI, a ``.rois`` file or a ROI map.

    Parameters
    ----------
    path
        File; its suffix decides (``.zip``, ``.roi``, ``.rois``, otherwise TIFF), or OME-Zarr with labels.
    like
        Prediction that the ROIs belong to.

    Returns
    -------
    RoiSet
        ROIs on the coordinates of `like`.

    Raises
    ------
    StackError
        The ROI map has another shape or holds no whole numbers.
    """
    suffix = Path(path).suffix.lower()
    if suffix in (".zip", ".roi"):
        return read_roi_zip(path, like)
    if suffix == ".rois":
        return read_rois(path, like=like)
    stack = open_stack(_labels_in(path) if is_zarr(path) else path, xy_um=1.0, z_um=1.0,
                       lazy=workspace().scratch is not None)
    shape = tuple(like.sizes[dim] for dim in DIMS)
    if stack.shape != shape:
        raise StackError(f"{Path(path).name} has shape {stack.shape}, the probability maps {shape} (z, y, x); "
                         "give the ROI map of the same stack.")
    found: set[int] = set()
    labels = into_volume(ConvertedSlabs(slabs_of(stack), np.dtype(np.int32),
                                        lambda planes: _checked_labels(planes, path, found)))
    lowest, highest = min(found), max(found)
    if 0 < lowest < highest:
        raise StackError(f"{Path(path).name} has no background: its values go from {lowest} to {highest}; "
                         "accepted for a ROI map: 0 where no ROI is.")
    if lowest > 0:
        note(f"{Path(path).name}: every voxel belongs to ROI {lowest}.")
    return RoiSet(label_like(labels.as_array(), like))


def _checked_labels(planes: np.ndarray, path: str | PathLike[str], found: set[int]) -> np.ndarray:
    """Planes of a ROI map as int32; their lowest and highest value is added to `found`."""
    whole = planes.astype(np.int32)
    if not np.array_equal(whole, planes) or whole.min() < 0:
        raise StackError(f"{Path(path).name} is no ROI map: it holds values that are no whole numbers from 0.")
    found |= {int(whole.min()), int(whole.max())}
    return whole


def _labels_in(path: str | PathLike[str]) -> str:
    """The labels of spines in an OME-Zarr; itself, if it is an image of labels."""
    text = os.fspath(path).rstrip("/")
    return text if Path(text).parent.name == "labels" else f"{text}/labels/spines"


def _read_zarr_maps(
    path: str | PathLike[str], xy_um: float | None, z_um: float | None, *, lazy: bool
) -> xr.Dataset:
    """The two channels of an OME-Zarr that this package wrote."""
    content = look_into(path)
    if content.channels != len(MAPS):
        raise StackError(f"{shown_name(path)} has {content.channels} channel{'s' * (content.channels != 1)}; accepted "
                         "for probability maps: an OME-Zarr with the channels dendrite and spine, as DeepD3 writes it.")
    maps = [open_stack(path, xy_um=xy_um, z_um=z_um, channel=channel, lazy=lazy) for channel in range(len(MAPS))]
    dendrite, spine = maps
    dendrite_map, spine_map = (
        _checked(ConvertedSlabs(slabs_of(values), np.dtype(np.float32), _as_float32),
                 f"The {name} map in {shown_name(path)}", lazy=lazy) for name, values in zip(MAPS, maps, strict=True))
    return label_prediction(dendrite_map, spine_map, spine,
                            _common_provenance(dendrite, spine) or {"source": shown_name(path)})


def _read_map(path: str | PathLike[str], xy_um: float | None, z_um: float | None, *, lazy: bool) -> xr.DataArray:
    stack = open_stack(path, xy_um=xy_um, z_um=z_um, lazy=lazy)
    scaled = ConvertedSlabs(slabs_of(stack), np.dtype(np.float32), _as_probabilities)
    labelled = label_like(_checked(scaled, Path(path).name, lazy=lazy), stack)
    return labelled.assign_attrs(provenance=stack.attrs["provenance"]) if "provenance" in stack.attrs else labelled


def _as_probabilities(planes: np.ndarray) -> np.ndarray:
    if planes.dtype == np.uint8:
        return np.divide(planes, np.float32(255), dtype=np.float32)
    return _as_float32(planes)


def _as_float32(planes: np.ndarray) -> np.ndarray:
    return planes.astype(np.float32, copy=False)


def _checked(source: SlabSource, what: str, *, lazy: bool) -> Any:
    """Data of a map: read and checked now, or checked as its planes are read."""
    checked = ConvertedSlabs(source, source.dtype, lambda planes: _check_probabilities(what, planes))
    return lazily(checked) if lazy else checked.read(0, source.shape[0])


def _check_probabilities(name: str, values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())  # NaN if any value is NaN
    if not (low >= 0 and high <= 1):
        raise StackError(f"{name} holds values from {low:g} to {high:g}; a probability map has values "
                         "from 0 to 1 (32 bit) or from 0 to 255 (8 bit).")
    return values
