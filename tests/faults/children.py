"""Children that die, run out of disk or get signals at a chosen point of their work.

A child is a fork of the test's process, so that no time goes into starting Python. The point is a
number of renames or of calls of Python functions, never a time: every machine meets the same ones.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

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
    """Preparation: act at the call of a Python function with this number."""
    def prepare() -> None:
        count = 0

        def profile(frame: FrameType, event: str, argument: object) -> None:
            nonlocal count
            if event in ("call", "c_call"):
                count += 1
                if count == number:
                    sys.setprofile(None)
                    act()
        sys.setprofile(profile)
    return prepare


def count_calls(work: Callable[[], object], file: Path) -> int:
    """How many calls of functions a child makes for its work."""
    def counting() -> None:
        count = 0

        def profile(frame: FrameType, event: str, argument: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(profile)
        work()
        sys.setprofile(None)
        file.write_text(str(count))

    assert run_child(counting) == FINISHED
    return int(file.read_text())


def kill() -> None:
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)
