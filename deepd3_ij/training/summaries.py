"""What training data hold, file by file, and what speaks against training with them together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from os import PathLike
from pathlib import Path

import numpy as np

from deepd3_ij.errors import remedy
from deepd3_ij.files.d3data import D3Data, read_d3data
from deepd3_ij.input_limits import check_regular
from deepd3_ij.training.sampler import RESOLUTION_TOLERANCE

_KEPT = 4096
_NAMED = 3


@dataclass(frozen=True)
class Summary:
    """What a d3data file holds.

    Attributes
    ----------
    path
        The file.
    shape
        Of image and masks, ``(z, y, x)``.
    xy_um, z_um
        Pixel size and distance of planes.
    dendrite_voxels, spine_voxels
        Annotated voxels.
    spines
        Pieces of the spine mask, 26-connected.
    content
        The same text for files that hold the same image and masks, whatever their metadata say.
    """

    path: Path
    shape: tuple[int, int, int]
    xy_um: float
    z_um: float
    dendrite_voxels: int
    spine_voxels: int
    spines: int
    content: str


def count_spines(data: D3Data) -> int:
    """Count the 26-connected pieces of a spine mask."""
    from scipy.ndimage import label

    return int(label(data.spines, np.ones((3, 3, 3)))[1])


def summarize(path: str | PathLike[str]) -> Summary:
    """Tell what a d3data file holds; a file that has not changed since is not read again.

    Raises
    ------
    FileFormatError
        The file is missing, damaged or of another kind.
    """
    check_regular(path, "a d3data file")
    status = os.stat(path)
    return _summary(Path(path), status.st_mtime_ns, status.st_size)


@lru_cache(_KEPT)
def _summary(path: Path, changed: int, size: int) -> Summary:
    data = read_d3data(path)
    digest = hashlib.blake2b(f"{data.stack.shape} {data.stack.dtype}".encode(), digest_size=16)
    for array in (data.stack, data.dendrite, data.spines):
        digest.update(np.ascontiguousarray(array).data)
    planes, height, width = data.stack.shape
    return Summary(path, (planes, height, width), data.xy_um, data.z_um, int(np.count_nonzero(data.dendrite)),
                   int(np.count_nonzero(data.spines)), count_spines(data), digest.hexdigest())


def total(summaries: Sequence[Summary]) -> str:
    """All of them in one line: files, planes, resolutions, annotated voxels, spines."""
    sizes = sorted({_resolution(each) for each in summaries})
    return ", ".join([
        _count(len(summaries), "file"), _count(sum(each.shape[0] for each in summaries), "plane"),
        *([f"{sizes[0]} µm (x, y, z)"] if len(sizes) == 1 else [f"{len(sizes)} resolutions"] if sizes else []),
        f"{sum(each.dendrite_voxels for each in summaries)} dendrite and "
        f"{sum(each.spine_voxels for each in summaries)} spine voxels",
        _count(sum(each.spines for each in summaries), "spine")])


def doubts(summaries: Sequence[Summary]) -> list[str]:
    """What speaks against training with these files together.

    Returns
    -------
    list of str
        A line each: different resolutions, masks without anything, the same file or the same content twice.
    """
    return [*_different(summaries), *_empty(summaries), *_twice(summaries)]


def _different(summaries: Sequence[Summary]) -> Iterable[str]:
    for what, values, consequence in (
            ("pixel sizes", {each.path: each.xy_um for each in summaries},
             "training needs a size to which all are brought " + remedy("(--target-resolution)",
                                                                        "(Pixel size for training)")),
            ("distances of planes", {each.path: each.z_um for each in summaries},
             "this counts in training with samples of several planes alone")):
        if values and max(values.values()) > min(values.values()) * (1 + RESOLUTION_TOLERANCE):
            smallest, largest = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
            yield (f"Different {what}: {values[smallest]:g} µm ({smallest.name}) to {values[largest]:g} µm "
                   f"({largest.name}); {consequence}.")


def _empty(summaries: Sequence[Summary]) -> Iterable[str]:
    for kind, files in (("dendrite", [each.path for each in summaries if not each.dendrite_voxels]),
                        ("spine", [each.path for each in summaries if not each.spine_voxels])):
        if files:
            yield f"No annotated {kind}: {_names(files)}."


def _twice(summaries: Sequence[Summary]) -> Iterable[str]:
    places: dict[Path, list[Path]] = {}
    contents: dict[str, dict[Path, Path]] = {}
    for each in summaries:
        place = each.path.resolve()
        places.setdefault(place, []).append(each.path)
        contents.setdefault(each.content, {}).setdefault(place, each.path)
    yield from (f"The same file is listed {len(paths)} times: {_names(paths)}." for paths in places.values()
                if len(paths) > 1)
    yield from (f"The same image and masks: {_names(list(files.values()))}." for files in contents.values()
                if len(files) > 1)


def _resolution(summary: Summary) -> str:
    return f"{summary.xy_um:g} × {summary.xy_um:g} × {summary.z_um:g}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _names(files: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in files[:_NAMED])
    return shown + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")
