"""Stems: how the names of results begin, and which files belong together by them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

FOLDER_ENDINGS = ("", ".ome.zarr")
"""What follows the stem in the names of results that are folders."""


def stem_of(path: str | PathLike[str]) -> str:
    """File name without folder and image suffix (``a.ome.tif`` → ``a``, ``a.ome.zarr`` → ``a``)."""
    name = _name_in_store(Path(path).parts) or Path(path).name
    for suffix in (".ome.tiff", ".ome.tif", ".ome.zarr", ".zarr", ".tiff", ".tif", ".prediction", ".rois"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def _name_in_store(parts: tuple[str, ...]) -> str:
    """Name of an image within an OME-Zarr folder (``plate.ome.zarr/A/1`` → ``plate_A_1.zarr``); empty if it is none."""
    for number, part in enumerate(parts[:-1]):
        if part.lower().endswith(".zarr"):
            return "_".join((stem_of(part), *parts[number + 1:])) + ".zarr"
    return ""


def beside(path: str | PathLike[str], ending: str) -> Path:
    """File of the same stem and another ending in the same folder (``a.tif`` → ``a.rois``)."""
    place = Path(path)
    store = next((folder for folder in reversed(place.parents) if folder.suffix.lower() == ".zarr"), place)
    return store.with_name(stem_of(path) + ending)


def saved_beside(path: str | PathLike[str]) -> list[Path]:
    """The ``.prediction`` and the ``.rois`` file of a stack, as far as they are there."""
    return [file for ending in (".prediction", ".rois") if (file := beside(path, ending)).is_file()]
