"""Runs inputs in a worker process, each with its own time limit; a worker that fails is replaced."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 600


class Worker:
    """One process at a time that reads inputs.

    Parameters
    ----------
    seconds
        Time limit of one input.
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
        if not select.select([process.stdout], [], [], self.seconds)[0]:
            self.close()
            return f"hang beyond {self.seconds:g} s"
        answer = process.stdout.readline().strip()
        if not answer:
            code = process.wait()
            self.close()
            return f"died with code {code}"
        return answer

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
