"""One run at a time in a folder of results.

A file names the run that works there. It is made with all its content at once, also on network folders (a hard link
that must not exist), and its time is renewed while the run lives. Ages are told by the folder's own clock.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deepd3_ij.atomic import RECORDS, check_output_folder, hidden_folder
from deepd3_ij.batch.items import WHOLE_BATCH, Shard
from deepd3_ij.errors import OutputError, one_line, remedy

STALE_SECONDS = 600.0
"""A run that did not renew its file for so long has ended."""

_RENEWED_SECONDS = 30.0
_SECONDS_TO_END = 15.0
_LARGEST_BYTES = 10_000


class RunLock:
    """The right to write results into a folder, for a run or one shard of it.

    Parameters
    ----------
    folder
        Existing folder of the results.
    shard
        The part of the batch that is done; shards of one count do not hinder each other.
    take_over
        Take the right from a run that seems to live.
    children
        Gives the ids of the run's other processes, which must have ended, too, before another run begins.

    Raises
    ------
    OutputError
        Another run works there.
    """

    def __init__(self, folder: Path, shard: Shard = WHOLE_BATCH, *, take_over: bool = False,
                 children: Callable[[], list[int]] = list) -> None:
        self._records = check_output_folder(folder / RECORDS)
        self._folder, self._children = folder, children
        self._file = self._records / f"batch-{shard.number}-of-{shard.count}.lock"
        self._shard, self._run = shard, uuid.uuid4().hex[:12]
        self._own = {"run": self._run, "host": platform.node(), "pid": os.getpid(), "began": _start_of(os.getpid()),
                     "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        self._renewed = time.monotonic()
        self._told: list[int] = []
        deadline = time.monotonic() + _SECONDS_TO_END
        while not self._made(self._file):
            self._settle(self._file, take_over, deadline)
        try:
            for other in self._others():
                while other.exists():
                    self._settle(other, take_over, deadline)
        except BaseException:
            self.release()
            raise

    @property
    def run(self) -> str:
        """Name of the run, for its log."""
        return self._run

    def renew(self) -> None:
        """Say that the run lives; at most once in half a minute this touches the disk.

        Raises
        ------
        OutputError
            Another run took over.
        """
        if time.monotonic() - self._renewed < _RENEWED_SECONDS and self._told == self._children():
            return
        self._renewed = time.monotonic()
        found = _read(self._file)
        if found is not None and found.get("run") != self._run:
            raise OutputError(f"Another run ({_described(found)}) took over {self._folder}; this one stops.")
        with suppress(OSError, OutputError), self._written() as temporary:  # a network folder that is away for a while
            os.replace(temporary, self._file)

    def release(self) -> None:
        """Give the right back."""
        with suppress(OSError):
            if (_read(self._file) or {}).get("run") == self._run:
                self._file.unlink()

    def _others(self) -> list[Path]:
        """Files of runs that would write the same stacks."""
        return [path for path in self._records.glob("batch-*-of-*.lock") if path != self._file
                and not path.name.endswith(f"-of-{self._shard.count}.lock")]

    def _values(self) -> dict[str, Any]:
        self._told = self._children()
        return {**self._own, "children": self._told}

    def _made(self, file: Path) -> bool:
        """Make the file, unless it is there."""
        with self._written() as temporary:
            try:
                os.link(temporary, file)
            except FileExistsError:
                return False
            except OSError:  # a file system without hard links
                return self._made_alone(file)
        return True

    def _made_alone(self, file: Path) -> bool:
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be locked ({one_line(error)}); give another folder.") from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(self._values(), stream)
        return True

    @contextmanager
    def _written(self) -> Iterator[Path]:
        """A file with what this run says, in a hidden folder, so that nothing is left of a run that is killed."""
        with hidden_folder(self._records, self._folder) as hidden:
            temporary = hidden / self._file.name
            try:
                temporary.write_text(json.dumps(self._values()), encoding="utf-8")
            except OSError as error:
                raise OutputError(f"{self._folder} cannot be locked ({one_line(error)}); give another folder."
                                  ) from error
            yield temporary

    def _settle(self, file: Path, take_over: bool, deadline: float) -> None:
        """Remove the file of a run that has ended, wait while its processes end, or say that it lives."""
        found = _read(file)
        if found is None:
            return  # gone by now
        if _is_here(found) and not _lives(found):
            if any(_alive(pid) for pid in found.get("children", ())) and time.monotonic() < deadline:
                time.sleep(0.05)
                return
        elif not take_over and self._age(file) < STALE_SECONDS:
            raise OutputError(f"Another run ({_described(found)}) works in {self._folder}; wait for it, give another "
                              f"folder, or, if it has ended, {remedy('--take-over', 'tick Take over')}.")
        self._remove(file, found)

    def _remove(self, file: Path, found: dict[str, Any]) -> None:
        """Remove the file if it is still that of this run; of two that try, one succeeds."""
        with hidden_folder(self._records, self._folder) as hidden, suppress(FileNotFoundError):
            aside = hidden / file.name
            os.rename(file, aside)
            if (_read(aside) or {}).get("run") != found.get("run"):
                with suppress(OSError):
                    os.link(aside, file)

    def _age(self, file: Path) -> float:
        """Seconds since the file was renewed, by the clock of the computer that holds the folder."""
        with suppress(OSError), hidden_folder(self._records, self._folder) as probe:
            return probe.stat().st_mtime - file.stat().st_mtime
        return 0.0


def _read(file: Path) -> dict[str, Any] | None:
    """What a file says; nothing if it is damaged, None if it is gone."""
    try:
        with file.open("rb") as stream:
            values = json.loads(stream.read(_LARGEST_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _is_here(found: dict[str, Any]) -> bool:
    return found.get("host") == platform.node() and isinstance(found.get("pid"), int)


def _lives(found: dict[str, Any]) -> bool:
    """Whether the process lives and is still the same one."""
    return _alive(found["pid"]) and found.get("began") == _start_of(found["pid"])


def _alive(pid: Any) -> bool:
    if not isinstance(pid, int) or pid <= 0 or sys.platform == "win32":
        return sys.platform == "win32"  # there, asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(pid)


def _stat_fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _is_zombie(pid: int) -> bool:
    return _stat_fields(pid)[:1] == ["Z"]


def _start_of(pid: int) -> str:
    """When a process began, as far as Linux tells: the number of a process is given again after a restart."""
    fields = _stat_fields(pid)
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{boot} {fields[19]}" if len(fields) > 19 else ""


def _described(found: dict[str, Any]) -> str:
    if not found:
        return "of which nothing is known"
    return f"process {found.get('pid')} on {found.get('host')}, begun {found.get('since')}"
