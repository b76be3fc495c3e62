"""Annotated volumes of a stack, whatever program made them: TIFF masks, ImageJ ROIs, pipra files."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import xarray as xr

from deepd3_ij.errors import AnnotationError, FileFormatError, StackError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.pytables_layout import open_file, read_volume
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.files.snt_traces import SUFFIX as TRACES_SUFFIX
from deepd3_ij.input_limits import check_regular
from deepd3_ij.notes import note
from deepd3_ij.stack import voxel_size_um

_FORMATS = {".asc": "a tracing in Neurolucida's format",
            ".nml": "a tracing in the format of webKnossos", ".hoc": "a tracing in NEURON's format",
            ".ano": "a list of Vaa3D", ".am": "a file of Amira", ".ims": "a file of Imaris", ".json": "a JSON file",
            ".zip": "a zip of ROIs, which are read for spines only", ".roi": "a ROI, which is read for spines only"}
_BEGINNINGS = {b"\x1f\x8b": "compressed (gzip)", b"<": "an XML file", b"PK": "a zip file",
               b"\x89HDF": "an HDF5 file", b"(": "a tracing in Neurolucida's format"}
_SAMPLE = 1_000_000
PIPRA = "a pipra file (.mask)"
TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
SWC_SUFFIXES = (".swc", ".eswc")
TRACING_SUFFIXES = (*SWC_SUFFIXES, TRACES_SUFFIX)
ROI_SUFFIXES = (".zip", ".roi")
PIPRA_SUFFIX = ".mask"


def read_spine_mask(path: str | PathLike[str], like: xr.DataArray) -> np.ndarray:
    """Read annotated spines of a stack.

    Parameters
    ----------
    path
        TIFF mask or label image (foreground > 0), ImageJ ROI zip or ``.roi``, or pipra ``.mask``; told apart by the
        file's suffix, in small or capital letters.
    like
        The annotated stack.

    Returns
    -------
    numpy.ndarray
        Boolean, shape ``(z, y, x)`` of the stack.

    Raises
    ------
    AnnotationError
        Another suffix, a file that cannot be read, another shape than the stack's, or nothing annotated.
    """
    suffix = Path(path).suffix.lower()
    if suffix in TIFF_SUFFIXES:
        return read_tiff_mask(path, like)
    if suffix in ROI_SUFFIXES:
        return _checked(read_roi_foreground(path, like), path, like)
    if suffix == PIPRA_SUFFIX:
        return _checked(read_pipra_foreground(path), path, like)
    accepted = ", ".join((*TIFF_SUFFIXES, *ROI_SUFFIXES, PIPRA_SUFFIX))
    raise AnnotationError(f"{Path(path).name} has the suffix {suffix or '(none)'}; spine annotations are read from "
                          f"{accepted}.")


def read_tiff_mask(path: str | PathLike[str], like: xr.DataArray) -> np.ndarray:
    """Read a mask or label image of a stack from a TIFF file, as :func:`read_spine_mask` does."""
    return _checked(read_tiff_foreground(path, like), path, like)


def _checked(mask: np.ndarray, path: str | PathLike[str], like: xr.DataArray) -> np.ndarray:
    if mask.shape != like.shape:
        raise AnnotationError(f"{Path(path).name} has the shape {mask.shape} and its stack {like.shape} (z, y, x); "
                              "use the annotation of this stack.")
    if not mask.any():
        raise AnnotationError(f"{Path(path).name} is empty: no voxel is above 0. Use an annotation with spines.")
    return mask


def read_tiff_foreground(path: str | PathLike[str], like: xr.DataArray) -> np.ndarray:
    """Read a mask or label image from a TIFF file; its own voxel size is not looked at.

    Parameters
    ----------
    path
        TIFF file with one channel; every value above 0 is foreground.
    like
        The annotated stack.

    Returns
    -------
    numpy.ndarray
        Boolean, in the shape of the file (z, y, x).

    Raises
    ------
    AnnotationError
        The file is no readable grey stack.
    """
    z_um, xy_um, _ = voxel_size_um(like)
    try:
        values = open_stack(path, xy_um=xy_um, z_um=z_um).values
    except StackError as error:
        raise AnnotationError(f"The annotation cannot be read: {error}") from error
    return foreground_of(values, Path(path).name)


def foreground_of(values: np.ndarray, name: str) -> np.ndarray:
    """Foreground of a mask or label image; what can be neither is refused.

    Parameters
    ----------
    values
        Voxels of a mask; 0 is background, everything above is foreground.
    name
        The file, for messages.

    Returns
    -------
    numpy.ndarray
        Boolean, of the same shape.

    Raises
    ------
    AnnotationError
        No voxel is 0 while there are several values (a label image whose background is 1, a probability map), values
        are negative, or are probabilities. That the whole stack, or more than half of it, is foreground is noted.
    """
    low, high = values.min(), values.max()
    if low < 0:
        raise AnnotationError(f"{name} has values from {low:g} to {high:g}; accepted for a mask: 0 for background, "
                              "more for foreground.")
    positive = values[values > 0]
    told = _told(positive)
    if values.dtype.kind == "f" and positive.size and positive.min() < positive.max() and high <= 1:
        raise AnnotationError(f"{name} is a probability map and no mask: it has values from {low:g} to {high:g}. Apply "
                              "a threshold first (in Fiji: Image ▸ Adjust ▸ Threshold…) or use the map as prediction.")
    if low > 0 and low < high:
        raise AnnotationError(f"{name} has no background: no voxel is 0, it has {told}, so the whole stack would be "
                              "foreground. Which value is the background? Give it the value 0 (in Fiji: Process ▸ "
                              "Math).")
    if low > 0:
        note(f"{name}: every voxel is foreground (all have the value {low:g}).")
    elif 2 * positive.size > values.size:
        note(f"{name}: {positive.size} of {values.size} voxels are foreground ({told}); if 0 is not its background, "
             "invert it.")
    return np.asarray(values > 0)


def _told(positive: np.ndarray) -> str:
    """The values of a mask in words."""
    found = np.unique(positive[:_SAMPLE] if positive.size > _SAMPLE else positive)
    if len(found) > 3:
        return f"values from {found[0]:g} to {found[-1]:g}"
    counts = [f"{np.count_nonzero(positive == value)} of {value:g}" for value in found]
    return ", ".join(counts) or "no voxel above 0"


def read_roi_foreground(path: str | PathLike[str], like: xr.DataArray) -> np.ndarray:
    """Fill the selections of an ImageJ ROI zip (or a single .roi file).

    Parameters
    ----------
    path
        The file.
    like
        The annotated stack.

    Returns
    -------
    numpy.ndarray
        Boolean, shape ``(z, y, x)`` of the stack.

    Raises
    ------
    AnnotationError
        No ROI file, or a damaged one.
    """
    try:
        return np.asarray(read_roi_zip(path, like).labels.values > 0)
    except FileFormatError as error:
        raise AnnotationError(f"The annotation cannot be read: {error}") from error


def read_pipra_foreground(path: str | PathLike[str]) -> np.ndarray:
    """Read the volume that the annotation program pipra stores.

    Parameters
    ----------
    path
        HDF5 file with the dataset ``mask``, whose axes are (z, x, y).

    Returns
    -------
    numpy.ndarray
        Boolean, axes (z, y, x).

    Raises
    ------
    AnnotationError
        No such file, or a damaged one.
    """
    try:
        with open_file(path, PIPRA) as file:
            values = read_volume(file, "mask", PIPRA).transpose(0, 2, 1)
    except FileFormatError as error:
        raise AnnotationError(f"The annotation cannot be read: {error}") from error
    return np.ascontiguousarray(foreground_of(values, Path(path).name))


def is_tracing(path: str | PathLike[str]) -> bool:
    """Tell by a file's name and beginning whether it is a tracing (SWC) or a mask (TIFF).

    Parameters
    ----------
    path
        Annotation of dendrites.

    Returns
    -------
    bool
        True for a tracing.

    Raises
    ------
    AnnotationError
        It is missing or neither; the message names the format where it is known.
    """
    place = Path(path)
    check_regular(place, "a tracing (SWC) or a mask (TIFF)", AnnotationError)
    suffix = place.suffix.lower()
    if suffix in TRACING_SUFFIXES:
        return True
    try:
        with place.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise AnnotationError(f"{place} cannot be read: {error.strerror or error}.") from error
    if suffix in TIFF_SUFFIXES or start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return False
    known = _FORMATS.get(suffix) or next((text for magic, text in _BEGINNINGS.items() if start.startswith(magic)), "")
    raise AnnotationError(f"{place.name} is {known or 'neither a tracing (SWC) nor a mask (TIFF)'}; accepted: "
                          f"{', '.join((*TRACING_SUFFIXES, *TIFF_SUFFIXES))}. Export the tracing as SWC "
                          "(in SNT: File ▸ Export As SWC…).")
