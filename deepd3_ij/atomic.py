"""Files that are replaced only when the new one is complete."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

from deepd3_ij.errors import OutputError, one_line


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """Write a file under a temporary name and put it in its place when it is complete.

    Parameters
    ----------
    path
        The file to make or to replace. Its folder must exist.

    Yields
    ------
    pathlib.Path
        An empty temporary file in the same folder with the same suffix. It takes the target's
        place when the block ends; on any exception (also when cancelled or interrupted) it is
        removed and what was at `path` stays as it was.

    Raises
    ------
    OutputError
        The folder is missing or cannot be written, `path` is a folder, the disk is full.
        Errors of other files that are used in the block pass unchanged.
    """
    target = _named(path)
    if target.is_dir():
        raise OutputError(f"{target} is a folder; give the name of a file to write.")
    # A link is followed, so that the file that it points to is replaced and the link stays.
    place = Path(os.path.realpath(target))
    temporary = place.with_name(f".{place.stem[:40]}-{uuid.uuid4().hex[:12]}{place.suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            yield temporary
            if place.exists():
                shutil.copymode(place, temporary)
            os.replace(temporary, place)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        # Writing into an open file fails without a file name, reading another one with its name.
        if error.filename is None or str(error.filename) in (str(temporary), str(place)):
            raise OutputError(_explain(target, error)) from error
        raise


@contextmanager
def replacing_together(folder: str | PathLike[str]) -> Iterator[Path]:
    """Write several files that belong together.

    Parameters
    ----------
    folder
        Existing folder that they are for.

    Yields
    ------
    pathlib.Path
        An empty hidden folder inside of it. The files in there take their places in `folder` when
        the block ends; on any exception they are removed and `folder` stays as it was.

    Raises
    ------
    OutputError
        The folder cannot be written, or a name is taken by a folder.
    """
    target = _named(folder)
    hidden = target / f".results-{uuid.uuid4().hex[:12]}"
    try:
        hidden.mkdir()
    except OSError as error:
        raise OutputError(_explain(target, error)) from error
    try:
        yield hidden
        made = sorted(hidden.iterdir())
        for path in made:
            if (target / path.name).is_dir():
                raise OutputError(f"{target / path.name} is a folder where a file is to be written; rename it or give "
                                  "another folder.")
        for path in made:
            _move(path, target / path.name)
    except OutputError as error:
        raise OutputError(str(error).replace(str(hidden), str(target))) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _move(made: Path, target: Path) -> None:
    if target.is_symlink():  # may lead to another disk
        with replacing(target) as temporary:
            shutil.copyfile(made, temporary)
        return
    try:
        if target.exists():
            shutil.copymode(target, made)
        os.replace(made, target)
    except OSError as error:
        raise OutputError(_explain(target, error)) from error


def check_output_folder(path: str | PathLike[str]) -> Path:
    """Make a folder (and those above it) and check that files can be written into it.

    Parameters
    ----------
    path
        The folder that results are to be written into.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    OutputError
        It cannot be made or written, is a file, or its name is empty.
    """
    folder = _named(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(_explain(folder, error)) from error
    return folder


def _named(path: str | PathLike[str]) -> Path:
    """The path; pathlib would take an empty one for the current folder."""
    if not os.fspath(path):
        raise OutputError("The name of what is to be written is empty; give a file or folder, or . for this folder.")
    return Path(path)


def _explain(path: Path, error: OSError) -> str:
    """One line for the user; HDF5 reports a full disk only in its text."""
    if isinstance(error, FileNotFoundError):
        refused = Path(error.filename or path).parent
        if refused.is_dir():  # it exists, but belongs to the system, such as /proc
            return f"{path} cannot be written: {refused} takes no new files or folders; give another folder."
        return f"{path} cannot be written: the folder {path.parent} does not exist; make it or give another one."
    if isinstance(error, FileExistsError):
        return f"{path} cannot be used as a folder: a file has this name; give another folder."
    if isinstance(error, NotADirectoryError):
        return f"{path} cannot be written: {path.parent} is not a folder; give another folder."
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return f"{path} cannot be written: no permission; give a folder that you may write to."
    reason = one_line(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error):
        return f"{path} cannot be written: the disk is full; free space or give another folder."
    return f"{path} cannot be written: {reason}; give another place."
