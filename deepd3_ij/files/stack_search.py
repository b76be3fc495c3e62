"""Finding stacks below a folder by what the files are, not by what they are called."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

import tifffile

from deepd3_ij.atomic import RECORDS
from deepd3_ij.errors import StackError, one_line
from deepd3_ij.file_identity import identity_of
from deepd3_ij.files.ngff import OWN
from deepd3_ij.files.plane_source import quiet_tifffile
from deepd3_ij.files.zarr_stores import is_zarr
from deepd3_ij.names import PROVENANCE, ROLE

ALL_FILES = "**/*"
"""Pattern that leaves the decision to the content of the files."""

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_IMAGE_SUFFIXES = (".tif", ".tiff", ".lsm", ".btf", ".tf2", ".tf8", ".stk", ".czi", ".nd2", ".lif", ".oib", ".oif",
                   ".ims", ".vsi", ".sld", ".zvi", ".h5", ".zarr", ".raw", ".mrc")
_DONE = "_done.json"
_LARGEST_RECORD_BYTES = 10_000_000
_OWN = "a result of DeepD3"


@dataclass(frozen=True)
class FoundStack:
    """A stack below a folder.

    Attributes
    ----------
    source
        The file to open.
    files
        All files of the stack; several for a multi-file OME-TIFF, of which `source` is the first.
    """

    source: Path
    files: tuple[Path, ...]


@dataclass(frozen=True)
class PassedOver:
    """A file or folder that is no stack, or could not be looked at.

    Attributes
    ----------
    path, reason
        What it is, and why it was passed over.
    notable
        A user might miss it: it has the name of an image, or could not be read.
    """

    path: Path
    reason: str
    notable: bool = False


@dataclass(frozen=True)
class _Candidate:
    path: Path
    linked: bool
    members: tuple[str, ...]


def search_stacks(top: Path, pattern: str = ALL_FILES, leave_out: Path | None = None
                  ) -> tuple[list[FoundStack], list[PassedOver]]:
    """List the stacks below a folder.

    A stack is a regular file that begins as a TIFF file does (whatever its suffix), or a folder of OME-Zarr, which is
    not searched, and that this package did not write as a result. Links are followed; a file or folder that is met
    twice counts once. Hidden files and folders are passed over. The files of a multi-file OME-TIFF are one stack.

    Parameters
    ----------
    top
        The folder.
    pattern
        Which files below `top`, without regard to case: ``*`` and ``?`` within a name, ``**/`` for folders. Files that
        it does not name are left without a word.
    leave_out
        A folder that is not searched.

    Returns
    -------
    list of FoundStack, list of PassedOver
        In the order of their paths.

    Raises
    ------
    StackError
        `top` is no folder, or the pattern leads out of it.
    """
    if not top.is_dir():
        raise StackError(f"{top} is no folder; give the folder that holds the stacks.")
    wanted = _parts_of(pattern)
    passed: list[PassedOver] = []
    candidates: list[_Candidate] = []
    seen: dict[tuple[int, int], Path] = {}
    files = [(path, linked) for path, linked in _walk(top, leave_out, passed)
             if _matches(tuple(part.casefold() for part in path.relative_to(top).parts), wanted)]
    # What lies below the folder itself comes before links to it, so that its own name is the one that is kept.
    for path, linked in sorted(files, key=lambda item: (item[1], item[0])):
        looked = _look(path, linked)
        if isinstance(looked, PassedOver):
            passed.append(looked)
            continue
        identity = identity_of(path)
        first = seen.setdefault(identity, path) if identity else path
        if first != path:
            passed.append(PassedOver(path, f"the same file as {first}"))
        else:
            candidates.append(looked)
    candidates.sort(key=lambda item: item.path)
    stacks = _joined(candidates, passed)
    return stacks, sorted(passed, key=lambda item: item.path)


def fits(name: str, pattern: str) -> bool:
    """Whether a path below a folder, with ``/``, is one that a pattern of :func:`search_stacks` names.

    Raises
    ------
    StackError
        The pattern leads out of the folder.
    """
    return _matches(tuple(name.casefold().split("/")), _parts_of(pattern))


def _parts_of(pattern: str) -> tuple[str, ...]:
    """The parts of a pattern between separators."""
    parts = tuple(pattern.replace(os.sep, "/").casefold().split("/"))
    if not all(parts) or ".." in parts or PureWindowsPath(pattern).drive:
        raise StackError(f"The pattern is {pattern!r}; accepted: names below the folder, without '..', for example "
                         "**/*.tif")
    return parts


def _matches(names: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if not wanted or not names:
        return not wanted and not names
    if wanted[0] == "**":
        return len(wanted) == 1 or any(_matches(names[start:], wanted[1:]) for start in range(len(names)))
    return fnmatchcase(names[0], wanted[0]) and _matches(names[1:], wanted[1:])


def _walk(top: Path, leave_out: Path | None, passed: list[PassedOver]) -> Iterator[tuple[Path, bool]]:
    """All files that are not hidden, and whether a link leads to them; every folder once."""
    left_out = None if leave_out is None else identity_of(leave_out)
    visited = {identity_of(top): top}
    later: list[tuple[Path, bool]] = []
    folders = [(top, False)]
    while folders or later:
        # Folders that a link leads to come last: what lies below the folder itself keeps its own place.
        folder, linked = folders.pop() if folders else later.pop(0)
        if linked:
            known = visited.setdefault(identity_of(folder), folder)
            if known != folder:
                passed.append(PassedOver(folder, f"a link to {known}, which is searched there"))
                continue
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            passed.append(PassedOver(folder, f"the folder cannot be read: {one_line(error)}", notable=True))
            continue
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith("."):
                passed.append(PassedOver(path, "hidden"))
                continue
            link = entry.is_symlink()
            try:
                is_folder = entry.is_dir()
            except OSError as error:
                passed.append(PassedOver(path, f"cannot be read: {one_line(error)}", notable=True))
                continue
            if not is_folder or is_zarr(path):
                yield path, linked or link
            elif left_out is not None and identity_of(path) == left_out:
                passed.append(PassedOver(path, "the folder for the results"))
            elif linked or link:
                later.append((path, True))
            else:
                visited[identity_of(path)] = path
                folders.append((path, False))


def _look(path: Path, linked: bool) -> _Candidate | PassedOver:
    """Look into a file: a stack, or why not."""
    named_as_image = path.suffix.lower() in _IMAGE_SUFFIXES
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return _look_into_zarr(path, linked)
        if not stat.S_ISREG(status.st_mode):
            return PassedOver(path, "no regular file", notable=named_as_image)
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        broken = path.is_symlink() and isinstance(error, FileNotFoundError)
        reason = f"a broken link to {os.readlink(path)}" if broken else f"cannot be read: {one_line(error)}"
        return PassedOver(path, reason, notable=True)
    if start not in _TIFF_STARTS:
        return PassedOver(path, "empty" if not status.st_size else "no TIFF file", notable=named_as_image)
    if path.name in _recorded_in(path.parent):
        return PassedOver(path, _OWN)
    try:
        with quiet_tifffile(), tifffile.TiffFile(path) as tif:
            metadata = tif.imagej_metadata if tif.is_imagej else None
            properties = (metadata or {}).get("Properties")
            if isinstance(properties, Mapping) and (ROLE in properties or PROVENANCE in properties):
                return PassedOver(path, _OWN)
            members = _members(tif.ome_metadata) if tif.is_ome else ()
    except Exception:  # damaged: it is a stack nevertheless, and opening it tells what is wrong
        members = ()
    return _Candidate(path, linked, members)


def _look_into_zarr(path: Path, linked: bool) -> _Candidate | PassedOver:
    """An OME-Zarr folder: a stack, unless this package wrote it."""
    if path.name in _recorded_in(path.parent):
        return PassedOver(path, _OWN)
    for file in (path / ".zattrs", path / "zarr.json"):
        try:
            values = json.loads(file.read_text(encoding="utf-8")) if file.is_file() and (
                file.stat().st_size <= _LARGEST_RECORD_BYTES) else {}
            if OWN in values or OWN in values.get("attributes", {}):
                return PassedOver(path, _OWN)
        except (OSError, ValueError, AttributeError, TypeError, RecursionError):
            continue  # damaged: opening it tells what is wrong
    return _Candidate(path, linked, ())


def _members(xml: str | None) -> tuple[str, ...]:
    """Names of all files of an OME-TIFF's set in the order of its planes, or of the file apart with the metadata."""
    if not xml:
        return ()
    elements = list(ElementTree.fromstring(xml).iter())
    apart = [element.get("MetadataFile") for element in elements if element.tag.rpartition("}")[2] == "BinaryOnly"]
    names = [element.get("FileName") for element in elements if element.tag.rpartition("}")[2] == "UUID"]
    return tuple(dict.fromkeys(PureWindowsPath(name).name for name in [*apart, *names] if name))


def _joined(candidates: list[_Candidate], passed: list[PassedOver]) -> list[FoundStack]:
    """Make one stack of the files of a set."""
    known = {item.path: item for item in candidates}
    stacks: list[FoundStack] = []
    taken: dict[Path, Path] = {}
    for item in candidates:
        if item.path in taken:
            passed.append(PassedOver(item.path, f"part of {taken[item.path].name}"))
            continue
        files = _set_of(item, known, taken)
        taken.update((path, files[0]) for path in files)
        stacks.append(FoundStack(files[0], files))
        if files[0] != item.path:
            passed.append(PassedOver(item.path, f"part of {files[0].name}"))
    return sorted(stacks, key=lambda stack: stack.source)


def _set_of(item: _Candidate, known: dict[Path, _Candidate], taken: dict[Path, Path]) -> tuple[Path, ...]:
    named = [item.path.with_name(name) for name in item.members]
    if named and named[0] not in known and len(named) == 1 and named[0] != item.path:  # metadata in a file apart
        files = [path for path, other in known.items()
                 if path.parent == item.path.parent and other.members == item.members and path not in taken]
        return tuple(files) if (item.path.with_name(item.members[0])).is_file() else (item.path,)
    files = [path for path in named if path in known and path not in taken]
    return tuple(files) if item.path in files else (item.path,)


_records: dict[tuple[Path, int], frozenset[str]] = {}


def _recorded_in(folder: Path) -> frozenset[str]:
    """Names of results that records in a folder list; kept while the folder stays as it is."""
    try:
        key = folder, folder.stat().st_mtime_ns
        if key not in _records:
            _records.clear()
            _records[key] = frozenset(name for file in (*folder.glob(f"*{_DONE}"), *(folder / RECORDS).glob("*.json"))
                                      for name in _names_in(file))
        return _records[key]
    except OSError:
        return frozenset()


def _names_in(file: Path) -> list[str]:
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_RECORD_BYTES:
            return []
        values: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(values, dict):
        return []
    if file.parent.name != RECORDS:
        names = values.get("files", ())
        return [str(name) for name in names] if isinstance(names, dict | list) else []
    stack = f"{file.stem}.tif"  # a simulated stack is no result of itself
    return [str(name) for name in values if name != stack]
