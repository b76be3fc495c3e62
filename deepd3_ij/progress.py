"""Progress and cancellation.

Long functions take ``progress``, a callable ``(done, total, message)``. They call it
before the first step, after every step, and stop when it raises
:class:`deepd3_ij.errors.Cancelled`. How it is shown (console bar, log lines, Fiji's
progress bar) is decided by the caller.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives progress; raises ``Cancelled`` to stop the work."""

    def __call__(self, done: int, total: int, message: str, /) -> None: ...


def no_progress(done: int, total: int, message: str, /) -> None:
    """Ignore progress."""
