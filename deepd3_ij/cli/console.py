"""What the command line prints: a progress bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from deepd3_ij.errors import Cancelled
from deepd3_ij.printing import printable
from deepd3_ij.program import stop_requested
from deepd3_ij.progress import Progress, no_progress

SECONDS_BETWEEN_LINES = 5.0


def print_line(text: object, stream: TextIO | None = None) -> None:
    """Print a text that may hold names of files, on one line and without characters that control a terminal."""
    print(printable(text), file=stream or sys.stdout)


@contextmanager
def shown_progress(quiet: bool = False) -> Iterator[Progress]:
    """Show progress on stderr while the block runs; Ctrl-C stops the work at the next step."""
    if quiet:
        yield _stoppable(no_progress)
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield _stoppable(progress)
    else:
        yield _stoppable(_lines())


def _stoppable(show: Progress) -> Progress:
    def progress(done: int, total: int, message: str, /) -> None:
        if stop_requested.is_set():
            raise Cancelled("The user stopped the work.")
        show(done, total, message)

    return progress


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
               TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, int] = {}

        def progress(done: int, total: int, message: str, /) -> None:
            if message not in tasks:
                tasks[message] = bar.add_task(escape(printable(message)), total=total)
            bar.update(tasks[message], completed=done, total=total)  # type: ignore[arg-type]

        yield progress


def _lines() -> Progress:
    """A line when a step begins, every few seconds, and when it ends."""
    shown = ("", -1)
    shown_at = 0.0

    def progress(done: int, total: int, message: str, /) -> None:
        nonlocal shown, shown_at
        now = time.monotonic()
        begins, ends = message != shown[0], done >= total
        if (message, done) != shown and (begins or ends or now - shown_at >= SECONDS_BETWEEN_LINES):
            remark(f"{message}: {done}/{total}")
            shown, shown_at = (message, done), now

    return progress


def remark(text: str) -> None:
    """A line that nobody needs: if nobody can read it any more, the work goes on."""
    with suppress(OSError, ValueError):
        print_line(text, sys.stderr)
        sys.stderr.flush()
