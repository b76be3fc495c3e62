"""Notes beside the results: which stack is done, with which settings, and why one failed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepd3_ij.atomic import RECORDS, check_output_folder, remove_durably, replacing
from deepd3_ij.batch.items import BatchItem
from deepd3_ij.errors import StackError
from deepd3_ij.file_identity import content_of, has_content, state_of
from deepd3_ij.outputs.ledger import Ledger

FAILED_SUFFIX = ".failed"
"""End of the name of the note why a stack failed, in the hidden folder beside the results."""

RUN = "run"
"""Key of a done-record for what does not count when two runs are compared: times, memory, warnings."""

_ENDS_BYTES = 1 << 20
_LARGEST_BYTES = 100_000_000


def input_states(item: BatchItem) -> list[list[Any]]:
    """Name, size, time of the last change, and SHA-256 of the first and last MiB of every file of a stack.

    A folder counts as its files: SHA-256 of their names and sizes.

    Raises
    ------
    OSError
        A file is gone or cannot be read.
    """
    return [[path.name, *state, _sha256_of_ends(path)]
            for path, state in zip(item.files, state_of(item.files), strict=True)]


def _sha256_of_ends(path: Path) -> str:
    """Times of changes lie on some network folders; both ends of a file are read fast everywhere."""
    digest = hashlib.sha256()
    if path.is_dir():
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()} {file.stat().st_size}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        digest.update(stream.read(_ENDS_BYTES))
        size = stream.seek(0, 2)
        stream.seek(max(_ENDS_BYTES, size - _ENDS_BYTES))
        digest.update(stream.read())
    return digest.hexdigest()


def state_of_item(item: BatchItem, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the results depend on, as it is before the stack is read."""
    return {"source": item.source.name, "settings": json.loads(json.dumps(settings)), "inputs": input_states(item)}


def check_unchanged(item: BatchItem, inputs: Sequence[Sequence[Any]]) -> None:
    """Check after a stack was read that it is still the same one.

    Raises
    ------
    StackError
        It was replaced, so nobody knows what was read.
    """
    try:
        same = [list(state) for state in inputs] == input_states(item)
    except OSError:
        same = False
    if not same:
        raise StackError(f"{item.source} was changed while it was analyzed; run the batch again.")


def is_done(item: BatchItem, state: Mapping[str, Any]) -> bool:
    """Whether all results are there and were made of this state."""
    record = read_record(item.record)
    files = record.pop("files", None)
    record.pop(RUN, None)
    return (isinstance(files, dict) and bool(files) and record == state
            and all(has_content(item.folder / Path(name).name, entry) for name, entry in files.items()))


def corrected(item: BatchItem) -> list[str]:
    """Results that this package wrote and somebody changed."""
    files = read_record(item.record).get("files")
    return Ledger(item.folder, item.stem).corrected(files if isinstance(files, dict) else {})


def read_record(path: Path) -> dict[str, Any]:
    """A note; an empty one if it cannot be read."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            return {}
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def write_done(item: BatchItem, state: Mapping[str, Any], files: Iterable[Path], report: Mapping[str, Any]) -> None:
    """Say which results are there; they are on the disk by now."""
    entries = {path.name: content_of(path) for path in sorted(files)}
    with replacing(item.record) as temporary:
        temporary.write_text(json.dumps({**state, "files": entries, RUN: report}, indent=1), encoding="utf-8")
    forget_failure(item)


def failure_file(item: BatchItem) -> Path:
    """Where it is noted why a stack failed."""
    return item.folder / RECORDS / f"{item.stem}{FAILED_SUFFIX}"


def write_failure(item: BatchItem, values: Mapping[str, Any]) -> None:
    """Note why a stack failed.

    Raises
    ------
    OutputError
        The note cannot be written.
    """
    file = failure_file(item)
    check_output_folder(file.parent)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps({"source": item.source.name, **values}, indent=1), encoding="utf-8")


def forget_failure(item: BatchItem) -> None:
    """A stack that is done has not failed."""
    if failure_file(item).exists():
        remove_durably(failure_file(item))
