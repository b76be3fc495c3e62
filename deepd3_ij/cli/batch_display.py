"""What a batch shows: a line per worker on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deepd3_ij.batch.board import Board, Watch, in_words
from deepd3_ij.batch.jobs import DONE, FAILED, LOST, Event
from deepd3_ij.cli.console import SECONDS_BETWEEN_LINES, remark
from deepd3_ij.errors import Cancelled
from deepd3_ij.printing import printable
from deepd3_ij.program import stop_requested
from deepd3_ij.progress import WHOLE

_LONGEST_NAME = 40


@contextmanager
def shown_batch(quiet: bool = False) -> Iterator[Watch]:
    """Show a batch on stderr while the block runs; Ctrl-C stops it at the next step."""
    if quiet:
        yield _stoppable(lambda board, event: None)
    elif sys.stderr.isatty():
        with _bars() as watch:
            yield _stoppable(watch)
    else:
        yield _stoppable(_lines())


def _stoppable(show: Watch) -> Watch:
    def watch(board: Board, event: Event | None) -> None:
        if stop_requested.is_set():
            raise Cancelled("The user stopped the work.")
        show(board, event)

    return watch


def total_line(board: Board) -> str:
    """How far the whole is, in words."""
    left = "" if len(board.ended) == board.count else f", {in_words(board.seconds_left())}"
    return f"{len(board.ended)} of {board.count} stacks{left}"


@contextmanager
def _bars() -> Iterator[Watch]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        total = bars.add_task("", total=WHOLE)
        workers: dict[int, TaskID] = {}

        def watch(board: Board, event: Event | None) -> None:
            for worker, line in board.lines.items():
                if worker not in workers:
                    workers[worker] = bars.add_task("", total=WHOLE)
                text = f"{worker}: {_short(line.name)}, {line.step}"
                bars.update(workers[worker], description=escape(printable(text)),
                            completed=round(WHOLE * line.fraction), visible=True)
            for worker in workers.keys() - board.lines.keys():
                bars.update(workers[worker], visible=False)
            bars.update(total, description=escape(total_line(board)), completed=round(WHOLE * board.fraction))

        yield watch


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME:]}"


def _lines() -> Watch:
    """A line when a stack ends, and one of the whole now and then."""
    shown_at = time.monotonic()

    def watch(board: Board, event: Event | None) -> None:
        nonlocal shown_at
        now = time.monotonic()
        ends = event is not None and event.kind in (DONE, FAILED, LOST)
        if event is not None and ends:
            words = {DONE: "done", FAILED: "failed", LOST: "lost its process, is tried again"}[event.kind]
            remark(f"{board.name_of(event)}: {words}; {total_line(board)}")
        elif len(board.ended) < board.count and now - shown_at >= SECONDS_BETWEEN_LINES:
            at_work = ", ".join(f"{line.name} ({line.step} {line.fraction:.0%})" for line in board.lines.values())
            remark(f"{total_line(board)}; {at_work}" if at_work else total_line(board))
        else:
            return
        shown_at = now

    return watch
