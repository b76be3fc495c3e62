"""Runs of a batch: what is to be done, who does it, what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepd3_ij.atomic import check_output_folder, remove_leftovers
from deepd3_ij.batch.board import Board, Watch, as_progress
from deepd3_ij.batch.event_log import EventLog
from deepd3_ij.batch.items import WHOLE_BATCH, BatchItem, Shard, find_stacks
from deepd3_ij.batch.jobs import DONE, FAILED, LOST, START, STEP, Event, Executor, Job, Tell
from deepd3_ij.batch.lock import RunLock
from deepd3_ij.batch.overrides import Overrides, read_override_table
from deepd3_ij.batch.pool import WorkerPool
from deepd3_ij.batch.records import corrected, forget_failure, is_done, state_of_item, write_failure
from deepd3_ij.batch.run_file import RunFile, write_run_file
from deepd3_ij.batch.settings import BatchSettings
from deepd3_ij.batch.stages import AnalysisWork, Stack, StackWork, failure_event, process_stack
from deepd3_ij.batch.text_log import TextLog
from deepd3_ij.batch.worker import MEMORY
from deepd3_ij.errors import Cancelled, DeepD3Error, OutputError
from deepd3_ij.file_identity import identity_of, refuse_identities
from deepd3_ij.files.stack_search import PassedOver
from deepd3_ij.outputs.registry import endings_of
from deepd3_ij.parallel import available_threads
from deepd3_ij.parameters import BatchParameters
from deepd3_ij.printing import printable
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.version import __version__

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch.

    Attributes
    ----------
    done, skipped
        Stacks that were done now, and that were done before.
    failed
        Stacks that failed, with reasons.
    kept
        Stacks that were not done again because somebody corrected their results, with the files.
    passed_over
        What else was found, and why it was not analyzed.
    log
        File with all of this and the traces of failures; None if there is nothing to tell, or it cannot be written.
    summary
        Tables and pages over all stacks, as far as they were written.
    """

    done: tuple[BatchItem, ...]
    skipped: tuple[BatchItem, ...]
    failed: tuple[tuple[BatchItem, str], ...]
    kept: tuple[tuple[BatchItem, str], ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    log: Path | None = None
    summary: tuple[Path, ...] = ()


@dataclass(frozen=True)
class RunOptions:
    """How a batch is run; none of it changes a result.

    Attributes
    ----------
    workers
        Processes side by side; 0 for this process alone.
    shard
        Which part of the stacks.
    scheduler
        Address of a Dask scheduler, which takes the place of own processes; empty for none.
    take_over
        Begin although another run seems to work in the folder of results.
    provenance
        Write ``ro-crate-metadata.json``.
    memory_bytes
        Memory that all processes together keep to, or each worker of a cluster; None for what is usual on this
        computer, or where the worker runs.
    """

    workers: int = 1
    shard: Shard = WHOLE_BATCH
    scheduler: str = ""
    take_over: bool = False
    provenance: bool = True
    memory_bytes: int | None = None


def analyze_folder(
    source: str | PathLike[str],
    target: str | PathLike[str],
    model: str | PathLike[str] | None,
    settings: BatchSettings,
    *,
    pattern: str = BatchParameters().pattern,
    table: str | PathLike[str] | None = None,
    resume: bool = True,
    overwrite: bool = False,
    options: RunOptions | None = None,
    progress: Progress = no_progress,
) -> BatchResult:
    """Analyze all stacks below a folder; one that fails does not stop the others.

    Parameters
    ----------
    source, target
        Folder with stacks and folder for results, which keep the folder tree.
    model
        Name or file of a model; the default model if None.
    settings
        How the stacks are read and analyzed.
    pattern
        Which files below `source`; by default every file that is a stack.
    table
        CSV table with settings of single stacks.
    resume
        Skip stacks that were done with the same settings.
    overwrite
        Also redo stacks whose results somebody corrected, and replace files of these names that are not from here.
    options
        Processes, shards, clusters.
    progress
        Receives progress over all stacks; raises ``Cancelled`` to stop.

    Raises
    ------
    StackError
        There are no stacks, or two would get results of the same name.
    ParameterError
        A value is not accepted; no stack was touched.
    OutputError
        The folder for the results cannot be written, or another run works there.
    """
    overrides = Overrides(by_name=read_override_table(table) if table else ())
    run = RunFile(Path(source), Path(target), pattern, None if model is None else str(model), settings, overrides)
    return analyze_run(run, resume=resume, overwrite=overwrite, options=options, watch=as_progress(progress))


def analyze_run(run: RunFile, *, resume: bool = True, overwrite: bool = False, options: RunOptions | None = None,
                watch: Watch = lambda board, event: None) -> BatchResult:
    """Analyze what a file of a run names; as :func:`analyze_folder`, for who shows what every worker does.

    Parameters
    ----------
    run
        What is done; source and target are given.
    resume, overwrite, options
        As in :func:`analyze_folder`.
    watch
        Receives the board of the batch after every event; raises ``Cancelled`` to stop.
    """
    from deepd3_ij.batch.summary import write_summary
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import check_typed

    assert run.source is not None
    assert run.target is not None
    how = options or RunOptions()
    items, passed = find_stacks(run.source, run.target, run.pattern)
    check_typed(run.settings.typed)
    chosen = run.overrides.of_items(items, run.settings)
    mine = [item for item in items if how.shard.has(item.name)]
    loaded = load_model(run.model)
    executor = _executor(loaded, how, len(mine))
    folder = check_output_folder(run.target)
    inputs = {identity: path for path in (loaded.path, *(path for item in items for path in item.files))
              if (identity := identity_of(path))}

    def settings_of(item: BatchItem) -> dict[str, Any]:
        own = chosen[item.name]
        refuse_identities([item.folder / f"{item.stem}{ending}" for ending in endings_of(own.outputs)], inputs)
        return {"version": __version__, "model_sha256": loaded.sha256, "analysis": own.to_dict()}

    with ExitStack() as stack:
        lock = RunLock(folder, how.shard, take_over=how.take_over,
                       children=lambda: list(getattr(executor, "process_ids", ())))
        stack.callback(lock.release)
        write_run_file(run, loaded, overwrite=overwrite)
        log, events = TextLog(folder), EventLog(folder, lock.run, how.shard)
        stack.callback(events.close)
        log.begin(f"{run.source} to {run.target}, {len(mine)} stacks",
                  [f"{item.path}: {item.reason}" for item in passed])
        events.begin({"version": __version__, "source": printable(run.source), "stacks": len(mine),
                      "model_sha256": loaded.sha256, "workers": how.workers})
        result = run_batch(mine, executor, settings_of, resume=resume, overwrite=overwrite, log=log, events=events,
                           watch=watch, keep_alive=lock.renew)
        if log.is_needed:
            log.add(summary_of(result))
        summary = write_summary(folder, overwrite=overwrite, provenance=how.provenance) if how.shard.is_whole else []
        events.end({"done": len(result.done), "before": len(result.skipped), "failed": len(result.failed)})
    return dataclasses.replace(result, passed_over=tuple(passed), log=log.file if log.is_needed else None,
                               summary=tuple(summary))


def _executor(model: DeepD3Model, how: RunOptions, stacks: int) -> Executor:
    if how.scheduler:
        from deepd3_ij.batch.cluster import DaskCluster

        return DaskCluster.with_model(how.scheduler, model, how.memory_bytes)
    if how.workers == 0:
        return InThisProcess(AnalysisWork(model, how.memory_bytes))
    hello = {"model": str(model.path), "model_sha256": model.sha256, MEMORY: how.memory_bytes}
    return WorkerPool(hello, max(1, min(how.workers, stacks)), available_threads())


@dataclass(frozen=True)
class InThisProcess:
    """Analyzes one stack after the other in this process.

    Attributes
    ----------
    work
        What is done with each.
    """

    work: StackWork

    def run(self, jobs: Sequence[Job], tell: Tell) -> None:
        """Analyze all."""
        for number, job in enumerate(jobs):
            stack = Stack(number, job)
            tell(Event(START, number))
            try:
                report = process_stack(stack, self.work, _steps_of(number, tell))
            except Cancelled:
                raise
            except Exception as error:  # one damaged stack must not cost a night's batch
                tell(failure_event(number, error))
            else:
                tell(Event(DONE, number, report=report))


def _steps_of(number: int, tell: Tell) -> Progress:
    def progress(done: int, total: int, message: str, /) -> None:
        tell(Event(STEP, number, step=message, done=done, total=total))

    return progress


def summary_of(result: BatchResult) -> str:
    """One line: how many stacks were done, skipped, kept and failed."""
    kept = f", {len(result.kept)} kept" if result.kept else ""
    return f"{len(result.done)} done, {len(result.skipped)} done before{kept}, {len(result.failed)} failed"


def run_batch(
    items: Sequence[BatchItem],
    executor: Executor,
    settings_of: Callable[[BatchItem], Mapping[str, Any]],
    *,
    resume: bool = True,
    overwrite: bool = False,
    log: TextLog | None = None,
    events: EventLog | None = None,
    watch: Watch = lambda board, event: None,
    keep_alive: Callable[[], None] = lambda: None,
) -> BatchResult:
    """Analyze stacks; one that fails does not stop the others.

    Parameters
    ----------
    items
        Stacks from :func:`find_stacks`.
    executor
        Analyzes those that are to be done.
    settings_of
        What the results of a stack depend on; one that was done with other settings, or that has changed since, is
        done again.
    resume
        Skip stacks that are done.
    overwrite
        Also redo stacks whose results somebody corrected.
    log, events
        Get what happens: traces of failures, and all events.
    watch
        Receives what every worker does; raises ``Cancelled`` to stop after the current steps.
    keep_alive
        Called now and then.

    Returns
    -------
    BatchResult
    """
    for folder in dict.fromkeys(item.folder for item in items):
        remove_leftovers(folder)
    plan = _planned(items, settings_of, resume, overwrite, keep_alive)
    run = _Run(plan.jobs, log, events, watch, keep_alive)
    for item, event in plan.failed:
        run.note_failure(item, event)
    if plan.jobs:
        watch(run.board, None)
        try:
            executor.run(plan.jobs, run.tell)
        finally:
            for folder in dict.fromkeys(job.item.folder for job in plan.jobs):
                remove_leftovers(folder)
    watch(run.board, None)
    if log is not None:
        log.add(*(f"kept: {item.source}: {reason}" for item, reason in plan.kept))
    failed = [(item, event.reason) for item, event in plan.failed]
    failed += [(plan.jobs[number].item, run.failed[number]) for number in sorted(run.failed)]
    return BatchResult(tuple(plan.jobs[number].item for number in sorted(run.done)), tuple(plan.skipped),
                       tuple(failed), tuple(plan.kept))


@dataclass
class _Plan:
    """What is to be done, and what is not, with reasons."""

    jobs: list[Job] = field(default_factory=list)
    skipped: list[BatchItem] = field(default_factory=list)
    kept: list[tuple[BatchItem, str]] = field(default_factory=list)
    failed: list[tuple[BatchItem, Event]] = field(default_factory=list)


def _planned(items: Sequence[BatchItem], settings_of: Callable[[BatchItem], Mapping[str, Any]], resume: bool,
             overwrite: bool, keep_alive: Callable[[], None]) -> _Plan:
    plan = _Plan()
    for item in items:
        keep_alive()  # all results of earlier runs are read here, which can take longer than a run may be silent
        try:
            settings = settings_of(item)
            if resume and is_done(item, state_of_item(item, settings)):
                forget_failure(item)
                plan.skipped.append(item)
            elif not overwrite and (changed := corrected(item)):
                plan.kept.append((item, f"corrected by hand: {', '.join(changed)}"))
            else:
                plan.jobs.append(Job(item, settings, overwrite, about_voxels(item)))
        except (DeepD3Error, OSError) as error:
            plan.failed.append((item, failure_event(0, error)))
    return plan


class _Run:
    """Takes events in and hands them on."""

    def __init__(self, jobs: Sequence[Job], log: TextLog | None, events: EventLog | None, watch: Watch,
                 keep_alive: Callable[[], None]) -> None:
        self._jobs, self._log, self._events, self._watch, self._keep_alive = jobs, log, events, watch, keep_alive
        self.board = Board(jobs)
        self.done: list[int] = []
        self.failed: dict[int, str] = {}

    def tell(self, event: Event | None) -> None:
        """Take an event in."""
        self._keep_alive()
        if event is not None:
            self.board.see(event)
            if self._events is not None:
                self._events.event(event, self._jobs)
            item = self._jobs[event.job].item
            if event.kind == DONE:
                self.done.append(event.job)
            elif event.kind == FAILED:
                self.failed[event.job] = printable(event.reason)
                self.note_failure(item, event)
            elif event.kind == LOST and self._log is not None:
                self._log.add(f"tried again: {item.source}: {event.reason}")
        self._watch(self.board, event)

    def note_failure(self, item: BatchItem, event: Event) -> None:
        """Log a failure, and leave a note beside the results."""
        if self._log is not None:
            self._log.failed(item.source, event.reason, event.trace)
        with suppress(OutputError):  # a full disk; the reason is told all the same
            write_failure(item, {"reason": event.reason, "error": event.error, "trace": event.trace})


def about_voxels(item: BatchItem) -> int:
    """About how many voxels a stack has: from its header, else from its size."""
    from deepd3_ij.files.image_reader import look_into

    with suppress(DeepD3Error):
        content = look_into(item.source)
        count = 1
        for axis, size in zip(content.axes, content.sizes, strict=True):
            count *= 1 if axis in "CST" else size
        return count
    with suppress(OSError):
        return max(1, sum(path.stat().st_size for path in item.files) // 2)
    return 1
