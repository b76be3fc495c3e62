"""One stack of a batch: read, computed, written, noted as done.

The three stages are apart, so that a process can read the next stack and write the last one while it computes.
"""

from __future__ import annotations

import datetime
import math
import platform
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr

from deepd3_ij.atomic import check_output_folder, check_room
from deepd3_ij.batch.jobs import FAILED, Event, Job
from deepd3_ij.batch.records import check_unchanged, state_of_item, write_done
from deepd3_ij.batch.settings import BatchSettings
from deepd3_ij.errors import DeepD3Error, one_line
from deepd3_ij.memory import kept_to, plan
from deepd3_ij.notes import collected_notes
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import endings_of, needed_bytes, write_analysis
from deepd3_ij.parameters import PredictionParameters
from deepd3_ij.printing import printable
from deepd3_ij.progress import Progress
from deepd3_ij.slabs import in_workspace, shape_of

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model

_MOST_WARNINGS = 20
_PACKAGE = str(Path(__file__).parents[1])


class StackWork(Protocol):
    """What is done with each stack. The stages of one stack may run in different threads, one after the other."""

    def read(self, job: Job, facts: dict[str, Any]) -> Any:
        """Read the stack; facts about it go into the table of stacks."""

    def compute(self, job: Job, stack: Any, progress: Progress) -> Any:
        """Analyze it."""

    def write(self, job: Job, result: Any, progress: Progress) -> list[Path]:
        """Write the results; gives their files."""


@dataclass(frozen=True)
class AnalysisWork:
    """The whole analysis with one loaded model.

    Attributes
    ----------
    model
        The model.
    memory_bytes
        Memory to keep to; None for what is usual.
    """

    model: DeepD3Model
    memory_bytes: int | None = None

    def read(self, job: Job, facts: dict[str, Any]) -> Any:
        """Read the stack, after a check that its results can be written."""
        from deepd3_ij.files.image_reader import open_stack
        from deepd3_ij.segmentation.prediction import bytes_of_plane
        from deepd3_ij.stack import voxel_size_um

        settings, item = self._settings(job), job.item
        Ledger(item.folder, item.stem, job.overwrite).check(endings_of(settings.outputs),
                                                            [self.model.path, *item.files])
        stack = open_stack(item.source, xy_um=settings.xy_um, z_um=settings.z_um, channel=settings.channel,
                           frame=settings.frame, lazy=True)
        # The next stack is read while one is computed, so there are two images.
        planned = plan(shape_of(stack), self.memory_bytes, what=str(stack.dtype), image_bytes=2 * stack.dtype.itemsize,
                       predicted=True, output_bytes=needed_bytes(stack, settings.outputs),
                       plane_bytes=bytes_of_plane(stack, self.model, settings.typed.get(PredictionParameters)))
        if not planned.takes_slabs:
            stack = stack.compute()
        check_room(item.folder, needed_bytes(stack, settings.outputs))
        z_um, xy_um, _ = voxel_size_um(stack)
        given = [name for name, value in (("xy", settings.xy_um), ("z", settings.z_um)) if value is not None]
        facts.update(shape=list(stack.shape), dtype=str(stack.dtype), z_um=z_um, xy_um=xy_um,
                     voxel_size_from=f"{' and '.join(given)} given" if given else "file",
                     saturated_fraction=_saturated_fraction(stack))
        return stack, planned

    def compute(self, job: Job, stack: Any, progress: Progress) -> Any:
        """Predict, clean, build ROIs and measure; what is done in slabs is written here, too."""
        from deepd3_ij.pipeline import analyze

        settings = self._settings(job)
        pixels, planned = stack
        if not planned.takes_slabs:
            return analyze(pixels, self.model, settings.typed, z_range=settings.z_range, progress=progress)
        with kept_to(planned, job.item.folder):
            analysis = analyze(in_workspace(pixels, progress), self.model, settings.typed, z_range=settings.z_range,
                               progress=progress)
            return self.write(job, analysis, progress)

    def write(self, job: Job, result: Any, progress: Progress) -> list[Path]:
        """Write what the settings name, unless that was done."""
        if isinstance(result, list):
            return result
        item = job.item
        return write_analysis(result, item.folder, item.stem, self._settings(job).outputs,
                              ledger=Ledger(item.folder, item.stem, job.overwrite), progress=progress)

    @staticmethod
    def _settings(job: Job) -> BatchSettings:
        return BatchSettings.from_dict(job.settings["analysis"])


def _saturated_fraction(stack: xr.DataArray) -> float:
    """Share of voxels at the end of a whole-number type's range; NaN for other types."""
    if stack.dtype.kind not in "iu":
        return float("nan")
    largest = np.iinfo(stack.dtype).max
    saturated = sum(int(np.count_nonzero(np.asarray(plane) == largest)) for plane in stack.variable)
    return saturated / max(1, stack.size)


@dataclass
class Stack:
    """A stack on its way through the stages."""

    number: int
    job: Job
    state: dict[str, Any] = field(default_factory=dict)
    content: Any = None
    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    began: str = ""

    def read(self, work: StackWork) -> None:
        """First stage."""
        self.began = _now()
        with self._stage("read"):
            check_output_folder(self.job.item.folder)
            self.state = state_of_item(self.job.item, self.job.settings)
            self.content = work.read(self.job, self.facts)

    def compute(self, work: StackWork, progress: Progress) -> None:
        """Second stage."""
        with self._stage("compute"):
            self.content = work.compute(self.job, self.content, progress)

    def write(self, work: StackWork, progress: Progress) -> dict[str, Any]:
        """Third stage; gives the report, which is also in the done-record."""
        with self._stage("write"):
            check_unchanged(self.job.item, self.state["inputs"])
            files = work.write(self.job, self.content, progress)
            self.content = None
        check_unchanged(self.job.item, self.state["inputs"])
        report = {**_finite(self.facts), "began": self.began, "ended": _now(),
                  "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
                  "peak_rss_mb": memory_mb(peak=True), "host": platform.node(),
                  "warnings": self.warnings[:_MOST_WARNINGS]}
        write_done(self.job.item, self.state, files, report)
        return report

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        with ExitStack() as stack:
            notes = stack.enter_context(collected_notes())
            told = stack.enter_context(_collected_warnings())
            try:
                yield
            finally:
                self.seconds[name] = time.monotonic() - begin
                self.warnings += [printable(text) for text in (*notes, *told) if text not in self.warnings]

    def failure(self, error: BaseException, worker: int = 1) -> Event:
        """The event that this stack failed."""
        return failure_event(self.number, error, worker)


def failure_event(number: int, error: BaseException, worker: int = 1) -> Event:
    """The event that a stack failed with an exception, which may still be handled."""
    known = isinstance(error, DeepD3Error)
    if isinstance(error, MemoryError):
        reason = f"not enough memory ({one_line(error)})"
    else:
        reason = str(error) if known else f"unexpected {type(error).__name__}: {one_line(error)}"
    trace = "".join(traceback.format_exception(error))
    return Event(FAILED, number, worker, reason=printable(reason), error=type(error).__name__, trace=trace)


def process_stack(stack: Stack, work: StackWork, progress: Progress) -> dict[str, Any]:
    """All stages in a row; gives the report."""
    stack.read(work)
    stack.compute(work, progress)
    return stack.write(work, progress)


def memory_mb(*, peak: bool = False) -> int:
    """Memory of this process in MB (10⁶ bytes), now or at most so far; 0 where the system does not tell."""
    with suppress(OSError, ValueError, StopIteration):
        key = "VmHWM:" if peak else "VmRSS:"
        with open("/proc/self/status", encoding="ascii") as file:
            return int(next(line for line in file if line.startswith(key)).split()[1]) * 1024 // 1_000_000
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 1_000_000


def forget_peak() -> None:
    """Let the highest memory be counted from now on, where the system can."""
    with suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


class _Warnings:
    """Python's warnings of each thread, as far as somebody collects them there."""

    def __init__(self) -> None:
        self.lists: dict[int, list[str]] = {}
        self._shown: Any = None

    def hook(self) -> None:
        """Be asked when a warning is shown."""
        if warnings.showwarning != self.show:
            self._shown = warnings.showwarning
            warnings.showwarning = self.show  # type: ignore[assignment]
            # Of every stack that gives cause for one, not of the first one alone.
            warnings.filterwarnings("always", category=UserWarning, module="deepd3_ij")

    def show(self, message: Warning | str, category: type[Warning], filename: str, lineno: int, *rest: Any) -> None:
        """Keep it, or show it as before."""
        texts = self.lists.get(threading.get_ident())
        if texts is None:
            self._shown(message, category, filename, lineno, *rest)
        elif filename.startswith(_PACKAGE):
            texts.append(" ".join(str(message).split()))


_warnings = _Warnings()


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """This package's warnings in this thread, while the block runs."""
    _warnings.hook()
    texts = _warnings.lists.setdefault(threading.get_ident(), [])
    try:
        yield texts
    finally:
        _warnings.lists.pop(threading.get_ident(), None)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in values.items()}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")

