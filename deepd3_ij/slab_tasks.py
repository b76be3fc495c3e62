"""Work on a volume slab by slab: in this process, or shared among other processes.

A step of an analysis says what is done with a band of a volume, and reads and writes the rest of it through sources and
sinks. Where that happens is set for a block of code, so that there is one implementation of every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from deepd3_ij.slabs import Band, Shape, bands

Arrays: TypeAlias = tuple[np.ndarray, ...]
BandWork: TypeAlias = Callable[..., Arrays]
"""Work on a band, given the band and, if runs were handed in, these as further arguments; it gives arrays or, if it
only writes to a sink, an empty tuple. Other processes get it, so it is a function of a module or a ``partial`` of one.
Arrays of bands that follow each other, joined, are those of one larger band."""


@dataclass(frozen=True)
class Cutting:
    """How a volume may be cut for a step.

    Attributes
    ----------
    shape
        Planes, rows and columns.
    copies
        4-byte copies of a slab that the step holds.
    halo, halo_rows
        Planes and rows on all sides that it reads beside those that it works on.
    """

    shape: Shape
    copies: float
    halo: int = 0
    halo_rows: int = 0

    def bands(self, planes: tuple[int, int] | None = None) -> list[Band]:
        """The bands of some planes (all if None), as high as the workspace lets them be."""
        return bands(self.shape, self.copies, self.halo, self.halo_rows, planes)


class SlabTasks(Protocol):
    """Does the work of a step on all of a volume."""

    def run(self, work: BandWork, cutting: Cutting, done: Callable[[int], Any], runs: Arrays | None = None
            ) -> Iterator[tuple[Band, Arrays]]:
        """Do the work, part by part.

        Parameters
        ----------
        work
            What is done with each band.
        cutting
            How the volume may be cut.
        done
            Called with the number of planes that are done; may raise ``Cancelled``.
        runs
            Runs in raster order that the work needs, their rows first; it gets those of its band at least.

        Yields
        ------
        tuple
            Each part, in raster order, and what the work made of it. The work is complete at the end of the iteration.
        """


class InThisProcess:
    """One band after the other, each when it is asked for, and done when the next one is."""

    def run(self, work: BandWork, cutting: Cutting, done: Callable[[int], Any], runs: Arrays | None = None
            ) -> Iterator[tuple[Band, Arrays]]:
        """Do the work, band by band."""
        for band in cutting.bands():
            yield band, work(band, *(runs or ()))
            done(band.last)


def done_on_planes(work: BandWork, cutting: Cutting, planes: tuple[int, int], runs: Arrays | None = None) -> Arrays:
    """Do the work on some planes in this process; gives the arrays of their bands, joined."""
    parts = [work(band, *(runs or ())) for band in cutting.bands(planes)]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


_TASKS: ContextVar[SlabTasks] = ContextVar("deepd3_ij_slab_tasks")
_HERE = InThisProcess()


@contextmanager
def sharing_slabs(tasks: SlabTasks) -> Iterator[None]:
    """Let all steps in the block hand their slabs to these tasks."""
    token = _TASKS.set(tasks)
    try:
        yield
    finally:
        _TASKS.reset(token)


def map_bands(work: BandWork, cutting: Cutting, done: Callable[[int], Any], runs: Arrays | None = None
              ) -> Iterator[tuple[Band, Arrays]]:
    """Do the work of a step where the block of code wants it done; see :meth:`SlabTasks.run`."""
    return _TASKS.get(_HERE).run(work, cutting, done, runs)


def write_bands(work: BandWork, cutting: Cutting, done: Callable[[int], Any], runs: Arrays | None = None) -> None:
    """Do the work of a step that only writes; see :func:`map_bands`."""
    for _ in map_bands(work, cutting, done, runs):
        pass
