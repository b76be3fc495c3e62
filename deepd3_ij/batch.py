"""Analysis of all stacks below a folder, which can be stopped and resumed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from deepd3_ij.atomic import check_output_folder, replacing
from deepd3_ij.errors import Cancelled, DeepD3Error, StackError, one_line
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.outputs.registry import USUAL, write_analysis
from deepd3_ij.parameters import BatchParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.stems import stem_of
from deepd3_ij.version import __version__

if TYPE_CHECKING:
    from deepd3_ij.pipeline import Typed

DONE_SUFFIX = "_done.json"


@dataclass(frozen=True)
class BatchItem:
    """A stack of a batch.

    Attributes
    ----------
    source
        The stack's file.
    folder, stem
        Where its results go, and the start of their names.
    """

    source: Path
    folder: Path
    stem: str

    @property
    def record(self) -> Path:
        """File that is written when all results are there."""
        return self.folder / f"{self.stem}{DONE_SUFFIX}"


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch: items done now, skipped because they were done before, and failed with reasons."""

    done: tuple[BatchItem, ...]
    skipped: tuple[BatchItem, ...]
    failed: tuple[tuple[BatchItem, str], ...]


def find_stacks(source: str | PathLike[str], target: str | PathLike[str],
                pattern: str = BatchParameters().pattern) -> list[BatchItem]:
    """List the stacks below a folder; the results keep the folder tree.

    Raises
    ------
    StackError
        The folder is missing, nothing in it matches, or two stacks would get results of the same name.
    """
    top, results = Path(source), Path(target).resolve()
    if not top.is_dir():
        raise StackError(f"{top} is no folder; give the folder that holds the stacks.")
    files = sorted(path for path in top.glob(pattern) if path.is_file() and results not in path.resolve().parents)
    if not files:
        raise StackError(f"No file below {top} matches {pattern!r}; give another --pattern.")
    items = [BatchItem(path, results / path.parent.relative_to(top), stem_of(path)) for path in files]
    seen: dict[Path, Path] = {}
    for item in items:
        other = seen.setdefault(item.record, item.source)
        if other != item.source:
            raise StackError(f"{other.name} and {item.source.name} would get results of the same name; rename one.")
    return items


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
        Which files below `source`.
    resume
        Skip stacks that were done with the same settings.
    progress
        Receives progress; raises ``Cancelled`` to stop.

    Raises
    ------
    StackError
        There are no stacks, or two would get results of the same name.
    ParameterError
        A value is not accepted; no stack was touched.
    """
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import analyze, check_typed

    items = find_stacks(source, target, pattern)
    check_typed(settings.typed)
    progress(0, len(items), "Loading the model")
    loaded = load_model(model)

    def work(item: BatchItem, report: Progress) -> list[Path]:
        stack = open_stack(item.source, xy_um=settings.xy_um, z_um=settings.z_um, channel=settings.channel,
                           frame=settings.frame)
        analysis = analyze(stack, loaded, settings.typed, z_range=settings.z_range, progress=report)
        return write_analysis(analysis, item.folder, item.stem, settings.outputs, progress=report)

    depends_on = {"version": __version__, "model_sha256": loaded.sha256, **settings.to_dict()}
    return run_batch(items, work, depends_on, resume=resume, progress=progress)


def run_batch(
    items: Sequence[BatchItem],
    work: Callable[[BatchItem, Progress], Iterable[Path]],
    settings: dict[str, object],
    *,
    resume: bool = True,
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
    progress
        Receives progress over the stacks; raises ``Cancelled`` to stop after the current step.

    Returns
    -------
    BatchResult
    """
    done: list[BatchItem] = []
    skipped: list[BatchItem] = []
    failed: list[tuple[BatchItem, str]] = []
    for number, item in enumerate(items):
        progress(number, len(items), "Stacks")
        if resume and _is_done(item, settings):
            skipped.append(item)
            continue
        try:
            check_output_folder(item.folder)
            files = work(item, progress)
            _record(item, settings, files)
            done.append(item)
        except Cancelled:
            raise
        except DeepD3Error as error:
            failed.append((item, str(error)))
        except Exception as error:  # one damaged stack must not cost a night's batch
            failed.append((item, f"unexpected {type(error).__name__}: {one_line(error)}"))
    progress(len(items), len(items), "Stacks")
    return BatchResult(tuple(done), tuple(skipped), tuple(failed))


def _state(item: BatchItem, settings: dict[str, object]) -> dict[str, object]:
    status = item.source.stat()
    return {"source": item.source.name, "bytes": status.st_size, "modified_ns": status.st_mtime_ns,
            "settings": json.loads(json.dumps(settings))}


def _is_done(item: BatchItem, settings: dict[str, object]) -> bool:
    try:
        record = json.loads(item.record.read_text())
        files = [item.folder / Path(name).name for name in record.pop("files")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return record == _state(item, settings) and all(path.exists() for path in files)


def _record(item: BatchItem, settings: dict[str, object], files: Iterable[Path]) -> None:
    text = json.dumps({**_state(item, settings), "files": sorted(path.name for path in files)}, indent=1)
    with replacing(item.record) as temporary:
        temporary.write_text(text)
