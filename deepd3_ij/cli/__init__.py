"""The command line ``deepd3-ij``."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from deepd3_ij.cli.console import shown_notes, stop_requested
from deepd3_ij.cli.parser import build_parser
from deepd3_ij.errors import Cancelled, DeepD3Error


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``deepd3-ij``.

    Returns
    -------
    int
        0 done, 1 failed (one line on stderr), 2 wrong usage.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without µ is no reason to fail
    debug = bool(os.environ.get("DEEPD3_DEBUG"))
    try:
        with _termination_interrupts(), shown_notes():
            try:
                given = list(sys.argv[1:] if argv is None else argv)
                if given[:1] == ["batch-compat"]:
                    return _batch_compat(given[1:])
                arguments = build_parser().parse_args(given)
                debug = debug or arguments.debug
                return int(arguments.run(arguments) or 0)
            finally:
                sys.stdout.flush()
    except (KeyboardInterrupt, Cancelled):
        return _fail("cancelled; files that were already there are unchanged", debug)
    except BrokenPipeError:
        # Point stdout elsewhere so that the interpreter does not fail again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except DeepD3Error as error:
        return _fail(str(error), debug)
    except MemoryError as error:
        return _fail(f"not enough memory ({error}); try fewer planes with --z-range", debug)
    except Exception as error:
        return _fail(f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} "
                     "(run again with --debug for the trace)", debug)


def _batch_compat(given: Sequence[str]) -> int:
    from deepd3_ij.cli.original_batch import main as batch

    return batch(given)


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Let a batch system's request to end be as orderly as Ctrl-C."""
    stop_requested.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    stop_requested.set()  # a library may swallow the exception; then the next progress stops the work
    raise KeyboardInterrupt


def _fail(message: str, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"deepd3-ij: {message}", file=sys.stderr)
    return 1
