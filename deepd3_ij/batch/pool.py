"""Processes that analyze stacks side by side; one that the system kills costs no more than its stack."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from deepd3_ij.batch.jobs import DONE, FAILED, LOST, START, Event, Job, Tell
from deepd3_ij.batch.worker import BROKEN, COMPUTING, END, MEMORY, READY, STOP, WRITING
from deepd3_ij.errors import DeepD3Error, ModelError
from deepd3_ij.memory import usual_memory

COMMAND = (sys.executable, "-m", "deepd3_ij.batch.worker")
STACKS_PER_PROCESS = 50
"""After so many, a process is replaced: libraries do not give all memory back."""

_TICK_SECONDS = 0.5
_SECONDS_TO_STOP = 10.0
_MOST_BAD_STARTS = 3
_THREAD_VARIABLES = ("DEEPD3_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                     "NUMBA_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
_LAST_LINES = 20


def split_environment(workers: int, threads: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Environment of each of some processes that share the computer: its threads split between them."""
    share = str(max(1, threads // max(1, workers)))
    return {**environment, **dict.fromkeys(_THREAD_VARIABLES, share)}


def share_of_memory(memory_bytes: int | None, workers: int, *, halved: bool) -> int | None:
    """Memory of one of some processes that share the computer, or half of it; None if nothing is known or wanted.

    Without a limit a single process decides for itself, as a single analysis does.
    """
    whole = usual_memory() if memory_bytes is None and (workers > 1 or halved) else memory_bytes
    return None if whole is None else whole // workers // (2 if halved else 1)


class WorkerPool:
    """Several processes that each take one stack after the other.

    Parameters
    ----------
    hello
        What a process needs to begin: ``model``, ``model_sha256``, and the memory of all together.
    count
        How many processes.
    threads
        How many threads they have together.
    command
        Starts one.
    """

    def __init__(self, hello: Mapping[str, Any], count: int, threads: int, command: Sequence[str] = COMMAND) -> None:
        self._hello, self._count, self._command = dict(hello), count, tuple(command)
        self._threads = threads
        self._events: queue.Queue[tuple[_Process, Any]] = queue.Queue()
        self._processes: list[_Process] = []
        self._bad_starts = 0
        self._pending: deque[int] = deque()
        self._alone: deque[int] = deque()
        self._losses: dict[int, int] = {}
        self._jobs: Sequence[Job] = ()

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that live."""
        return [process.pid for process in self._processes]

    def run(self, jobs: Sequence[Job], tell: Tell) -> None:
        """Analyze all stacks.

        A stack whose process ended in the middle is tried once more when all others are done, alone and with half the
        memory that a process had before, so that it is done in lower slabs. Whatever `tell`
        raises stops the processes first.

        Raises
        ------
        ModelError
            The processes cannot load the model.
        DeepD3Error
            The processes end before they begin.
        """
        self._jobs, self._pending = jobs, deque(range(len(jobs)))
        try:
            while self._pending or self._alone or any(process.stages for process in self._processes):
                self._hand_out()
                self._take(tell)
        finally:
            self._stop_all()

    def _hand_out(self) -> None:
        if self._alone and not self._pending:
            if not any(process.stages for process in self._processes):
                self._retire_all()
                self._start(alone=True).give(self._alone[0], self._jobs[self._alone.popleft()])
            return
        for process in [process for process in self._processes if process.alone or process.is_used_up]:
            if not process.stages:
                self._retire(process)
        idle = sum(not process.stages for process in self._processes)
        for _ in range(min(self._count - len(self._processes), len(self._pending) - idle)):
            self._start()
        for process in self._processes:
            # While one is computed the next one is read, unless that would leave another process idle.
            ahead = process.is_computing and len(self._pending) < self._count
            if self._pending and not (process.is_waiting or process.is_used_up or ahead):
                number = self._pending.popleft()
                process.give(number, self._jobs[number])

    def _start(self, *, alone: bool = False) -> _Process:
        taken = {process.number for process in self._processes}
        number = next(n for n in range(1, len(taken) + 2) if n not in taken)
        together = min(self._count, max(1, len(self._jobs)))
        environment = split_environment(1 if alone else together, self._threads, os.environ)
        memory = share_of_memory(self._hello.get(MEMORY), together, halved=alone)
        process = _Process(number, self._command, environment, {**self._hello, "worker": number, MEMORY: memory},
                           self._events, alone)
        self._processes.append(process)
        return process

    def _take(self, tell: Tell) -> None:
        try:
            process, message = self._events.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            tell(None)
            return
        if message is None:
            self._ended(process, tell)
        elif message["kind"] == READY:
            self._bad_starts = 0
        elif message["kind"] == BROKEN:
            raise ModelError(message["reason"]) if message["error"] == "ModelError" else DeepD3Error(message["reason"])
        elif message["kind"] in (COMPUTING, WRITING):
            process.stages[message["job"]] = message["kind"]
            tell(None)
        else:
            event = Event(**message)
            process.peak_mb = max(process.peak_mb, event.rss_mb)
            if event.kind in (DONE, FAILED):
                process.stages.pop(event.job, None)
                process.finished += 1
                if event.error == "MemoryError" and not process.alone:
                    self._alone.append(event.job)
                    event = dataclasses.replace(event, kind=LOST)
            tell(event)

    def _ended(self, process: _Process, tell: Tell) -> None:
        """A process ended by itself: what it was at is tried again, once."""
        if process not in self._processes:
            return
        self._processes.remove(process)
        code = process.wait()
        if not process.has_begun:
            self._bad_starts += 1
            if self._bad_starts >= _MOST_BAD_STARTS:
                raise DeepD3Error(f"The processes of the batch end before they begin ({_way_of_ending(code)}); try "
                                  f"fewer workers. Their last words: {process.last_words() or 'none'}.")
        suspects = [number for number, stage in process.stages.items() if stage == COMPUTING] or list(process.stages)
        for number in process.stages:
            self._losses[number] = self._losses.get(number, 0) + (number in suspects)
            reason = f"its process was {_way_of_ending(code)}{process.size()}"
            words = process.last_words()
            if self._losses[number] > 1 or (process.alone and number in suspects):
                tell(Event(FAILED, number, process.number, reason=reason, error="WorkerLost", trace=words))
                continue
            tell(Event(LOST, number, process.number, reason=reason, error="WorkerLost", trace=words))
            if number in suspects:
                self._alone.append(number)
            else:
                self._pending.appendleft(number)

    def _retire(self, process: _Process) -> None:
        self._processes.remove(process)
        process.end()

    def _retire_all(self) -> None:
        for process in list(self._processes):
            self._retire(process)

    def _stop_all(self) -> None:
        """Let the processes stop at their next step, also in the middle of writing."""
        processes, self._processes = self._processes, []
        for process in processes:
            process.send(STOP if process.stages else END)
        until = time.monotonic() + _SECONDS_TO_STOP
        for process in processes:
            process.end(max(0.0, until - time.monotonic()))


class _Process:
    """One process, with what it was given and has not answered."""

    def __init__(self, number: int, command: Sequence[str], environment: Mapping[str, str], hello: Mapping[str, Any],
                 events: queue.Queue[tuple[_Process, Any]], alone: bool) -> None:
        self.number, self.alone = number, alone
        self.stages: dict[int, str] = {}
        self.finished, self.peak_mb = 0, 0
        self.has_begun = False
        self._words: deque[str] = deque(maxlen=_LAST_LINES)
        # A session of its own: an interrupt at the terminal is for the batch, which decides what it means.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, env=dict(environment),
                                         start_new_session=sys.platform != "win32")
        self.pid = self._process.pid
        self._listener = threading.Thread(target=self._listen, args=(events,), daemon=True)
        self._listener.start()
        threading.Thread(target=self._keep_words, daemon=True).start()
        self.send(hello)

    @property
    def is_computing(self) -> bool:
        """Whether it computes a stack."""
        return COMPUTING in self.stages.values()

    @property
    def is_waiting(self) -> bool:
        """Whether it has a stack that it has not begun to compute."""
        return START in self.stages.values()

    @property
    def is_used_up(self) -> bool:
        """Whether it has done its number of stacks."""
        return self.finished + len(self.stages) >= STACKS_PER_PROCESS

    def give(self, number: int, job: Job) -> None:
        """Let it do a job."""
        self.stages[number] = START
        self.send({"number": number, "job": job.to_dict()})

    def send(self, request: Any) -> None:
        """Write a line; a process that has ended is noticed elsewhere."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def end(self, seconds: float = _SECONDS_TO_STOP) -> None:
        """Wait until it has ended, then end it."""
        self.send(END)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self.wait()

    def wait(self) -> int:
        """Its exit code, when it has ended."""
        code = self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None and (stream is not self._process.stdout or not self._listener.is_alive()):
                    stream.close()
        return code

    def last_words(self) -> str:
        """What it wrote on its error stream last."""
        return "\n".join(self._words)

    def size(self) -> str:
        """The largest memory that it told, in words."""
        return f" (at {self.peak_mb / 1000:.1f} GB)" if self.peak_mb else ""

    def _listen(self, events: queue.Queue[tuple[_Process, Any]]) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with suppress(ValueError):
                message = json.loads(line)
                self.has_begun = self.has_begun or message["kind"] == READY
                events.put((self, message))
        events.put((self, None))

    def _keep_words(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._words.append(line.decode(errors="replace").rstrip())
        self._process.stderr.close()


def _way_of_ending(code: int) -> str:
    if code in (-9, 137):
        return "killed by the operating system, probably because memory ran out"
    if code < 0:
        return f"ended by signal {-code}"
    return f"ended with exit code {code}"
