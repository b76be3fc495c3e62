"""Stacks on a Dask cluster: one task a stack, plain values to and fro, files straight to the shared folder."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from deepd3_ij.batch.dask_client import (
    as_they_end,
    check_versions,
    compute_here,
    connected,
    memory_of_task,
    result_of,
)
from deepd3_ij.batch.jobs import DONE, FAILED, Event, Job, Tell
from deepd3_ij.batch.stages import Stack, StackWork, failure_event, process_stack
from deepd3_ij.batch.worker import MEMORY
from deepd3_ij.errors import one_line
from deepd3_ij.progress import no_progress

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model

MakeWork = Callable[[dict[str, Any]], StackWork]

_RETRIES = 2
_UNKNOWN = 0
"""Number of a worker that only the scheduler knows."""


class DaskCluster:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    address
        Address of the scheduler, or its file (JSON).
    hello
        What a worker needs to begin: ``model``, ``model_sha256``, and the memory that each worker keeps to.
    make_work
        Makes the work of it; a function that the workers can import.
    """

    def __init__(self, address: str, hello: Mapping[str, Any], make_work: MakeWork) -> None:
        self._address, self._hello, self._make_work = address, dict(hello), make_work

    @classmethod
    def with_model(cls, address: str, model: DeepD3Model, memory_bytes: int | None = None) -> DaskCluster:
        """A cluster for the whole analysis; its workers find the model under the same path.

        Each of them keeps to this memory, or, if it is None, to what is usual where it runs.
        """
        from deepd3_ij.batch.worker import analysis_work

        return cls(address, {"model": str(model.path), "model_sha256": model.sha256, MEMORY: memory_bytes},
                   analysis_work)

    def run(self, jobs: Sequence[Job], tell: Tell) -> None:
        """Analyze all stacks; a worker that is lost costs its stack a new beginning.

        Raises
        ------
        DeepD3Error
            The scheduler cannot be reached or vanished, ``distributed`` is missing, or the workers have other versions.
        """
        with connected(self._address) as client:
            check_versions(client)
            run = uuid.uuid4().hex[:8]
            number_of = {}
            for number, job in enumerate(jobs):
                future = client.submit(_task, json.dumps(job.to_dict()), number, self._hello, self._make_work,
                                       key=f"deepd3-{run}-{number}", retries=_RETRIES, pure=False)
                number_of[future] = number
            with closing(as_they_end(client, self._address, number_of)) as ended:
                for future in ended:
                    tell(None if future is None else self._outcome(client, number_of[future], future))

    def _outcome(self, client: Any, number: int, future: Any) -> Event:
        """The event that a task ended with."""
        try:
            return Event(**json.loads(result_of(client, self._address, future)))
        except Exception as error:
            if future.status != "error":
                raise
            cause = error
        reason = f"the cluster gave it up ({one_line(cause, 200)})"
        if type(cause).__name__ == "KilledWorker":
            reason = ("the workers that had it ended in the middle, one after the other, probably because memory ran "
                      "out or their time was over")
        return Event(FAILED, number, _UNKNOWN, reason=reason, error=type(cause).__name__)


def _task(job: str, number: int, hello: dict[str, Any], make_work: MakeWork) -> str:
    """What a worker does: one stack. The answer is JSON, so that results stay small and plain."""
    compute_here()
    stack = Stack(number, Job.from_dict(json.loads(job)))
    hello = {**hello, MEMORY: memory_of_task(hello.get(MEMORY))}
    try:
        report = process_stack(stack, _work(json.dumps(hello), make_work), no_progress)
        event = Event(DONE, number, _UNKNOWN, report=report)
    except Exception as error:
        event = failure_event(number, error, _UNKNOWN)
    return json.dumps(event.to_dict())


@functools.lru_cache(maxsize=1)
def _work(hello: str, make_work: MakeWork) -> StackWork:
    """The model is loaded once by each process."""
    return make_work(json.loads(hello))
