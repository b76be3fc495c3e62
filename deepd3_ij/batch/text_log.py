"""What happened in a batch, in a file beside its results."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

from deepd3_ij.printing import printable
from deepd3_ij.version import __version__

NAME = "log.txt"
_FIRST_LINE = "DeepD3 batch"
_OTHER_NAME = "deepd3_log.txt"


class TextLog:
    """A text file to which every run adds; trouble with it never stops the run.

    Parameters
    ----------
    folder
        Existing folder of the results.

    Attributes
    ----------
    file
        ``log.txt``, or ``deepd3_log.txt`` if somebody else's file has that name; None if it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        names = (folder / NAME, folder / _OTHER_NAME)
        self.file: Path | None = next((path for path in names if _is_ours(path)), None)
        self._heading = ""

    def begin(self, what: str, passed_over: Sequence[str]) -> None:
        """Tell which files the run passed over; when it began, and what it does, stands before its first line."""
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        self._heading = printable(f"{_FIRST_LINE} {__version__}, {now}: {what}") + "\n"
        self.add(*(f"passed over: {line}" for line in passed_over))

    @property
    def is_needed(self) -> bool:
        """Whether the run had something to tell."""
        return not self._heading

    def add(self, *lines: str) -> None:
        """Add lines."""
        self._write("".join(f"{printable(line)}\n" for line in lines))

    def failed(self, source: Path, reason: str, trace: str) -> None:
        """Add a failure with the trace of its exception."""
        self.add(f"failed: {source}: {reason}")
        self._write("".join(f"    {printable(line)}\n" for line in trace.splitlines()))

    def _write(self, text: str) -> None:
        if self.file is None or not text:
            return
        try:
            with self.file.open("a", encoding="utf-8") as stream:
                stream.write(self._heading + text)
                self._heading = ""
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            self.file = None


def _is_ours(path: Path) -> bool:
    """Whether a file can be added to: it is not there yet, or began as such a log."""
    try:
        if not os.path.lexists(path):
            return True
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(len(_FIRST_LINE)) in (b"", _FIRST_LINE.encode())
    except OSError:
        return False
