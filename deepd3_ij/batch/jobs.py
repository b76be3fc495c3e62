"""What goes between who hands stacks out and who analyzes them, as plain values that JSON holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from deepd3_ij.batch.items import BatchItem


@dataclass(frozen=True)
class Job:
    """A stack to be analyzed.

    Attributes
    ----------
    item
        The stack.
    settings
        What its results depend on, plain: for :class:`deepd3_ij.batch.settings.BatchSettings`, and whatever else the
        done-record is to hold.
    overwrite
        Replace results that somebody changed, too.
    voxels
        About how many it has, to tell the time that is left.
    """

    item: BatchItem
    settings: Mapping[str, Any]
    overwrite: bool = False
    voxels: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        item = self.item
        return {"source": str(item.source), "folder": str(item.folder), "stem": item.stem, "name": item.name,
                "files": [str(path) for path in item.files], "settings": dict(self.settings),
                "overwrite": self.overwrite, "voxels": self.voxels}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Job:
        """A job from what :meth:`to_dict` gave."""
        item = BatchItem(Path(plain["source"]), Path(plain["folder"]), plain["stem"],
                         tuple(Path(path) for path in plain["files"]), plain["name"])
        return cls(item, plain["settings"], plain["overwrite"], plain["voxels"])


START, STEP, DONE, FAILED, LOST = "start", "step", "done", "failed", "lost"
"""Kinds of events: a stack was begun, is under way, has its results, failed, or lost its process and is tried again."""


@dataclass(frozen=True)
class Event:
    """What happened to a stack.

    Attributes
    ----------
    kind
        One of the kinds above.
    job
        Its number in the list of jobs.
    worker
        Who works on it, from 1; 0 if nobody here knows.
    step, done, total
        Step of the analysis, and how far it is.
    rss_mb
        Memory of the worker in MB (10⁶ bytes), 0 if it is not known.
    report
        Of a stack that is done: plain figures, see :mod:`deepd3_ij.batch.stages`.
    reason, error, trace
        Of one that failed or was lost: a sentence, the exception's class, its trace.
    """

    kind: str
    job: int
    worker: int = 1
    step: str = ""
    done: int = 0
    total: int = 0
    rss_mb: int = 0
    report: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    error: str = ""
    trace: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what says nothing is left out."""
        return {name: value for name, value in asdict(self).items() if value or name == "job"}


Tell: TypeAlias = Callable[[Event | None], None]
"""Receives every event, and None when nothing happened for about a second; raises to stop the work."""


class Executor(Protocol):
    """Analyzes stacks, one after the other or at the same time."""

    def run(self, jobs: Sequence[Job], tell: Tell) -> None:
        """Analyze all; each one ends with an event that it is done or failed."""
