"""The stacks of a batch, and where their results go."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.file_identity import identity_of
from deepd3_ij.files.stack_search import PassedOver, search_stacks
from deepd3_ij.outputs.ledger import DONE_SUFFIX
from deepd3_ij.parameters import BatchParameters
from deepd3_ij.stems import stem_of


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
    name
        Path of the file below the folder of the stacks, with ``/``; its name alone if that folder is not known.
    """

    source: Path
    folder: Path
    stem: str
    files: tuple[Path, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", self.files or (self.source,))
        object.__setattr__(self, "name", self.name or self.source.name)

    @property
    def record(self) -> Path:
        """File that is written when all results are there."""
        return self.folder / f"{self.stem}{DONE_SUFFIX}"


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of a batch, for jobs that know nothing of each other.

    Attributes
    ----------
    number, count
        Which part, from 1, of how many.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ParameterError(f"The shard is {self.number}/{self.count}; accepted: K/N with K from 1 to N, e.g. "
                                 "3/40.")

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the batch."""
        return self.count == 1

    def has(self, name: str) -> bool:
        """Whether the stack of a name (:attr:`BatchItem.name`) is in it; the same on every computer, for ever."""
        normal = unicodedata.normalize("NFC", name)
        digest = hashlib.sha256(normal.encode(errors="surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


WHOLE_BATCH = Shard()


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
                       stack.files, stack.source.relative_to(top).as_posix()) for stack in stacks]
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
