"""What a folder of results holds, stack by stack, from the notes beside the results."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij.atomic import RECORDS
from deepd3_ij.batch.records import FAILED_SUFFIX, RUN, read_record
from deepd3_ij.measurement.spacing import density_interval
from deepd3_ij.outputs.ledger import DONE_SUFFIX

SPINES, DENDRITES = "_spines.csv", "_dendrites.csv"
UNREADABLE = (OSError, ValueError, csv.Error)
"""How reading a table fails that somebody damaged or saved as something else."""


@dataclass(frozen=True)
class StackResult:
    """What became of a stack.

    Attributes
    ----------
    name
        Path of its file below the folder of the stacks, with ``/``.
    folder, stem
        Where its results are.
    record
        The done-record; empty if it failed.
    failure
        The note why it failed; empty if it is done.
    spines, on_dendrite, dendrites, length_um
        Numbers of spines, of those on a dendrite, of dendrites; their length. None if there are no tables.
    """

    name: str
    folder: Path
    stem: str
    record: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] = field(default_factory=dict)
    spines: int | None = None
    on_dendrite: int | None = None
    dendrites: int | None = None
    length_um: float | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the run noted: shape, voxel size, times, memory, warnings."""
        run = self.record.get(RUN)
        return run if isinstance(run, dict) else {}

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        seconds = self.facts.get("seconds")
        return sum(seconds.values()) if isinstance(seconds, dict) and seconds else None

    @property
    def settings_key(self) -> str:
        """The same for stacks that were analyzed by the same version, model and settings."""
        text = json.dumps(self.record.get("settings"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8] if self.record else ""

    def density(self) -> tuple[float, float, float] | None:
        """Spines per µm of dendrite, and the limits of its 95 % interval."""
        if not self.length_um or self.on_dendrite is None:
            return None
        low, high = density_interval(np.array([self.on_dendrite]), np.array([self.length_um]))
        return self.on_dendrite / self.length_um, float(low[0]), float(high[0])


def collect(folder: Path) -> list[StackResult]:
    """All stacks whose results, or notes of failure, lie below a folder, in the order of their names."""
    found: dict[tuple[Path, str], StackResult] = {}
    for place in _folders(folder):
        for record_file in sorted(place.glob(f"*{DONE_SUFFIX}")):
            record = read_record(record_file)
            if all(isinstance(record.get(key), dict) for key in ("settings", "files")):
                stem = record_file.name.removesuffix(DONE_SUFFIX)
                found[place, stem] = _done(folder, place, stem, record)
        for note in sorted((place / RECORDS).glob(f"*{FAILED_SUFFIX}")):
            failure, stem = read_record(note), note.name.removesuffix(FAILED_SUFFIX)
            name = _name(folder, place, failure.get("source", stem))
            found[place, stem] = StackResult(name, place, stem, failure={"reason": "unknown", "error": "", **failure})
    return sorted(found.values(), key=lambda result: result.name)


def _folders(top: Path) -> Iterator[Path]:
    """The folder and all below it that are not hidden."""
    for place, names, _ in os.walk(top):
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield Path(place)


def _name(top: Path, place: Path, source: Any) -> str:
    return (place.relative_to(top) / Path(str(source)).name).as_posix()


def _done(top: Path, place: Path, stem: str, record: Mapping[str, Any]) -> StackResult:
    counts: dict[str, Any] = {}
    with suppress(*UNREADABLE, KeyError):
        owners = [row["dendrite_id"] for row in rows_of(place / f"{stem}{SPINES}")]
        counts.update(spines=len(owners), on_dendrite=sum(1 for owner in owners if float(owner or 0) > 0))
    with suppress(*UNREADABLE, KeyError):
        lengths = [float(row["length_um"] or "nan") for row in rows_of(place / f"{stem}{DENDRITES}")]
        counts.update(dendrites=len(lengths), length_um=math.fsum(filter(math.isfinite, lengths)))
    return StackResult(_name(top, place, record.get("source", stem)), place, stem, record, **counts)


def rows_of(file: Path) -> Iterator[dict[str, str]]:
    """Rows of a table that this package wrote, one after the other; it fails with one of :data:`UNREADABLE`."""
    with file.open(encoding="utf-8", newline="") as stream:
        yield from ({str(name): str(value or "") for name, value in row.items()} for row in csv.DictReader(stream))


def columns_of(files: Sequence[Path]) -> list[str]:
    """Columns of some tables: all of them, in the order in which they are met."""
    names: dict[str, None] = {}
    for file in files:
        with suppress(*UNREADABLE), file.open(encoding="utf-8", newline="") as stream:
            names.update(dict.fromkeys(next(csv.reader(stream), [])))
    return list(names)
