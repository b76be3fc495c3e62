"""Stems: how the names of results begin."""

from __future__ import annotations

from os import PathLike
from pathlib import Path


def stem_of(path: str | PathLike[str]) -> str:
    """File name without folder and image suffix (``a.ome.tif`` → ``a``)."""
    name = Path(path).name
    for suffix in (".ome.tiff", ".ome.tif", ".tiff", ".tif", ".prediction", ".rois"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(path).stem
