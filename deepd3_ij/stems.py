"""Stems: how the names of results begin, and which files belong together by them."""

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


def beside(path: str | PathLike[str], ending: str) -> Path:
    """File of the same stem and another ending in the same folder (``a.tif`` → ``a.rois``)."""
    return Path(path).with_name(stem_of(path) + ending)


def saved_beside(path: str | PathLike[str]) -> list[Path]:
    """The ``.prediction`` and the ``.rois`` file of a stack, as far as they are there."""
    return [file for ending in (".prediction", ".rois") if (file := beside(path, ending)).is_file()]
