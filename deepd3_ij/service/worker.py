"""Appose worker: the service in a Python process of its own, started and ended by Fiji.

Requests come as lines of JSON on the input stream, answers go to the output stream, arrays lie in shared
memory; no port is opened. The only script that is accepted is :data:`DISPATCH`; it is recognised, never executed.
Run by Fiji's scripts as ``python -m deepd3_ij.service.worker``.
"""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import IO, Any

import numpy as np

from deepd3_ij.errors import Cancelled, one_line
from deepd3_ij.program import open_streams
from deepd3_ij.service.log_file import log_hint, log_to_file

DISPATCH = "deepd3"
SECONDS_BETWEEN_UPDATES = 0.05
_COPY_THREADS = 4
_LAUNCH, _UPDATE, _COMPLETION, _CANCELATION, _FAILURE = "LAUNCH", "UPDATE", "COMPLETION", "CANCELATION", "FAILURE"

_log = logging.getLogger(__name__)


def main() -> None:
    """Answer requests until the input stream ends, as it does when Fiji ends."""
    open_streams()
    output = _take_output_stream()
    log_to_file()
    from appose.python_worker import Worker as ApposeWorker

    ApposeWorker()  # from now on Appose leaves shared memory to Fiji, which frees it
    # On Windows an import of NumPy hangs while another thread waits for input, so it comes first.
    from deepd3_ij.service import calls  # noqa: F401

    if sys.platform == "win32":
        _prepare_prediction()
    else:
        threading.Thread(target=_prepare_prediction, daemon=True).start()
    worker = Worker(output)
    for number in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), _end)
    try:
        worker.run(sys.stdin.buffer)
    except SystemExit:
        _log.warning("asked to end")
    finally:
        _free(worker.owned)
        os._exit(0)  # running tasks have nobody left to answer


def _end(number: int, frame: object) -> None:
    raise SystemExit(0)


class Worker:
    """Reads requests, runs each in a thread of its own, writes answers.

    Parameters
    ----------
    output
        Stream for answers.

    Attributes
    ----------
    owned
        Names of the blocks of shared memory that it made, or that Fiji said to have made. Others are never freed: a
        request can name any block of this computer.
    """

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}
        self.owned: set[str] = set()

    def run(self, requests: Iterable[bytes]) -> None:
        """Read requests until the stream ends; a line that cannot be read is answered with a failure, if at all."""
        for line in requests:
            if line.strip():
                try:
                    self._take(line)
                except Exception as error:
                    _log.exception("a request was not understood")
                    self._refuse(line, error)

    def _take(self, line: bytes) -> None:
        from appose.util import message

        request = message.decode(line.decode("utf-8", errors="replace"))
        number, kind = str(request["task"]), request["requestType"]
        if kind == "EXECUTE":
            if number in self._tasks:
                raise ValueError(f"there is a task {number} already")
            task = Task(self, number, request)
            thread = threading.Thread(target=task.run, daemon=True)
            self._tasks[number] = task
            try:
                thread.start()
            except RuntimeError:  # the system gives no more threads
                self.forget(number)
                raise
        elif kind == "CANCEL":
            if number in self._tasks:
                self._tasks[number].cancel()
        else:
            raise ValueError(f"the request type is {kind!r}; accepted: EXECUTE, CANCEL")

    def _refuse(self, line: bytes, error: Exception) -> None:
        """Answer a line that was not understood, if it tells its task and no task of that number is at work."""
        number = _task_of(line)
        if number is not None and number not in self._tasks:
            self.respond(number, _FAILURE, error=f"The request is not understood ({type(error).__name__}: "
                                                 f"{one_line(error, 200)}).")

    def respond(self, number: str, kind: str, **values: Any) -> None:
        """Write one answer."""
        from appose.util import message

        line = message.encode({"task": number, "responseType": kind, **values})
        with self._lock, suppress(BrokenPipeError):  # Fiji has ended; so does the stream of requests
            self._output.write(line + "\n")
            self._output.flush()

    def forget(self, number: str) -> None:
        """Drop a task whose arrays were fetched."""
        self._tasks.pop(number, None)


class Task:
    """One request and its answer.

    The arrays of an answer stay in shared memory until Fiji has read them, which it tells by a cancel request for
    the finished task.
    """

    def __init__(self, worker: Worker, number: str, request: dict[str, Any]) -> None:
        self._worker, self._number = worker, number
        inputs = request.get("inputs") or {}
        if not isinstance(inputs, dict):
            raise ValueError(f"the inputs are {type(inputs).__name__}; accepted: a table")
        self._script, self._inputs = request.get("script"), inputs
        self._stop = threading.Event()
        self._lent: list[Any] = []
        self._finished = False
        self._last_update = 0.0

    def run(self) -> None:
        """Answer the request; a failure outside of the verbs is reported too."""
        try:
            self._worker.respond(self._number, _LAUNCH)
            if self._script != DISPATCH:
                raise ValueError(f"The worker runs no scripts; accepted: {DISPATCH!r}.")
            self._answer()
        except BaseException as error:
            _log.exception("task failed")
            self.cancel()
            self._worker.forget(self._number)  # ahead of the answer, after which its number may come again
            self._worker.respond(self._number, _FAILURE, error=f"{type(error).__name__}: {one_line(error)}{log_hint()}")

    def cancel(self) -> None:
        """Stop at the next step, or, once finished, give shared memory back."""
        self._stop.set()
        if self._finished:
            for block in self._lent:
                with suppress(BufferError):
                    block.close()
            self._worker.forget(self._number)

    def _answer(self) -> None:
        from deepd3_ij.service.calls import call

        blocks = self._inputs.get("arrays") or {}
        spare = self._inputs.get("spare") or {}
        made = self._inputs.get("made_by_fiji") or ()
        self._worker.owned.update(block.shm.name for block in (*blocks.values(), *spare.values())
                                  if block.shm.name.lstrip("/") in {str(name).lstrip("/") for name in made})
        with _arrays(blocks) as arrays, _arrays(spare) as room:
            reply = call(self._inputs["request"], arrays, self._progress)
            results = {name: array for name, array in reply.arrays.items() if array.size}
            in_place = _put_in_place(results, arrays)
            left = {name: array for name, array in results.items() if name not in in_place}
            in_spare = _put_in_spare(left, room)
            outputs = {name: self._lend(array) for name, array in left.items() if name not in in_spare}
            empty = {name: list(array.shape) for name, array in reply.arrays.items() if not array.size}
            text = json.dumps({**reply.values, "empty_arrays": empty, "in_place": in_place, "in_spare": in_spare})
            del reply, results, left
        self._finished = True
        if not outputs:
            self._worker.forget(self._number)  # ahead of the answer, after which its number may come again
        self._worker.respond(self._number, _COMPLETION, outputs={"reply": text, "arrays": outputs})

    def _lend(self, array: Any) -> Any:
        from appose import NDArray

        shared = NDArray(array.dtype.name, list(array.shape))
        self._worker.owned.add(shared.shm.name)
        _copy(shared.ndarray(), array)
        self._lent.append(shared.shm)
        return shared

    def _progress(self, done: int, total: int, message: str, /) -> None:
        if self._stop.is_set():
            raise Cancelled("Stopped by the user; nothing was changed.")
        now = time.monotonic()
        if now - self._last_update >= SECONDS_BETWEEN_UPDATES or done >= total:
            self._last_update = now
            self._worker.respond(self._number, _UPDATE, message=message, current=int(done), maximum=int(total))


def _put_in_place(results: dict[str, Any], arrays: dict[str, Any]) -> dict[str, str]:
    """Write results into the shared memory of inputs of the same type and shape, which Fiji does not need any more.

    Memory that both sides have in hand costs a fraction of new memory.

    Returns
    -------
    dict
        Name of the input by name of the result.
    """
    in_place: dict[str, str] = {}
    for name, result in results.items():
        for source, target in arrays.items():
            others = [other for key, other in results.items() if key != name]
            if source not in in_place.values() and (target.dtype, target.shape) == (result.dtype, result.shape) \
                    and not any(np.may_share_memory(target, other) for other in others):
                if result is not target:
                    _copy(target, result)
                in_place[name] = source
                break
    return in_place


def _put_in_spare(results: dict[str, Any], room: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Write results into spare blocks of shared memory (arrays of bytes), the smallest that fits for each.

    Returns
    -------
    dict
        Block, type and shape by name of the result.
    """
    places: dict[str, dict[str, Any]] = {}
    free = sorted(room, key=lambda block: int(room[block].size))
    for name, result in sorted(results.items(), key=lambda item: -item[1].nbytes):
        block = next((block for block in free if room[block].size >= result.nbytes), None)
        if block is not None:
            free.remove(block)
            _copy(room[block][:result.nbytes].view(result.dtype).reshape(result.shape), result)
            places[name] = {"block": block, "dtype": result.dtype.name, "shape": list(result.shape)}
    return places


def _free(names: set[str]) -> None:
    """Free shared memory that a Fiji that has ended did not free."""
    from appose import SharedMemory

    for name in names:
        with suppress(OSError):
            SharedMemory(name=name).unlink()


def _task_of(line: bytes) -> str | None:
    """The task that a request names, read without any of the objects in it."""
    try:
        request = json.loads(line.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        found = re.search(rb'"task"\s*:\s*"([^"\\]{1,100})"', line)
        return found[1].decode("utf-8", errors="replace") if found else None
    number = request.get("task") if isinstance(request, dict) else None
    return number if isinstance(number, str) else None


def _copy(target: Any, array: Any) -> None:
    if array.ndim != 3:
        np.copyto(target, array)
        return
    with ThreadPoolExecutor(_COPY_THREADS) as pool:  # fresh pages of memory are filled side by side
        list(pool.map(np.copyto, target, array))


@contextmanager
def _arrays(shared: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """NumPy views of arrays in shared memory, for as long as the block runs."""
    arrays = {name: block.ndarray() for name, block in shared.items()}
    try:
        yield arrays
    finally:
        arrays.clear()
        for block in shared.values():
            with suppress(BufferError):  # somebody still looks at it; it closes with its last view
                block.shm.close()


def _take_output_stream() -> IO[str]:
    """Keep the output stream for answers alone; whatever else is printed goes to the error stream."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = sys.stderr
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    return answers


def _prepare_prediction() -> None:
    """Load and compile ahead of the first segmentation what it needs; that one reports it if this fails."""
    with suppress(Exception):
        import numpy as np

        from deepd3_ij.model import load_model

        model = load_model()
        model.predict_batch(np.zeros((1, model.stride_px, model.stride_px), np.float32))


if __name__ == "__main__":
    main()
