"""Analysis of all stacks below a folder, which can be stopped and resumed."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepd3_ij.atomic import check_output_folder, check_room, remove_leftovers, replacing
from deepd3_ij.batch_log import BatchLog
from deepd3_ij.errors import Cancelled, DeepD3Error, StackError, one_line
from deepd3_ij.file_identity import content_of, has_content, identity_of, state_of
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.stack_search import PassedOver, search_stacks
from deepd3_ij.outputs.ledger import DONE_SUFFIX, Ledger
from deepd3_ij.outputs.registry import USUAL, endings_of, needed_bytes, write_analysis
from deepd3_ij.parameters import BatchParameters
from deepd3_ij.printing import printable
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stems import stem_of
from deepd3_ij.version import __version__

if TYPE_CHECKING:
    from deepd3_ij.pipeline import Typed


@dataclass(frozen=True)
class BatchItem:
    """A stack of a batch.

    Attributes
    ----------
    source
        The stack's file, the first one if it has several.
    folder, stem
        Where its results go, and the start of their names.
    files
        All files of the stack.
    """

    source: Path
    folder: Path
    stem: str
    files: tuple[Path, ...] = ()

    @property
    def record(self) -> Path:
        """File that is written when all results are there."""
        return self.folder / f"{self.stem}{DONE_SUFFIX}"


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
    """

    done: tuple[BatchItem, ...]
    skipped: tuple[BatchItem, ...]
    failed: tuple[tuple[BatchItem, str], ...]
    kept: tuple[tuple[BatchItem, str], ...] = ()
    passed_over: tuple[PassedOver, ...] = ()
    log: Path | None = None


def find_stacks(source: str | PathLike[str], target: str | PathLike[str], pattern: str = BatchParameters().pattern
                ) -> tuple[list[BatchItem], list[PassedOver]]:
    """List the stacks below a folder, and what was passed over; the results keep the folder tree.

    The folder for the results is not searched, unless it holds the stacks.

    Raises
    ------
    StackError
        The folder is missing, no stack is in it, the pattern leads out of it, or two stacks would get results of
        the same name.
    """
    top, results = Path(source), Path(target).resolve()
    around = results == top.resolve() or results in top.resolve().parents
    stacks, passed = search_stacks(top, pattern, None if around else results)
    if not stacks:
        seen = f"; {len(passed)} other files were seen, the first: {_told(passed)}" if passed else ""
        raise StackError(f"No file below {top} that matches {pattern!r} is a stack (TIFF){seen}.")
    items = [BatchItem(stack.source, results / stack.source.parent.relative_to(top), stem_of(stack.source),
                       stack.files) for stack in stacks]
    same_case = _takes_cases_as_one(top)
    seen_names: dict[str, Path] = {}
    for item in items:
        name = unicodedata.normalize("NFC", str(item.record))
        other = seen_names.setdefault(name.casefold() if same_case else name, item.source)
        if other != item.source:
            raise StackError(f"{other.name} and {item.source.name} would get results of the same name; rename one.")
    return items, passed


def _told(passed: Sequence[PassedOver]) -> str:
    first = next((item for item in passed if item.notable), passed[0])
    return f"{first.path.name} ({first.reason})"


def _takes_cases_as_one(folder: Path) -> bool:
    other = folder.resolve()
    other = other.with_name(other.name.swapcase())
    return other.name != folder.resolve().name and identity_of(other) == identity_of(folder)


@dataclass(frozen=True)
class BatchSettings:
    """What the results of a batch depend on, beside the stacks and the model.

    Attributes
    ----------
    typed
        What the user typed for the steps of the analysis.
    xy_um, z_um
        Voxel size, for files that do not tell it.
    channel, frame
        0-based, for files with several.
    z_range
        First plane and the plane after the last one (0-based).
    outputs
        Kinds of output, of :data:`deepd3_ij.outputs.registry.OUTPUTS`.
    """

    typed: Typed
    xy_um: float | None = None
    z_um: float | None = None
    channel: int | None = None
    frame: int | None = None
    z_range: tuple[int, int] | None = None
    outputs: tuple[str, ...] = USUAL

    def to_dict(self) -> dict[str, object]:
        """Plain values, for the record of what is done."""
        plain = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {**plain, "typed": {cls.__name__: dict(values) for cls, values in self.typed.items()},
                "outputs": list(self.outputs)}


def analyze_folder(
    source: str | PathLike[str],
    target: str | PathLike[str],
    model: str | PathLike[str] | None,
    settings: BatchSettings,
    *,
    pattern: str = BatchParameters().pattern,
    resume: bool = True,
    overwrite: bool = False,
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
    resume
        Skip stacks that were done with the same settings.
    overwrite
        Also redo stacks whose results somebody corrected, and replace files of these names that are not from here.
    progress
        Receives progress; raises ``Cancelled`` to stop.

    Raises
    ------
    StackError
        There are no stacks, or two would get results of the same name.
    ParameterError
        A value is not accepted; no stack was touched.
    OutputError
        The folder for the results cannot be written.
    """
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import analyze, check_typed

    items, passed = find_stacks(source, target, pattern)
    check_typed(settings.typed)
    progress(0, len(items), "Loading the model")
    loaded = load_model(model)
    log = BatchLog(check_output_folder(target))
    log.begin(f"{source} to {target}, {len(items)} stacks", [f"{item.path}: {item.reason}" for item in passed])
    inputs = [loaded.path, *(path for item in items for path in item.files)]

    def work(item: BatchItem, report: Progress) -> list[Path]:
        ledger = Ledger(item.folder, item.stem, overwrite)
        ledger.check(endings_of(settings.outputs), inputs)
        before = state_of(item.files)
        stack = open_stack(item.source, xy_um=settings.xy_um, z_um=settings.z_um, channel=settings.channel,
                           frame=settings.frame)
        check_room(item.folder, needed_bytes(stack, settings.outputs))
        analysis = analyze(stack, loaded, settings.typed, z_range=settings.z_range, progress=report)
        _check_unchanged(item, before)
        return write_analysis(analysis, item.folder, item.stem, settings.outputs, ledger=ledger, progress=report)

    depends_on = {"version": __version__, "model_sha256": loaded.sha256, **settings.to_dict()}
    result = run_batch(items, work, depends_on, resume=resume, overwrite=overwrite, log=log, progress=progress)
    if log.is_needed:
        log.add(summary_of(result))
    return dataclasses.replace(result, passed_over=tuple(passed), log=log.file if log.is_needed else None)


def summary_of(result: BatchResult) -> str:
    """One line: how many stacks were done, skipped, kept and failed."""
    kept = f", {len(result.kept)} kept" if result.kept else ""
    return f"{len(result.done)} done, {len(result.skipped)} done before{kept}, {len(result.failed)} failed"


def run_batch(
    items: Sequence[BatchItem],
    work: Callable[[BatchItem, Progress], Iterable[Path]],
    settings: dict[str, object],
    *,
    resume: bool = True,
    overwrite: bool = False,
    log: BatchLog | None = None,
    progress: Progress = no_progress,
) -> BatchResult:
    """Do the work for every stack; one that fails does not stop the others.

    Parameters
    ----------
    items
        Stacks from :func:`find_stacks`.
    work
        Analyzes one stack into its folder and returns the files it wrote.
    settings
        What the results depend on; a stack that was done with other settings, or that has changed since,
        is done again.
    resume
        Skip stacks that are done.
    overwrite
        Also redo stacks whose results somebody corrected.
    log
        Gets the traces of failures.
    progress
        Receives progress over the stacks; raises ``Cancelled`` to stop after the current step.

    Returns
    -------
    BatchResult
    """
    done: list[BatchItem] = []
    skipped: list[BatchItem] = []
    failed: list[tuple[BatchItem, str]] = []
    kept: list[tuple[BatchItem, str]] = []

    def fail(item: BatchItem, reason: str) -> None:
        failed.append((item, printable(reason)))
        if log is not None:
            log.failed(item.source, reason)

    for folder in dict.fromkeys(item.folder for item in items):
        remove_leftovers(folder)
    for number, item in enumerate(items):
        progress(number, len(items), "Stacks")
        try:
            state = _state(item, settings)
            if resume and _is_done(item, state):
                skipped.append(item)
                continue
            corrected = [] if overwrite else _corrected(item)
            if corrected:
                kept.append((item, f"corrected by hand: {', '.join(corrected)}"))
                continue
            check_output_folder(item.folder)
            files = work(item, progress)
            _check_unchanged(item, [(size, modified_ns) for _, size, modified_ns in state["inputs"]])
            _record(item, state, files)
            done.append(item)
        except Cancelled:
            raise
        except DeepD3Error as error:
            fail(item, str(error))
        except Exception as error:  # one damaged stack must not cost a night's batch
            fail(item, f"unexpected {type(error).__name__}: {one_line(error)}")
    progress(len(items), len(items), "Stacks")
    if log is not None:
        log.add(*(f"kept: {item.source}: {reason}" for item, reason in kept))
    return BatchResult(tuple(done), tuple(skipped), tuple(failed), tuple(kept))


def _state(item: BatchItem, settings: dict[str, object]) -> dict[str, Any]:
    """What the results depend on, as it is before the stack is read."""
    files = item.files or (item.source,)
    return {"source": item.source.name, "settings": json.loads(json.dumps(settings)),
            "inputs": [[path.name, *state] for path, state in zip(files, state_of(files), strict=True)]}


def _check_unchanged(item: BatchItem, before: Sequence[tuple[int, int]]) -> None:
    """Check after a stack was read that it is still the same one.

    Raises
    ------
    StackError
        It was replaced, so nobody knows what was read.
    """
    try:
        same = state_of(item.files or (item.source,)) == list(before)
    except OSError:
        same = False
    if not same:
        raise StackError(f"{item.source} was changed while it was analyzed; run the batch again.")


def _is_done(item: BatchItem, state: dict[str, Any]) -> bool:
    record = _read_record(item)
    files = record.pop("files", None)
    return (isinstance(files, dict) and bool(files) and record == state
            and all(has_content(item.folder / Path(name).name, entry) for name, entry in files.items()))


def _corrected(item: BatchItem) -> list[str]:
    """Results that this package wrote and somebody changed."""
    files = _read_record(item).get("files")
    return Ledger(item.folder, item.stem).corrected(files if isinstance(files, dict) else {})


def _read_record(item: BatchItem) -> dict[str, Any]:
    try:
        record = json.loads(item.record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _record(item: BatchItem, state: dict[str, Any], files: Iterable[Path]) -> None:
    """Say which results are there; they are on the disk by now."""
    entries = {path.name: content_of(path) for path in sorted(files)}
    with replacing(item.record) as temporary:
        temporary.write_text(json.dumps({**state, "files": entries}, indent=1), encoding="utf-8")
