"""A worker that writes small files, and meets with what the test wants; it imports little, so that it starts at once.

``faults`` in the first line: by the stem of a stack, what happens when it is computed. A fault that leaves a mark in
the folder ``marks`` happens only once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from deepd3_ij.atomic import replacing_together
from deepd3_ij.batch import worker
from deepd3_ij.batch.jobs import Job
from deepd3_ij.batch.pool import WorkerPool
from deepd3_ij.errors import ModelError, StackError
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.progress import Progress
from tests.faults.children import at_call, at_rename, kill, write_calls

ENDINGS = ("_spines.csv", "_dendrites.csv")


COMMAND = (sys.executable, "-m", "tests.faults.little_worker")


def little_pool(workers: int, command: Sequence[str] = COMMAND, **hello: Any) -> WorkerPool:
    """Processes that do this work, and meet these faults."""
    return WorkerPool(hello, workers, workers, command)


class PlainWork:
    """Writes tables that depend on the stack and the setting."""

    def read(self, job: Job, facts: dict[str, Any]) -> bytes:
        Ledger(job.item.folder, job.item.stem, job.overwrite).check(ENDINGS, job.item.files)
        facts["shape"] = [2, 16, 16]
        return job.item.source.read_bytes()

    def compute(self, job: Job, stack: bytes, progress: Progress) -> str:
        progress(0, 1, "Predicting")
        return f"{job.settings['setting']},{len(stack)}"

    def write(self, job: Job, result: str, progress: Progress) -> list[Path]:
        item = job.item
        with replacing_together(item.folder, Ledger(item.folder, item.stem, job.overwrite).approve) as folder:
            for ending in ENDINGS:
                (folder / f"{item.stem}{ending}").write_text(f"id,length_um\n{result}\n")
        return [item.folder / f"{item.stem}{ending}" for ending in ENDINGS]


@dataclass
class FaultyWork(PlainWork):
    """Does what the first line says."""

    hello: dict[str, Any]

    def compute(self, job: Job, stack: bytes, progress: Progress) -> str:
        fault = self.hello.get("faults", {}).get(job.item.stem, "")
        result = super().compute(job, stack, progress)
        if fault == "raise":
            raise StackError(f"{job.item.source.name} is damaged")
        if fault == "memory":
            raise MemoryError("no room")
        if fault == "killed" or (fault == "killed once" and self._marked(job.item.stem)):
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "exit":
            print("some last words", file=sys.stderr, flush=True)
            os._exit(7)
        if fault == "deleted":
            job.item.source.unlink()
        if fault == "replaced":
            job.item.source.write_bytes(bytes(len(stack)))
        while fault == "wait":
            progress(0, 1, "Waiting")
            time.sleep(0.01)
        return result

    def _marked(self, stem: str) -> bool:
        """Whether this process is the first one that meets the fault."""
        try:
            (Path(self.hello["marks"]) / stem).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def make_work(hello: dict[str, Any]) -> FaultyWork:
    if hello.get("broken"):
        raise ModelError("the model is broken")
    if hello.get("dies"):
        os._exit(3)
    if "rename" in hello and FaultyWork(hello)._marked("rename"):
        at_rename(hello["rename"], partial(_noted_kill, hello), after=bool(hello.get("after")))()
    if "call" in hello and FaultyWork(hello)._marked("call"):
        at_call(hello["call"], partial(_noted_kill, hello))()
    if "calls" in hello:
        write_calls(Path(hello["calls"]))
    return FaultyWork(hello)


def was_killed(marks: Path) -> bool:
    """Whether a worker met the rename or call at which it was to be killed."""
    return (marks / "killed").exists()


def _noted_kill(hello: dict[str, Any]) -> None:
    (Path(hello["marks"]) / "killed").touch()
    kill()


if __name__ == "__main__":
    worker.main(make_work)
