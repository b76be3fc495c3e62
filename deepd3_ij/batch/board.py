"""How far a batch is: who works on what, how much is done, and how long the rest may take, counted in voxels."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from deepd3_ij.batch.jobs import DONE, FAILED, LOST, START, Event, Job
from deepd3_ij.progress import STEP_SHARES, WHOLE, WRITING_SHARES, Progress, in_steps

READING = "Reading"


@dataclass
class Line:
    """What one worker does.

    Attributes
    ----------
    number
        Number of the stack, from 1.
    name
        The stack.
    step
        The step that it is in.
    fraction
        How much of the stack is done.
    """

    number: int
    name: str
    step: str
    fraction: float = 0.0


class Board:
    """State of a batch, from its events.

    Parameters
    ----------
    jobs
        The stacks that are to be analyzed.
    clock
        Gives seconds.
    """

    def __init__(self, jobs: Sequence[Job], clock: Callable[[], float] = time.monotonic) -> None:
        self._jobs, self._clock, self._began = jobs, clock, clock()
        self.lines: dict[int, Line] = {}
        self.ended: set[int] = set()
        self._lines_of: dict[int, Line] = {}
        self._steps: dict[int, Progress] = {}
        self._total = sum(max(1, job.voxels) for job in jobs)

    @property
    def count(self) -> int:
        """Number of stacks."""
        return len(self._jobs)

    def name_of(self, event: Event) -> str:
        """The stack of an event."""
        return self._jobs[event.job].item.name

    def see(self, event: Event) -> None:
        """Take an event in."""
        if event.kind in (DONE, FAILED, LOST):
            ended = self._lines_of.pop(event.job, None)
            self.lines = {worker: line for worker, line in self.lines.items() if line is not ended}
            if event.kind != LOST:
                self.ended.add(event.job)
        elif event.kind == START:
            line = self._begin(event)
            self.lines.setdefault(event.worker, line)  # the next one is read while one is computed
        else:
            line = self._lines_of.get(event.job) or self._begin(event)
            line.step = event.step
            self._steps[event.job](event.done, event.total, event.step)
            shown = self.lines.get(event.worker)
            # The results of the last stack may still be written while the next one is computed.
            if shown is None or shown.step == READING or event.step not in WRITING_SHARES:
                self.lines[event.worker] = line

    def _begin(self, event: Event) -> Line:
        line = self._lines_of[event.job] = Line(event.job + 1, self._jobs[event.job].item.name, READING)

        def report(done: int, total: int, message: str, /) -> None:
            line.fraction = done / total

        self._steps[event.job] = in_steps(report, STEP_SHARES)
        return line

    @property
    def fraction(self) -> float:
        """How much of the batch is done."""
        if not self._jobs:
            return 1.0
        done: float = sum(max(1, self._jobs[number].voxels) for number in self.ended)
        done += sum(max(1, self._jobs[line.number - 1].voxels) * line.fraction for line in self._lines_of.values())
        return min(1.0, done / self._total)

    def seconds_left(self) -> float | None:
        """About how long the rest takes, at the rate so far; None as long as nobody can tell."""
        done = self.fraction
        return None if done < 0.02 and not self.ended else (self._clock() - self._began) * (1 - done) / max(done, 1e-6)


Watch: TypeAlias = Callable[[Board, Event | None], None]
"""Receives the board after every event, and now and then without one; raises ``Cancelled`` to stop the batch."""


def as_progress(progress: Progress) -> Watch:
    """Show a board as the progress of one thing."""
    reached = 0.0

    def watch(board: Board, event: Event | None) -> None:
        nonlocal reached
        reached = max(reached, board.fraction)
        if len(board.lines) == 1:
            line = next(iter(board.lines.values()))
            message = f"Stack {line.number} of {board.count}: {line.step}"
        else:
            message = f"{len(board.ended)} of {board.count} stacks"
        progress(round(WHOLE * reached), WHOLE, message)

    return watch


def in_words(seconds: float | None) -> str:
    """A time for people."""
    if seconds is None:
        return "time left unknown"
    if seconds < 90:
        return f"about {seconds:.0f} s left"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min left"
    return f"about {seconds / 3600:.1f} h left"
