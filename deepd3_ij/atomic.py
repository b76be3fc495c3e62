"""Files that are replaced only when the new one is complete, and is on the disk.

What is not complete lies in a hidden folder beside its place. While a process works there it holds a lock on that
folder; so the next run tells what an ended process left from what another one is writing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

from deepd3_ij.errors import OutputError, one_line

if sys.platform != "win32":  # there, leftovers are not told from folders in use, and stay
    import fcntl

OLD = "old"
"""Part of a hidden folder for what was moved aside; it is moved back if the process ended before the new was there."""

RECORDS = ".deepd3"
"""Hidden folder beside results, for what is noted about them."""

_HOST = hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]
_HIDDEN = re.compile(rf"\.results-{_HOST}-[0-9a-f]{{12}}")
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")  # all that NumPy tells of a full disk
_LONGEST_NAME = 255
_SYNC_THREADS = 8
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EBADF)


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """Write a file in a hidden folder and put it in its place when it is complete.

    Parameters
    ----------
    path
        The file to make or to replace. Its folder must exist.

    Yields
    ------
    pathlib.Path
        An empty file of the same name in a hidden folder beside it. It takes the target's
        place when the block ends; on any exception (also when cancelled or interrupted) it is
        removed and what was at `path` stays as it was.

    Raises
    ------
    OutputError
        The folder is missing or cannot be written, `path` is a folder, the disk is full.
        Errors of other files that are used in the block pass unchanged.
    """
    target = _named(path)
    check_names(target.parent, [target.name])
    if target.is_dir():
        raise OutputError(f"{target} is a folder; give the name of a file to write.")
    # A link is followed, so that the file that it points to is replaced and the link stays.
    place = Path(os.path.realpath(target))
    with hidden_folder(place.parent, target) as hidden:
        temporary = hidden / place.name
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            yield temporary
            flush_to_disk([temporary])
            if place.exists():
                shutil.copymode(place, temporary)
            os.replace(temporary, place)
            _flush_folder(place.parent)
        except OSError as error:
            # Writing into an open file fails without a file name, reading another one with its name.
            if error.filename is None or str(error.filename) in (str(temporary), str(place)):
                raise OutputError(_explain(target, error)) from error
            raise


@contextmanager
def replacing_together(folder: str | PathLike[str], approve: Callable[[Sequence[Path]], None] | None = None
                       ) -> Iterator[Path]:
    """Write several files that belong together.

    Parameters
    ----------
    folder
        Existing folder that they are for.
    approve
        Called with the complete files before the first of them takes its place; raises to keep what is there.

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
    with hidden_folder(target, target) as hidden:
        yield hidden
        made = sorted(hidden.iterdir())
        for path in made:
            if (target / path.name).is_dir():
                raise OutputError(f"{target / path.name} is a folder where a file is to be written; rename it or give "
                                  "another folder.")
        try:
            flush_to_disk(made)
        except OSError as error:
            raise OutputError(_explain(target, error)) from error
        if approve is not None:
            approve(made)
        for path in made:
            _move(path, target / path.name)
        _flush_folder(target)


@contextmanager
def replacing_folder(target: Path, approve: Callable[[Sequence[Path]], None] | None = None) -> Iterator[Path]:
    """Write a folder as a whole.

    Parameters
    ----------
    target
        The folder to make or to replace. The folder that it lies in must exist.
    approve
        Called with the complete new folder before it takes its place; raises to keep what is there.

    Yields
    ------
    pathlib.Path
        An empty folder of the same name in a hidden one beside it. It takes the target's place when the block ends; on
        any exception it is removed and what was at `target` stays as it was.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    with hidden_folder(target.parent, target) as hidden:
        new, old = hidden / target.name, hidden / OLD / target.name
        try:
            new.mkdir()
            old.parent.mkdir()
            yield new
            flush_to_disk(new.rglob("*"))
            if approve is not None:
                approve([new])
            if target.exists():
                target.rename(old)
            try:
                new.rename(target)
            except OSError:
                with suppress(OSError):
                    old.rename(target)
                raise
            _flush_folder(target.parent)
        except OSError as error:
            reason = "the disk is full" if error.errno == errno.ENOSPC else one_line(error)
            raise OutputError(f"{target} cannot be written: {reason}; free space or give another folder.") from error


@contextmanager
def hidden_folder(folder: Path, named: Path) -> Iterator[Path]:
    """A new hidden folder, locked by this process and removed at the end.

    Parameters
    ----------
    folder
        Existing folder in which it lies.
    named
        What messages call the place; they never show the hidden folder.

    Raises
    ------
    OutputError
        It cannot be made.
    """
    try:
        hidden, lock = _new_hidden(folder)
    except OSError as error:
        raise OutputError(_explain(named, error)) from error
    try:
        yield hidden
    except OutputError as error:
        shown = str(error).replace(str(hidden), str(folder))
        if shown == str(error):
            raise
        raise OutputError(shown) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the hidden folders that ended processes of this computer left in a folder.

    Returns
    -------
    list of pathlib.Path
        What was removed. Folders that another process works in, and those of other computers, stay.
    """
    removed: list[Path] = []
    if sys.platform == "win32":
        return removed
    for place in (folder, folder / RECORDS):
        with suppress(OSError):
            found = [Path(entry.path) for entry in os.scandir(place)
                     if _HIDDEN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)]
            removed += [hidden for hidden in sorted(found) if _remove_if_left(hidden)]
    return removed


def _remove_if_left(hidden: Path) -> bool:
    try:
        lock = _locked(hidden)
    except OSError:
        return False
    if lock is None:
        return False
    with suppress(OSError):
        _put_back(hidden / OLD, hidden.parent)
    shutil.rmtree(hidden, ignore_errors=True)
    os.close(lock)
    return True


def _new_hidden(folder: Path) -> tuple[Path, int | None]:
    while True:
        hidden = folder / f".results-{_HOST}-{uuid.uuid4().hex[:12]}"
        hidden.mkdir()
        if sys.platform == "win32":
            return hidden, None
        try:
            lock = _locked(hidden)
        except FileNotFoundError:
            continue  # another thread or run just took it for a leftover
        except OSError:  # a file system without locks: nobody will take the folder for a leftover either
            return hidden, None
        if lock is None:
            continue  # another run just took it for a leftover
        with suppress(OSError):
            if os.stat(hidden).st_ino == os.fstat(lock).st_ino:
                return hidden, lock
        os.close(lock)


def _locked(hidden: Path) -> int | None:
    """Lock a folder; None if a living process holds it.

    Raises
    ------
    OSError
        The file system knows no locks.
    """
    lock = os.open(hidden, os.O_RDONLY)
    if sys.platform == "win32":
        return lock
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    except OSError:
        os.close(lock)
        raise
    return lock


def _put_back(aside: Path, folder: Path) -> None:
    """Move back what was moved aside and never replaced."""
    if aside.is_dir():
        for path in aside.iterdir():
            if not os.path.lexists(folder / path.name):
                path.rename(folder / path.name)


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


def flush_to_disk(files: Iterable[Path]) -> None:
    """Wait until the content of files is on the disk, so that it outlives a loss of power.

    Raises
    ------
    OSError
        The disk failed or is full, which some file systems tell only now.
    """
    paths = list(files)
    if len(paths) == 1:
        _flush(paths[0])
    elif paths:
        with ThreadPoolExecutor(min(_SYNC_THREADS, len(paths))) as pool:
            list(pool.map(_flush, paths))


def _flush(path: Path) -> None:
    if path.is_dir():
        _flush_folder(path)
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system offers that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_durably(path: Path) -> None:
    """Remove a file, if it is there, and wait until that is on the disk.

    Raises
    ------
    OutputError
        It cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(_explain(path, error)) from error
    _flush_folder(path.parent)


def check_output_folder(path: str | PathLike[str]) -> Path:
    """Make a folder (and those above it), check that files can be written into it, remove what ended runs left there.

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
    remove_leftovers(folder)
    return folder


def check_names(folder: Path, names: Iterable[str]) -> None:
    """Check that names are short enough for the folder's file system.

    Raises
    ------
    OutputError
        One is too long; the message tells the limit.
    """
    limit = _LONGEST_NAME
    with suppress(OSError, ValueError, AttributeError):  # AttributeError: Windows
        limit = os.pathconf(folder, "PC_NAME_MAX")
    for name in names:
        length = len(os.fsencode(name))
        if length > limit:
            raise OutputError(f"{name[:40]}…{name[-20:]} is too long a name: it has {length} bytes, and {folder} takes "
                              f"{limit}; give the input a shorter name.")


def check_room(folder: Path, needed_bytes: int) -> None:
    """Check that a disk has room for results.

    Raises
    ------
    OutputError
        It has less.
    """
    with suppress(OSError):
        free = shutil.disk_usage(folder).free
        if free < needed_bytes:
            raise OutputError(f"{folder} has {free / 1e9:.3g} GB free and the results need about "
                              f"{needed_bytes / 1e9:.3g} GB; free space or give another folder.")


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
    if (error.errno in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in str(error)
            or (error.errno is None and _CUT_SHORT.search(reason))):
        return f"{path} cannot be written: the disk is full; free space or give another folder."
    if error.errno == errno.ENAMETOOLONG:
        return f"{path} cannot be written: the name is too long; give shorter names of file and folders."
    return f"{path} cannot be written: {reason}; give another place."
