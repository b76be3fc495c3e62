"""A process that analyzes stacks for a batch, started by :class:`deepd3_ij.batch.pool.WorkerPool`.

Jobs come as lines of JSON on the input stream, events go to the output stream. The next stack is read and the last one
written while one is computed. When the input stream breaks off, so has the batch, and the process ends at once.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from deepd3_ij.batch.jobs import DONE, START, STEP, Event, Job
from deepd3_ij.batch.stages import AnalysisWork, Stack, StackWork, forget_peak, memory_mb
from deepd3_ij.errors import Cancelled, one_line
from deepd3_ij.program import open_streams

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model

MEMORY = "memory_bytes"
"""What processes are told of their memory: in a pool's `hello` that of all of them together, in a cluster's that of
each worker; None if none was given."""
READY, BROKEN, COMPUTING, WRITING = "ready", "broken", "computing", "writing"
"""Lines beside events: the model is loaded, or cannot be; a stack is computed now; its results are written."""

STOP, END = "stop", "end"
"""Lines beside jobs: stop at the next progress; end when all is done."""

SECONDS_BETWEEN_STEPS = 0.25
_KEPT_AT_ONCE = 1


def main(make_work: Callable[[dict[str, Any]], StackWork]) -> None:
    """Answer jobs until told to end."""
    open_streams()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", newline="\n")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the batch decides what an interrupt means
    Worker(answers).run(sys.stdin.buffer, make_work)
    answers.flush()
    os._exit(0)  # nothing that a library left behind may hold up the batch


def analysis_work(hello: dict[str, Any]) -> StackWork:
    """The whole analysis with the model that the batch names.

    Raises
    ------
    ModelError
        It cannot be loaded.
    """
    return AnalysisWork(unchanged_model(hello["model"], hello["model_sha256"]), hello.get(MEMORY))


def unchanged_model(path: str, sha256: str) -> DeepD3Model:
    """Load a model that another process has loaded before.

    Raises
    ------
    ModelError
        It cannot be loaded, or is another one now.
    """
    from deepd3_ij.errors import ModelError
    from deepd3_ij.model import load_model

    model = load_model(path)
    if model.sha256 != sha256:
        raise ModelError(f"{model.path} was changed after the work began; run it again.")
    return model


class Worker:
    """Reads jobs, answers with events.

    Parameters
    ----------
    answers
        Stream for events.
    """

    def __init__(self, answers: IO[str]) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._number = 1
        self._stopped = threading.Event()
        self._to_read: queue.Queue[Stack | None] = queue.Queue()
        self._to_compute: queue.Queue[Stack | None] = queue.Queue(_KEPT_AT_ONCE)
        self._to_write: queue.Queue[Stack | None] = queue.Queue(_KEPT_AT_ONCE)

    def run(self, lines: IO[bytes], make_work: Callable[[dict[str, Any]], StackWork]) -> None:
        """Read the first line, make the work, do jobs until told to end."""
        hello = json.loads(lines.readline())
        self._number = int(hello["worker"])
        threading.Thread(target=self._receive, args=(lines,), daemon=True).start()
        try:
            work = make_work(hello)
        except Exception as error:
            self._answer({"kind": BROKEN, "reason": one_line(error), "error": type(error).__name__})
            return
        self._answer({"kind": READY, "pid": os.getpid()})
        reader = threading.Thread(target=self._read, args=(work,), daemon=True)
        writer = threading.Thread(target=self._write, args=(work,), daemon=True)
        reader.start()
        writer.start()
        while (stack := self._to_compute.get()) is not None:
            forget_peak()
            self._answer({"kind": COMPUTING, "job": stack.number})
            try:
                stack.compute(work, self._progress(stack.number))
            except BaseException as error:
                self._failed(stack, error)
            else:
                self._answer({"kind": WRITING, "job": stack.number})
                self._to_write.put(stack)
        self._to_write.put(None)
        writer.join()

    def _receive(self, lines: IO[bytes]) -> None:
        for line in lines:
            request = json.loads(line)
            if request == STOP:
                self._stopped.set()
                self._to_read.put(None)
            elif request == END:
                self._to_read.put(None)
                return
            else:
                self._to_read.put(Stack(int(request["number"]), Job.from_dict(request["job"])))
        os._exit(1)

    def _read(self, work: StackWork) -> None:
        while (stack := self._to_read.get()) is not None:
            self._answer(Event(START, stack.number, self._number).to_dict())
            try:
                stack.read(work)
            except BaseException as error:
                self._failed(stack, error)
            else:
                self._to_compute.put(stack)
        self._to_compute.put(None)

    def _write(self, work: StackWork) -> None:
        while (stack := self._to_write.get()) is not None:
            try:
                report = stack.write(work, self._progress(stack.number))
            except BaseException as error:
                self._failed(stack, error)
            else:
                self._answer(Event(DONE, stack.number, self._number, report=report).to_dict())

    def _failed(self, stack: Stack, error: BaseException) -> None:
        if not isinstance(error, Cancelled):
            self._answer(stack.failure(error, self._number).to_dict())

    def _progress(self, number: int) -> Callable[[int, int, str], None]:
        shown, shown_at = "", 0.0

        def progress(done: int, total: int, message: str, /) -> None:
            nonlocal shown, shown_at
            if self._stopped.is_set():
                raise Cancelled("The user stopped the work.")
            now = time.monotonic()
            if message != shown or now - shown_at >= SECONDS_BETWEEN_STEPS:
                shown, shown_at = message, now
                self._answer(Event(STEP, number, self._number, message, done, total, memory_mb()).to_dict())

        return progress

    def _answer(self, values: dict[str, Any]) -> None:
        line = json.dumps(values)
        with self._lock:
            try:
                self._answers.write(line + "\n")
                self._answers.flush()
            except OSError:  # the batch has ended
                os._exit(1)


if __name__ == "__main__":
    main(analysis_work)
