"""One large stack on a Dask cluster: what is done slab by slab is done by its workers, a task each.

Volumes lie in files that all computers see, and so do runs and voxels on their way between a task and this process:
the scheduler hears of paths and numbers alone. What a step needs from all slabs, such as the pieces of dendrite, is put
together in this process between two rounds of tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij.batch.dask_client import (
    as_they_end,
    check_versions,
    compute_here,
    connected,
    memory_of_task,
    result_of,
)
from deepd3_ij.errors import DeepD3Error, OutputError, one_line
from deepd3_ij.memory import slab_bytes_within
from deepd3_ij.slab_tasks import Arrays, BandWork, Cutting, done_on_planes, sharing_slabs
from deepd3_ij.slabs import Band, Workspace, working_in

_RETRIES = 2
_TASKS_PER_WORKER = 4
"""So many that a slow worker does not keep the others waiting for long."""
_HALOS_PER_SLAB = 4
"""A slab is at least so many times as high as the planes that it reads beside its own, on one side."""


class ClusterSlabs:
    """Slabs of one stack as tasks of a Dask cluster.

    Parameters
    ----------
    client
        Of the scheduler.
    address
        Of the scheduler, for messages.
    folder
        Existing folder that the workers see under the same path, for what tasks are given and make.
    memory_bytes
        Memory that each worker keeps to; None for what is usual where it runs.
    """

    def __init__(self, client: Any, address: str, folder: Path, memory_bytes: int | None) -> None:
        self._client, self._address, self.folder, self.memory_bytes = client, address, folder, memory_bytes
        self._workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
        self._numbers = count()

    def heights(self, planes: tuple[int, int], multiple: int = 1, halo: int = 0) -> list[tuple[int, int]]:
        """First plane of each task, and the one after its last, for a step that reads a halo on both sides.

        All workers get equally many tasks of about the same height, a multiple of a number of planes.
        """
        first, end = planes
        share = -(-(end - first) // self._workers)
        tasks = min(_TASKS_PER_WORKER, share // max(1, _HALOS_PER_SLAB * halo)) or 1
        height = multiple * -(-share // (tasks * multiple))
        return [(begin, min(begin + height, end)) for begin in range(first, end, height)]

    def each(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], sizes: Sequence[int],
             done: Callable[[int], Any]) -> list[Any]:
        """Call a function of a module with each of some arguments, on the workers.

        Parameters
        ----------
        function
            Gives something small and plain.
        arguments
            What it gets each time.
        sizes
            How much of the work each is.
        done
            Called now and then with the size of what is done; may raise ``Cancelled``, which ends the tasks.

        Returns
        -------
        list
            What it gave, in order.

        Raises
        ------
        DeepD3Error
            The scheduler vanished, or a task failed again and again.
        """
        number_of = {self._client.submit(function, *given, retries=_RETRIES, pure=False): number
                     for number, given in enumerate(arguments)}
        made: list[Any] = [None] * len(number_of)
        finished = 0
        with closing(as_they_end(self._client, self._address, number_of, kept=False)) as ended:
            for future in ended:
                if future is not None:
                    try:
                        made[number_of[future]] = result_of(self._client, self._address, future, kept=False)
                    except Exception as error:
                        if isinstance(error, DeepD3Error):
                            raise
                        raise DeepD3Error(f"The cluster gave up a slab of the stack ({one_line(error, 200)})."
                                          ) from error
                    finished += sizes[number_of[future]]
                done(finished)
        return made

    def run(self, work: BandWork, cutting: Cutting, done: Callable[[int], Any], runs: Arrays | None = None
            ) -> Iterator[tuple[Band, Arrays]]:
        """Do the work of a step; see :meth:`deepd3_ij.slab_tasks.SlabTasks.run`."""
        depth, height, _ = cutting.shape
        slabs = [Band(first, last, 0, height, cutting.shape) for first, last in
                 self.heights((0, depth), halo=cutting.halo)]
        files = [(self._new_file(), self._new_file()) for _ in slabs]
        try:
            for slab, (given, _) in zip(slabs, files, strict=True):
                if runs is not None:
                    own = slice(*np.searchsorted(runs[0], (slab.first_row, slab.end_row)))
                    _write(given, tuple(part[own] for part in runs))
            self.each(run_slab, [(work, cutting, slab, str(given), str(made), self.memory_bytes)
                                 for slab, (given, made) in zip(slabs, files, strict=True)],
                      [slab.last - slab.first for slab in slabs], done)
            for slab, (_, made) in zip(slabs, files, strict=True):
                yield slab, _read(made)
        finally:
            for path in (path for pair in files for path in pair):
                path.unlink(missing_ok=True)

    def _new_file(self) -> Path:
        """A file for a task, which makes none itself: one that ends late must not leave anything behind."""
        path = self.folder / f"arrays{next(self._numbers)}"
        path.touch()
        return path


@contextmanager
def slabs_on_cluster(address: str, folder: Path, memory_bytes: int | None) -> Iterator[ClusterSlabs]:
    """Let the workers of a Dask scheduler do what steps in the block do slab by slab.

    Parameters
    ----------
    address
        Address of the scheduler, or its file (JSON).
    folder
        Existing folder, named from the root on, that the workers see under the same path; volumes lie there, too.
    memory_bytes
        Memory that each worker keeps to; None for what is usual where it runs.

    Raises
    ------
    DeepD3Error
        The scheduler cannot be reached or vanished, the workers have other versions, or a slab failed again and again.
    """
    with connected(address) as client:
        check_versions(client)
        slabs = ClusterSlabs(client, address, folder, memory_bytes)
        with sharing_slabs(slabs):
            yield slabs


def run_slab(work: BandWork, cutting: Cutting, slab: Band, given: str, made: str, memory_bytes: int | None) -> None:
    """What a worker does: the work on a slab, in bands that fit its memory."""
    compute_here()
    runs = _read(Path(given)) or None
    with working_in(Workspace(slab_bytes_within(memory_of_task(memory_bytes), cutting.shape))):
        _write(Path(made), done_on_planes(work, cutting, (slab.first, slab.last), runs))


def _write(path: Path, arrays: Arrays) -> None:
    """Store arrays in an existing file; a task that is run twice writes the same again."""
    try:
        with path.open("r+b") as stream:
            for array in arrays:
                np.save(stream, array, allow_pickle=False)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be written ({one_line(error)}); free space, or give another folder "
                          "for the results.") from error


def _read(path: Path) -> Arrays:
    """Arrays of a file, as many as there are."""
    arrays = []
    with path.open("rb") as stream:
        while stream.peek(1):
            arrays.append(np.load(stream, allow_pickle=False))
    return tuple(arrays)
