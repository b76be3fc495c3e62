"""Folders and addresses that hold Zarr: recognised, checked for what could lead out of them, and opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from deepd3_ij.errors import DeepD3Error, StackError, one_line

METADATA = (".zattrs", ".zgroup", ".zarray", "zarr.json")
_LARGEST_METADATA_BYTES = 256 * 2**20
_SUFFIX = ".zarr"


def is_address(path: str | PathLike[str]) -> bool:
    """Whether a text is an address that fsspec opens (``s3://…``, ``memory://…``), and no path."""
    return "://" in os.fspath(path)


def is_zarr(path: str | PathLike[str]) -> bool:
    """Whether a path leads to a Zarr folder, or is an address, which is read as one."""
    if is_address(path):
        return True
    place = Path(path)
    if not place.is_dir():
        return any(part.lower().endswith(_SUFFIX) for part in place.parts) and not place.is_file()
    return place.suffix.lower() == _SUFFIX or any(os.path.lexists(place / name) for name in METADATA)


def shown_name(path: str | PathLike[str]) -> str:
    """How messages call a store: the path from its ``.zarr`` folder on; nothing of an address that could be secret."""
    text = unquote(urlsplit(os.fspath(path)).path) if is_address(path) else os.path.abspath(path)
    parts = [part for part in text.replace(os.sep, "/").split("/") if part]
    first = next((number for number, part in enumerate(parts) if part.lower().endswith(_SUFFIX)), len(parts) - 1)
    return "/".join(parts[max(first, 0):]) or "store"


def local_folder(path: str | PathLike[str]) -> Path | None:
    """The folder of a path or of a ``file://`` address; None for another address."""
    if not is_address(path):
        return Path(path)
    parts = urlsplit(os.fspath(path))
    return Path(unquote(parts.netloc + parts.path)) if parts.scheme in ("file", "local") else None


def import_zarr() -> Any:
    """The package ``zarr``.

    Raises
    ------
    StackError
        It is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise StackError("OME-Zarr needs the Python package zarr (3 or newer), which is not installed; install it with "
                         "pip install 'deepd3_ij[zarr]'.") from error
    if int(zarr.__version__.split(".")[0]) < 3:
        raise StackError(f"OME-Zarr needs the Python package zarr 3 or newer, and {zarr.__version__} is installed; "
                         "update it with pip install 'deepd3_ij[zarr]'.")
    return zarr


def open_group(path: str | PathLike[str]) -> Any:
    """Open the Zarr group at a path or address for reading.

    Raises
    ------
    StackError
        There is none, a package is missing, or its metadata are damaged.
    """
    name = shown_name(path)
    zarr = import_zarr()
    folder = local_folder(path)
    if folder is not None:
        if not folder.is_dir():
            raise StackError(f"{folder} does not exist or is no folder; give an OME-Zarr folder.")
        check_metadata(folder)
    try:
        store = zarr.storage.LocalStore(folder, read_only=True) if folder is not None else _remote(zarr, path)
        return zarr.open_group(store, mode="r", use_consolidated=False)
    except DeepD3Error:
        raise
    except FileNotFoundError as error:
        raise StackError(f"{name} is no OME-Zarr: no Zarr group is there (.zgroup or zarr.json); give the folder or "
                         "address of an OME-Zarr image.") from error
    except Exception as error:  # a damaged store, a server or a lack of permission fail in many ways
        raise StackError(f"{name} cannot be opened as OME-Zarr ({_without_address(error, path)}); check the address, "
                         "or export it again.") from error


def _remote(zarr: Any, path: str | PathLike[str]) -> Any:
    """A store for an address; options come from the environment and the settings of fsspec, never from us."""
    scheme = urlsplit(os.fspath(path)).scheme
    try:
        return zarr.storage.FsspecStore.from_url(os.fspath(path), read_only=True)
    except ImportError as error:
        raise StackError(f"Addresses with {scheme}:// need a Python package that is not installed "
                         f"({one_line(error)}); install it with pip install 'deepd3_ij[remote]', or copy the data to "
                         "this computer.") from error
    except ValueError as error:
        raise StackError(f"Addresses with {scheme}:// are not known ({_without_address(error, path)}); accepted: a "
                         "folder, or an address of fsspec such as s3://, https://, memory:// or file://.") from error


def _without_address(error: BaseException, path: str | PathLike[str]) -> str:
    return one_line(error, 200).replace(os.fspath(path), shown_name(path))


def check_metadata(folder: Path) -> None:
    """Check before Zarr reads them that the metadata in a folder are files of a possible size, within the folder.

    Raises
    ------
    StackError
        One is not.
    """
    for name in METADATA:
        _check_file(folder, folder / name)


def _check_file(root: Path, path: Path) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StackError(f"{path} cannot be read: {one_line(error)}; check the folder.") from error
    if not stat.S_ISREG(status.st_mode):
        raise StackError(f"{path} is no file; accepted: an OME-Zarr folder of plain files.")
    if status.st_size > _LARGEST_METADATA_BYTES:
        raise StackError(f"{path} has {status.st_size / 1e6:.0f} MB; accepted for metadata: at most "
                         f"{_LARGEST_METADATA_BYTES // 2**20} MiB.")
    _check_within(root, path)


def _check_within(root: Path, path: Path) -> None:
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise StackError(f"{path} is a link that leads out of the OME-Zarr folder {root.name}; copy the data into it.")


def stored_keys(root: Path, array: str) -> set[str]:
    """Names of the files of an array below its folder, with ``/`` between folders.

    Raises
    ------
    StackError
        Something there is no file or folder, or a link that leads out of `root`.
    """
    folder = root.joinpath(*array.split("/"))
    _check_within(root, folder)
    check_metadata(folder)
    return set(_files_below(root, folder, ""))


def _files_below(root: Path, folder: Path, before: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError as error:
        raise StackError(f"{folder} cannot be read: {one_line(error)}; check the folder.") from error
    for entry in entries:
        if entry.is_symlink():
            _check_within(root, Path(entry.path))
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(root, Path(entry.path), f"{before}{entry.name}/")
        elif entry.is_file():
            yield before + entry.name
        elif not entry.is_symlink():
            raise StackError(f"{entry.path} is no file; accepted: an OME-Zarr folder of plain files.")
