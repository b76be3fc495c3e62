"""Stacks on a Dask cluster: one task a stack, plain values to and fro, files straight to the shared folder."""

from __future__ import annotations

import functools
import json
import platform
import queue
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepd3_ij.batch.jobs import DONE, FAILED, Event, Job, Tell
from deepd3_ij.batch.stages import Stack, StackWork, failure_event, process_stack
from deepd3_ij.errors import DeepD3Error, one_line
from deepd3_ij.progress import no_progress
from deepd3_ij.version import __version__

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model

MakeWork = Callable[[dict[str, Any]], StackWork]

_RETRIES = 2
_TICK_SECONDS = 1.0
_SECONDS_TO_CONNECT = 30
_UNKNOWN = 0
"""Number of a worker that only the scheduler knows."""


class DaskCluster:
    """The workers of a Dask scheduler.

    Parameters
    ----------
    address
        Address of the scheduler, or its file (JSON).
    hello
        What a worker needs to begin: ``model``, ``model_sha256``.
    make_work
        Makes the work of it; a function that the workers can import.
    """

    def __init__(self, address: str, hello: Mapping[str, Any], make_work: MakeWork) -> None:
        self._address, self._hello, self._make_work = address, dict(hello), make_work

    @classmethod
    def with_model(cls, address: str, model: DeepD3Model) -> DaskCluster:
        """A cluster for the whole analysis; its workers find the model under the same path."""
        from deepd3_ij.batch.worker import analysis_work

        return cls(address, {"model": str(model.path), "model_sha256": model.sha256}, analysis_work)

    def run(self, jobs: Sequence[Job], tell: Tell) -> None:
        """Analyze all stacks; a worker that is lost costs its stack a new beginning.

        Raises
        ------
        DeepD3Error
            The scheduler cannot be reached or vanished, ``distributed`` is missing, or the workers have other versions.
        """
        with _client(self._address) as client:
            _check_versions(client)
            run = uuid.uuid4().hex[:8]
            ended: queue.Queue[Any] = queue.Queue()
            number_of = {}
            for number, job in enumerate(jobs):
                future = client.submit(_task, json.dumps(job.to_dict()), number, self._hello, self._make_work,
                                       key=f"deepd3-{run}-{number}", retries=_RETRIES, pure=False)
                future.add_done_callback(ended.put)
                number_of[future] = number
            pending = set(number_of)
            try:
                while pending:
                    future = None
                    with suppress(queue.Empty):
                        future = ended.get(timeout=_TICK_SECONDS)
                    if client.status != "running":
                        raise _gone(self._address)
                    if future is None:
                        tell(None)
                    else:
                        pending.discard(future)
                        tell(self._outcome(number_of[future], future))
            finally:
                if client.status == "running":  # else nobody would hear it
                    client.cancel(list(pending), force=True)

    def _outcome(self, number: int, future: Any) -> Event:
        """The event that a task ended with."""
        if future.status == "finished":
            try:
                return Event(**json.loads(future.result(timeout=_SECONDS_TO_CONNECT)))
            except (OSError, TimeoutError) as error:
                raise _gone(self._address) from error
        if future.status in ("cancelled", "lost"):  # of its own accord a batch cancels nothing before its end
            raise _gone(self._address)
        cause = future.exception(timeout=_SECONDS_TO_CONNECT)
        reason = f"the cluster gave it up ({one_line(cause, 200)})"
        if type(cause).__name__ == "KilledWorker":
            reason = ("the workers that had it ended in the middle, one after the other, probably because memory ran "
                      "out or their time was over")
        return Event(FAILED, number, _UNKNOWN, reason=reason, error=type(cause).__name__)


def _task(job: str, number: int, hello: dict[str, Any], make_work: MakeWork) -> str:
    """What a worker does: one stack. The answer is JSON, so that results stay small and plain."""
    stack = Stack(number, Job.from_dict(json.loads(job)))
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


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise DeepD3Error("A Dask cluster needs the package distributed; install it with: pip install "
                          "\"deepd3_ij[cluster]\".") from error
    where = {"scheduler_file": address} if Path(address).suffix == ".json" else {"address": address}
    try:
        client = Client(**where, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise DeepD3Error(f"No Dask scheduler answers at {address} ({one_line(error, 120)}); give the address that "
                          "dask scheduler prints, e.g. tcp://node1:8786.") from error
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close(timeout=5)


def _versions() -> dict[str, str]:
    """Of this process."""
    import dask
    import distributed
    import numpy as np

    return {"python": platform.python_version().rpartition(".")[0], "deepd3_ij": __version__, "numpy": np.__version__,
            "dask": dask.__version__, "distributed": distributed.__version__}


def _check_versions(client: Any) -> None:
    """Refuse workers that would compute something else.

    Raises
    ------
    DeepD3Error
        There is no worker, one lacks this package, or has other versions.
    """
    try:
        found = client.run(_versions)
    except Exception as error:
        raise DeepD3Error(f"The cluster's workers cannot run deepd3_ij ({one_line(error, 200)}); install the same "
                          "version there.") from error
    if not found:
        try:
            client.wait_for_workers(1, timeout=_SECONDS_TO_CONNECT)
        except TimeoutError as error:
            raise DeepD3Error("The cluster has no worker; start some, e.g. with dask worker ADDRESS --nthreads 1."
                              ) from error
        found = client.run(_versions)
    for name, here in _versions().items():
        for worker, there in found.items():
            if there[name] != here:
                raise DeepD3Error(f"The worker {worker} has {name} {there[name]}, and this computer has {here}; "
                                  "install the same version everywhere.")


def _gone(address: str) -> DeepD3Error:
    error = DeepD3Error(f"The Dask scheduler at {address} is gone; what is done is kept. Start it again, and run the "
                        "same line to go on.")
    error.exit_code = 130
    return error
