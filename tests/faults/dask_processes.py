"""A Dask cluster of processes of this computer."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler and workers of this computer; its file, and the scheduler's process."""
    file = folder / "scheduler.json"
    processes = [subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
         "--no-dashboard", "--scheduler-file", str(file)], stderr=subprocess.DEVNULL)]
    try:
        while not file.exists():
            assert processes[0].poll() is None
            time.sleep(0.05)
        processes += [subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1",
             "--no-nanny", "--no-dashboard", "--local-directory", str(folder)],
            stderr=subprocess.DEVNULL) for _ in range(workers)]
        yield str(file), processes[0]
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
