"""Masks as the guide's converters write them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import xarray as xr

from deepd3_ij.atomic import replacing
from deepd3_ij.drawing import drawing_library
from deepd3_ij.files.tiff import write_stack


def write_mask(path: str | PathLike[str], mask: xr.DataArray) -> str:
    """Write a mask (uint8 0/255) and a picture ``<stem>_max.png`` of its maximum projection; gives the path."""
    imsave = drawing_library("image").imsave
    target = Path(path)
    write_stack(target, mask, display_range=(0, 255))
    with replacing(target.with_name(f"{target.stem}_max.png")) as temporary:
        imsave(temporary, mask.values.max(axis=0), format="png", cmap="gray", vmin=0, vmax=255)
    return str(target)
