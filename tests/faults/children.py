"""Children that die, run out of disk or get signals at a chosen point of their work.

A child is a fork of the test's process, so that no time goes into starting Python. The point is a
number of renames or of calls of Python functions, never a time: every machine meets the same ones.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

FINISHED = 0
RAISED = 3


def run_child(work: Callable[[], object], prepare: Callable[[], None] = lambda: None) -> int:
    """Fork, prepare, work. Gives 0 for finished, 3 for an exception, minus the signal's number if one killed it."""
    child = os.fork()
    if child == 0:
        code = RAISED
        try:
            prepare()
            work()
            code = FINISHED
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_rename(number: int, act: Callable[[], None], *, after: bool) -> Callable[[], None]:
    """Preparation: act before or after the rename with this number (from 0)."""
    def prepare() -> None:
        count = -1

        def counted(real: Callable[..., None]) -> Callable[..., None]:
            def rename(*arguments: Any, **options: Any) -> None:
                nonlocal count
                count += 1
                here = count == number
                if here and not after:
                    act()
                real(*arguments, **options)
                if here and after:
                    act()
            return rename

        os.replace, os.rename = counted(os.replace), counted(os.rename)  # type: ignore[assignment]
    return prepare


def at_call(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Preparation: act at the call of a function with this number, counted through this thread and later ones."""
    def prepare() -> None:
        def see(count: int) -> None:
            if count == number:
                act()

        _count(see)
    return prepare


def count_calls(work: Callable[[], object], file: Path) -> int:
    """How many calls of functions a child makes for its work."""
    assert run_child(work, lambda: write_calls(file)) == FINISHED
    return int(file.read_text())


def write_calls(file: Path) -> None:
    """Preparation: when this process ends, write how many calls it made, as :func:`at_call` counts them."""
    calls = 0
    end = os._exit

    def see(count: int) -> None:
        nonlocal calls
        calls = count

    def write_and_end(code: int) -> NoReturn:
        file.write_text(str(calls))
        end(code)

    os._exit = write_and_end
    _count(see)


def _count(see: Callable[[int], None]) -> None:
    numbers = itertools.count(1)

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            see(next(numbers))

    threading.setprofile(profile)
    sys.setprofile(profile)


def kill() -> None:
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)
