"""Runs inputs in a worker process, each with its own time limit; a worker that fails is replaced."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 600


def _processor_seconds(pid: int) -> float | None:
    """Time that the processor has worked for a process; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


class Worker:
    """One process at a time that reads inputs.

    Parameters
    ----------
    seconds
        Time that the processor may work on one input. Waiting for a busy machine does not count, up to twenty times
        as much.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def run(self, inputs: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Give each input (see :mod:`tests.fuzz.worker`) with what came of it; also ``hang`` and ``died``."""
        for line in inputs:
            yield line, self._ask(line)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ask(self, line: str) -> str:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        if not self._answers(process):
            self.close()
            return f"hang beyond {self.seconds:g} s"
        answer = process.stdout.readline().strip()
        if not answer:
            code = process.wait()
            self.close()
            return f"died with code {code}"
        return answer

    def _answers(self, process: subprocess.Popen[str]) -> bool:
        """Wait for an answer as long as the time limit allows."""
        begun, worked = time.monotonic(), _processor_seconds(process.pid)
        while not select.select([process.stdout], [], [], min(self.seconds, 1.0))[0]:
            waited = time.monotonic() - begun
            now = _processor_seconds(process.pid)
            used = waited if worked is None or now is None else now - worked
            if used > self.seconds or waited > 20 * self.seconds:
                return False
        return True

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "1", "DEEPD3_THREADS": "1",
                       "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen([sys.executable, "-m", "tests.fuzz.worker"], cwd=ROOT, env=environment,
                                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], START_SECONDS)[0] \
                or self._process.stdout.readline().strip() != "ready":
            self.close()
            raise RuntimeError("the worker did not start")
        return self._process
