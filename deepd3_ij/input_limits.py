"""Checks before a file is read: it is a file, and what it states fits into memory."""

from __future__ import annotations

import os
import stat
import sys
from os import PathLike
from pathlib import Path

from deepd3_ij.errors import DeepD3Error, FileFormatError

# Below this, nothing is worth a question to the operating system.
_SMALL_BYTES = 64 * 2**20


def check_regular(path: str | PathLike[str], what: str, error: type[DeepD3Error] = FileFormatError) -> int:
    """Check that a path leads to a file with an end: no folder, pipe or device.

    Parameters
    ----------
    path
        What is to be read.
    what
        What the caller accepts, for the message: "a TIFF file".
    error
        Kind of error.

    Returns
    -------
    int
        Size in bytes.

    Raises
    ------
    DeepD3Error
        Of the kind given: it does not exist, cannot be looked at, or is no file.
    """
    place = Path(path)
    try:
        status = place.stat()
    except FileNotFoundError:
        raise error(f"{place} does not exist; give {what}.") from None
    except (OSError, ValueError) as reason:
        text = getattr(reason, "strerror", None) or str(reason)
        raise error(f"{place} cannot be read: {text}; give {what}.") from reason
    if stat.S_ISDIR(status.st_mode):
        raise error(f"{place} is a folder; give {what}.")
    if not stat.S_ISREG(status.st_mode):
        raise error(f"{place} is a pipe or a device, which has no end; give {what}.")
    return status.st_size


def check_memory(needed_bytes: float, name: str, remedy: str, error: type[DeepD3Error] = FileFormatError) -> None:
    """Check that memory is free for what a file states, before it is asked for.

    Parameters
    ----------
    needed_bytes
        Size of what is to be read.
    name
        The file, for the message.
    remedy
        What the user can do.
    error
        Kind of error.

    Raises
    ------
    DeepD3Error
        Of the kind given: less memory is free.
    """
    if needed_bytes <= _SMALL_BYTES:
        return
    free = available_bytes()
    if free is not None and needed_bytes > free:
        raise error(f"{name} needs {needed_bytes / 1e9:.3g} GB of memory, {free / 1e9:.3g} GB are free; {remedy}.")


def available_bytes() -> int | None:
    """Memory that this process can still take, in bytes; None if the operating system does not tell."""
    known = [value for value in (_free_in_machine(), _free_below_limit(), _free_in_cgroup(), _of_slurm(),
                                 _free_in_dask_worker()) if value is not None]
    return min(known) if known else None


def resident_bytes() -> int:
    """Memory that this process has now; 0 if the operating system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError, IndexError):
        return 0


def _free_in_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:  # not every system has these names
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _free_below_limit() -> int | None:
    """What a limit of the address space (``ulimit -v``) leaves."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return max(limit - pages * os.sysconf("SC_PAGE_SIZE"), 0)
    except (ImportError, OSError, ValueError, IndexError):
        return None


def _free_in_cgroup() -> int | None:
    """What the group of processes (a container, a job) has left; files that it could drop from memory do not count."""
    try:
        line = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
        inner = Path("/sys/fs/cgroup") / line[3:].lstrip("/")
    except (OSError, StopIteration):
        return None
    groups = [group for group in (inner, *inner.parents) if group.is_relative_to("/sys/fs/cgroup")]
    left = [free for free in map(_free_in_group, groups) if free is not None]
    return min(left, default=None)


def _free_in_group(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit == "max":
            return None
        used = int((group / "memory.current").read_text())
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(int(limit) - used + int(statistics.get("inactive_file", 0)), 0)
    except (OSError, ValueError):
        return None


def _of_slurm() -> int | None:
    """What Slurm gave to this node's part of a job."""
    given = os.environ.get("SLURM_MEM_PER_NODE", "")
    return int(given) * 2**20 if given.isdigit() and int(given) > 0 else None


def _free_in_dask_worker() -> int | None:
    """What this task may take of the limit of the Dask worker that runs it, which may run several at once."""
    distributed = sys.modules.get("distributed")  # else this is no worker
    if distributed is None:
        return None
    try:
        worker = distributed.get_worker()
    except ValueError:
        return None
    limit = worker.memory_manager.memory_limit
    return max(int(limit) - resident_bytes(), 0) // worker.state.nthreads if limit else None
