"""What every program of this package does around its work: streams, signals, errors and warnings."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from deepd3_ij.errors import Cancelled, DeepD3Error, one_line
from deepd3_ij.notes import LOGGER as NOTES
from deepd3_ij.printing import printable

stop_requested = threading.Event()
"""Set when a signal asked the program to stop; then the next progress stops the work."""

_PACKAGE = str(Path(__file__).parent)


def debug_wanted(arguments: list[str]) -> bool:
    """Whether the trace of an error is to be printed: ``--debug``, or the variable ``DEEPD3_DEBUG``."""
    return "--debug" in arguments or bool(os.environ.get("DEEPD3_DEBUG"))


def open_streams() -> None:
    """Open what was closed before the program started, so that no file of results gets the number of a stream."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without µ is no reason to fail


def run_program(name: str, work: Callable[[], int | None], *, debug: bool = False, signals: bool = True) -> int:
    """Run a program's work; what fails becomes one line on the error stream.

    Parameters
    ----------
    name
        The program, for its messages.
    work
        Does everything; gives the exit code, or None for 0.
    debug
        Print the trace of an error, and what libraries warn of.
    signals
        Let requests to end stop the work in an orderly way. Not for programs with Java, which has its own handlers.

    Returns
    -------
    int
        The exit code; if the work failed, that of the error (:attr:`deepd3_ij.errors.DeepD3Error.exit_code`) or 1.
    """
    open_streams()
    try:
        with _termination_interrupts(signals), _plain_warnings(name, debug), _printed_notes(name):
            try:
                code = int(work() or 0)
            finally:
                sys.stdout.flush()
        return code
    except (KeyboardInterrupt, Cancelled):
        return _fail(name, "cancelled; files that were already there are unchanged", debug)
    except BrokenPipeError:
        _discard(sys.stdout)
        return 1
    except DeepD3Error as error:
        _fail(name, str(error), debug)
        return error.exit_code
    except MemoryError as error:
        return _fail(name, f"not enough memory ({one_line(error)}); try fewer planes with --z-range", debug)
    except Exception as error:
        if isinstance(error, OSError) and _is_unwritable(sys.stdout):
            _discard(sys.stdout)
            return _fail(name, f"what is printed cannot be written ({error.strerror}); the files are there", debug)
        if isinstance(error, OSError) and error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(name, "a disk is full, perhaps the one that takes what is printed; free space", debug)
        return _fail(name, f"unexpected {type(error).__name__}: {one_line(error)} "
                     "(run again with --debug for the trace)", debug)


def _is_unwritable(stream: TextIO) -> bool:
    try:
        stream.flush()
    except (OSError, ValueError):
        return True
    return False


def _discard(stream: TextIO) -> None:
    """Point a stream that cannot be written elsewhere, so that Python does not fail again when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def _termination_interrupts(active: bool) -> Iterator[None]:
    """Let a batch system's request to end, and a terminal that is closed, be as orderly as Ctrl-C."""
    stop_requested.clear()
    if not active or threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored under nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    stop_requested.set()  # a library may swallow the exception; then the next progress stops the work
    raise KeyboardInterrupt


@contextmanager
def _plain_warnings(name: str, debug: bool) -> Iterator[None]:
    """Show this package's warnings as one line each, and those of libraries only to who looks for a fault."""
    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int,
             file: TextIO | None = None, line: str | None = None) -> None:
        if debug or filename.startswith(_PACKAGE):
            _print_error(f"{name}: {message}")

    root = logging.getLogger()
    handler = logging.StreamHandler() if debug else logging.NullHandler()
    handler.addFilter(lambda record: record.name != NOTES.name)  # they are printed in any case
    root.addHandler(handler)
    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            yield
        finally:
            root.removeHandler(handler)


@contextmanager
def _printed_notes(name: str) -> Iterator[None]:
    """Print every note to the user once, as a line on the error stream."""
    handler = _NotePrinter(name)
    NOTES.addHandler(handler)
    try:
        yield
    finally:
        NOTES.removeHandler(handler)


class _NotePrinter(logging.Handler):
    def __init__(self, name: str) -> None:
        super().__init__(logging.WARNING)
        self._program = name
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._shown:
            self._shown.add(text)
            _print_error(f"{self._program}: note: {text}")


def _fail(name: str, message: str, debug: bool) -> int:
    if debug:
        with suppress(OSError, ValueError):
            traceback.print_exc()
    _print_error(f"{name}: {message}")
    return 1


def _print_error(text: str) -> None:
    try:
        print(printable(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _discard(sys.stderr)
