"""A worker that does the work of the little batch, and meets with what the test wants.

``faults`` in the first line: by the stem of a stack, what happens when it is computed. A fault that leaves a mark in
the folder ``marks`` happens only once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepd3_ij.batch import worker
from deepd3_ij.batch.jobs import Job
from deepd3_ij.errors import ModelError, StackError
from deepd3_ij.progress import Progress
from tests.faults.children import at_call, at_rename, kill
from tests.faults.little_batch import LittleWork, make_stack


@dataclass
class FaultyWork(LittleWork):
    """Does what the first line says."""

    hello: dict[str, Any]

    def compute(self, job: Job, stack: Any, progress: Progress) -> Any:
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
            make_stack(job.item.source.parent, job.item.source.name, 9)
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
        at_rename(hello["rename"], kill, after=bool(hello.get("after")))()
    if "call" in hello and FaultyWork(hello)._marked("call"):
        at_call(hello["call"], kill)()
    return FaultyWork(hello)


if __name__ == "__main__":
    worker.main(make_work)
