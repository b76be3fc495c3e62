"""Whether a file is the same file, has the same content, or was changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from deepd3_ij.errors import OutputError

FilePath = str | PathLike[str]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files below a folder, as hexadecimal text."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(item for item in path.rglob("*") if item.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def identity_of(path: FilePath) -> tuple[int, int] | None:
    """What makes a file the same one under several names; None if there is no such file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def refuse_inputs(outputs: Iterable[FilePath], inputs: Iterable[FilePath | None]) -> None:
    """Refuse to write over what is read, by whatever path or link it is named.

    Parameters
    ----------
    outputs
        Files that are to be made or replaced.
    inputs
        Files that are read; None for one that was not given.

    Raises
    ------
    OutputError
        An output is one of the inputs.
    """
    read = {identity: Path(path) for path in inputs if path and (identity := identity_of(path))}
    # Of what lies in a folder of Zarr, that folder is what would be replaced.
    for place in list(read.values()):
        stores = [folder for folder in place.absolute().parents if folder.suffix.lower() == ".zarr"]
        read |= {identity: place for folder in stores if (identity := identity_of(folder))}
    refuse_identities(outputs, read)


def refuse_identities(outputs: Iterable[FilePath], read: Mapping[tuple[int, int], Path]) -> None:
    """Refuse to write over what is read; as :func:`refuse_inputs`, for inputs whose identities are known.

    Raises
    ------
    OutputError
        An output is one of the inputs.
    """
    for path in outputs:
        identity = identity_of(path)
        if identity is not None and identity in read:
            raise OutputError(f"{path} is to be written and is also read (as {read[identity]}), so it would be lost; "
                              "give another name or folder for the result.")


def content_of(path: Path) -> dict[str, Any]:
    """What tells a file's content: size, time of the last change and SHA-256 (of a folder: SHA-256 alone)."""
    if path.is_dir():
        return {"sha256": sha256_of(path)}
    status = path.stat()
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns, "sha256": sha256_of(path)}


def has_content(path: Path, entry: object) -> bool:
    """Whether a file has the content that :func:`content_of` told; it is read only if size or time leave a doubt."""
    if not isinstance(entry, Mapping) or not path.exists():
        return False
    if path.is_file():
        status = path.stat()
        if status.st_size != entry.get("bytes"):
            return False
        if status.st_mtime_ns == entry.get("modified_ns"):
            return True
    return sha256_of(path) == entry.get("sha256")


def state_of(paths: Iterable[FilePath]) -> list[tuple[int, int]]:
    """Size and time of the last change of input files, to notice that one is replaced while it is read.

    Of a folder: the sum and the latest of all files in it.

    Raises
    ------
    OSError
        A file is gone.
    """
    return [_state(Path(path)) for path in paths]


def _state(path: Path) -> tuple[int, int]:
    found = [os.stat(path)]
    if path.is_dir():
        found = [os.lstat(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names] or found
    return sum(status.st_size for status in found), max(status.st_mtime_ns for status in found)
