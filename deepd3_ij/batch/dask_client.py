"""A Dask cluster as this package uses it: reached, and of the same versions everywhere."""

from __future__ import annotations

import platform
import queue
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deepd3_ij.errors import DeepD3Error, one_line
from deepd3_ij.version import __version__

SECONDS_TO_CONNECT = 30
_TICK_SECONDS = 1.0


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of a scheduler, given its address or its file (JSON).

    Raises
    ------
    DeepD3Error
        ``distributed`` is missing, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise DeepD3Error("A Dask cluster needs the package distributed; install it with: pip install "
                          "\"deepd3_ij[cluster]\".") from error
    where = {"scheduler_file": address} if Path(address).suffix == ".json" else {"address": address}
    try:
        client = Client(**where, timeout=SECONDS_TO_CONNECT, set_as_default=False)
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


def check_versions(client: Any) -> None:
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
            client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
        except TimeoutError as error:
            raise DeepD3Error("The cluster has no worker; start some, e.g. with dask worker ADDRESS --nthreads 1."
                              ) from error
        found = client.run(_versions)
    for name, here in _versions().items():
        for worker, there in found.items():
            if there[name] != here:
                raise DeepD3Error(f"The worker {worker} has {name} {there[name]}, and this computer has {here}; "
                                  "install the same version everywhere.")


def as_they_end(client: Any, address: str, futures: Iterable[Any], *, kept: bool = True) -> Generator[Any]:
    """Give futures as they end, and None from time to time; what has not ended when it is closed is cancelled.

    Parameters
    ----------
    client, address
        Of the scheduler.
    futures
        What is waited for.
    kept
        Whether what ended before the scheduler vanished is kept, for the message.

    Raises
    ------
    DeepD3Error
        The scheduler vanished.
    """
    ended: queue.Queue[Any] = queue.Queue()
    pending = set(futures)
    for future in list(pending):
        future.add_done_callback(ended.put)
    try:
        while pending:
            future = None
            with suppress(queue.Empty):
                future = ended.get(timeout=_TICK_SECONDS)
            if client.status != "running":
                raise gone(address, kept=kept)
            pending.discard(future)
            yield future
    finally:
        if client.status == "running":  # else nobody would hear it
            client.cancel(list(pending), force=True)


def result_of(client: Any, address: str, future: Any, *, kept: bool = True) -> Any:
    """What a task gave that has ended.

    Its worker has it, and may be lost before it is asked: then another one does the task again, and that is waited for.

    Raises
    ------
    DeepD3Error
        The scheduler vanished; of its own accord nothing is cancelled before its end.
    Exception
        That of the task; then the status of the future is ``error``.
    """
    while True:
        try:
            return future.result(timeout=SECONDS_TO_CONNECT)
        except (CancelledError, OSError) as error:
            if future.status == "error":
                raise
            if not isinstance(error, TimeoutError) or client.status != "running":
                raise gone(address, kept=kept) from error


def compute_here() -> None:
    """Let this worker read lazy stacks by itself from now on; else that becomes tasks, for which its own task waits."""
    import dask

    dask.config.set(scheduler="threads")


def memory_of_task(of_worker: int | None) -> int | None:
    """What the task that asks may take of the memory given to its worker, which may run several at once; None if none
    was given."""
    from distributed import get_worker

    return None if of_worker is None else of_worker // get_worker().state.nthreads


def gone(address: str, *, kept: bool = True) -> DeepD3Error:
    """The error of a scheduler that has vanished."""
    error = DeepD3Error(f"The Dask scheduler at {address} is gone" + (
        "; what is done is kept. Start it again, and run the same line to go on." if kept else
        ". Start it again, and run the same line."))
    error.exit_code = 130
    return error
