"""Progress and cancellation.

Long functions take ``progress``, a callable ``(done, total, message)``. They call it
before the first step, after every step, and stop when it raises
:class:`deepd3_ij.errors.Cancelled`. How it is shown (console bar, log lines, Fiji's
progress bar) is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Receives progress; raises ``Cancelled`` to stop the work."""

    def __call__(self, done: int, total: int, message: str, /) -> None: ...


def no_progress(done: int, total: int, message: str, /) -> None:
    """Ignore progress."""


MEASURING_SHARES = {"Measuring dendrites": 0.05, "Measuring intensities": 0.05}
WRITING_SHARES = {"Write results": 0.1}
STEP_SHARES = {"Loading the model": 0.05, "Predicting": 0.6, "Connect dendrite": 0.08, "Find 2-D ROIs": 0.03,
               "Find ROIs": 0.04, **MEASURING_SHARES, **WRITING_SHARES}
"""Messages with which the steps of an analysis begin, and about how much of the time each takes."""

WHOLE = 1000
"""Steps in which :func:`in_steps` counts."""


def in_steps(progress: Progress, shares: Mapping[str, float]) -> Progress:
    """Progress of several steps in a row as progress of the whole, which never goes back.

    Parameters
    ----------
    progress
        Receives the whole's progress.
    shares
        The message with which each step begins, in the order of the steps, and its share of the time. Other messages
        belong to the step that is under way; a step that is left out is passed over.
    """
    names, total_share = list(shares), sum(shares.values())
    begins = {name: sum(list(shares.values())[:number]) / total_share for number, name in enumerate(names)}
    current, reached = names[0], 0.0

    def report(done: int, total: int, message: str, /) -> None:
        nonlocal current, reached
        if message in begins and begins[message] >= begins[current]:
            current = message
        part = min(1.0, done / total) if total > 0 else 0.0
        reached = max(reached, min(1.0, begins[current] + part * shares[current] / total_share))
        progress(round(WHOLE * reached), WHOLE, message)

    return report
