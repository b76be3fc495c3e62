"""Spread work on planes over threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

MAX_THREADS = 8  # the work is bound by memory bandwidth; more threads do not help


def available_threads() -> int:
    """How many threads may work at the same time: ``DEEPD3_THREADS`` if it is set, else one per processor."""
    given = os.environ.get("DEEPD3_THREADS", "")
    return max(1, int(given)) if given.isdigit() else os.cpu_count() or 1


def in_blocks(function: Callable[[int, int], T], length: int, smallest: int = 1) -> list[T]:
    """Call ``function(begin, end)`` for consecutive blocks of ``range(length)``, one block per thread.

    Parameters
    ----------
    function
        Works on the half-open range ``begin:end`` and releases the interpreter's lock (numba
        with ``nogil``, scipy); blocks run at the same time, so they must not write to the same place.
    length
        Number of elements, for example planes.
    smallest
        Least number of elements of a block, unless there are fewer; for work that needs memory of its own for each.

    Returns
    -------
    list
        The results in the order of the blocks. An exception of a block is raised here.
    """
    blocks = max(1, min(available_threads(), MAX_THREADS, length // smallest))
    bounds = [length * i // blocks for i in range(blocks + 1)]
    if blocks == 1:
        return [function(0, length)]
    with ThreadPoolExecutor(blocks) as pool:
        return list(pool.map(function, bounds[:-1], bounds[1:]))
