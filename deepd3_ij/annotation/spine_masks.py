"""Annotated volumes of a stack, whatever program made them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
import xarray as xr

from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.masks import read_pipra_foreground, read_roi_foreground, read_tiff_foreground

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
