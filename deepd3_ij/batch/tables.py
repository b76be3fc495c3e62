"""Tables over all stacks of a batch, written row by row."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepd3_ij.batch.collecting import DENDRITES, SPINES, UNREADABLE, StackResult, columns_of, rows_of
from deepd3_ij.errors import one_line
from deepd3_ij.notes import note

STACKS_CSV, ALL_SPINES_CSV, ALL_DENDRITES_CSV = "stacks.csv", "all_spines.csv", "all_dendrites.csv"
ENDINGS = {ALL_SPINES_CSV: SPINES, ALL_DENDRITES_CSV: DENDRITES}
"""Tables of all rows of the stacks' own tables, and the ends of those tables' names."""

STACK_COLUMNS: Mapping[str, str] = {
    "stack": "path of its file below the folder of the stacks",
    "state": "done or failed",
    "reason": "why it failed",
    "error": "kind of failure",
    "planes": "size of the stack", "height_px": "size of the stack", "width_px": "size of the stack",
    "dtype": "pixel type",
    "z_um": "distance of planes", "xy_um": "size of a pixel",
    "voxel_size_from": "where the voxel size comes from",
    "spines": "number of spines", "spines_on_dendrites": "number of spines on a dendrite",
    "dendrites": "number of dendrites", "length_um": "length of all dendrites",
    "density_per_um": "spines on dendrites per µm of their length",
    "density_low_per_um": "lower limit of it, 95 % interval of the count", "density_high_per_um": "upper limit of it",
    "saturated_fraction": "share of voxels at the end of the pixel type's range",
    "warnings": "what is doubtful",
    "settings": "the same text for stacks of the same version, model and settings",
    "began": "when its analysis began (UTC)", "ended": "when it ended",
    "read_s": "time for reading", "compute_s": "time for the analysis", "write_s": "time for writing",
    "peak_rss_mb": "largest memory of its process (MB)", "host": "computer",
}
"""Columns of the table of stacks, with their meanings."""


def stack_row(result: StackResult) -> dict[str, Any]:
    """A stack's row of the table of stacks; None where there is nothing."""
    facts = result.facts
    shape = facts.get("shape") or [None, None, None]
    seconds = facts.get("seconds") or {}
    density = result.density() or (None, None, None)
    return {
        "stack": result.name, "state": "failed" if result.failure else "done",
        "reason": result.failure.get("reason"), "error": result.failure.get("error"),
        "planes": shape[0], "height_px": shape[1], "width_px": shape[2], "dtype": facts.get("dtype"),
        "z_um": facts.get("z_um"), "xy_um": facts.get("xy_um"), "voxel_size_from": facts.get("voxel_size_from"),
        "spines": result.spines, "spines_on_dendrites": result.on_dendrite, "dendrites": result.dendrites,
        "length_um": result.length_um, "density_per_um": density[0], "density_low_per_um": density[1],
        "density_high_per_um": density[2], "saturated_fraction": facts.get("saturated_fraction"),
        "warnings": " | ".join(facts.get("warnings", ())), "settings": result.settings_key,
        "began": facts.get("began"), "ended": facts.get("ended"), "read_s": seconds.get("read"),
        "compute_s": seconds.get("compute"), "write_s": seconds.get("write"), "peak_rss_mb": facts.get("peak_rss_mb"),
        "host": facts.get("host")}


def write_stacks(path: Path, results: Sequence[StackResult]) -> None:
    """Write the table of stacks."""
    _write(path, list(STACK_COLUMNS), map(stack_row, results))


def write_all(path: Path, results: Sequence[StackResult], ending: str) -> None:
    """Write all rows of the stacks' tables of one kind, after the name of their stack, as they stand there."""
    files = [(result.name, result.folder / f"{result.stem}{ending}") for result in results if not result.failure]
    columns = columns_of([file for _, file in files])
    _write(path, ["stack", *columns], _all_rows(files))


def _all_rows(files: Sequence[tuple[str, Path]]) -> Iterator[dict[str, Any]]:
    for name, file in files:
        try:
            for row in rows_of(file):
                yield {"stack": name, **row}
        except FileNotFoundError:  # tables were not asked for
            continue
        except UNREADABLE as error:
            note(f"{file} cannot be read to its end ({one_line(error, 120)}); the table of all stacks lacks the rest.")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([text_of(row.get(name)) for name in columns])


def text_of(value: Any) -> str:
    """A value as tables show it."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return f"{value:.7g}" if isinstance(value, float) else str(value)
