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
from deepd3_ij.stack import voxel_size_um

PIPRA = "a pipra file (.mask)"
TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8")
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
        return np.asarray(open_stack(path, xy_um=xy_um, z_um=z_um).values > 0)
    except StackError as error:
        raise AnnotationError(f"The annotation cannot be read: {error}") from error


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
            return np.ascontiguousarray(read_volume(file, "mask", PIPRA).transpose(0, 2, 1) > 0)
    except FileFormatError as error:
        raise AnnotationError(f"The annotation cannot be read: {error}") from error
