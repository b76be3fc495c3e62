"""Tables, pages and notes over all stacks of a folder of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from deepd3_ij.atomic import replacing_together
from deepd3_ij.batch.collecting import StackResult, collect
from deepd3_ij.batch.crate import CRATE, write_crate
from deepd3_ij.batch.overview_page import OVERVIEW, write_overview
from deepd3_ij.batch.run_file import SUMMARY_STEM
from deepd3_ij.batch.tables import ENDINGS, STACKS_CSV, write_all, write_stacks
from deepd3_ij.errors import StackError
from deepd3_ij.notes import note
from deepd3_ij.outputs.ledger import Ledger


def write_summary(folder: Path, *, overwrite: bool = False, provenance: bool = True) -> list[Path]:
    """Write what tells of all stacks that have results, or failed, below a folder.

    Parameters
    ----------
    folder
        Folder of the results of a batch.
    overwrite
        Replace such files that somebody changed, too; else they are kept, with a note.
    provenance
        Write ``ro-crate-metadata.json``, too.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    StackError
        There is no result.
    OutputError
        A file cannot be written.
    """
    results = collect(folder)
    if not results:
        raise StackError(f"{folder} holds no results of a batch; give the folder OUT of deepd3-ij batch IN OUT.")
    writers: dict[str, Callable[[Path], None]] = {
        STACKS_CSV: lambda path: write_stacks(path, results),
        **{name: partial(_write_all, results, ending) for name, ending in ENDINGS.items()},
        OVERVIEW: lambda path: write_overview(path, results, folder)}
    if provenance:
        writers[CRATE] = lambda path: write_crate(path, results, folder)
    ledger = Ledger(folder, SUMMARY_STEM, overwrite)
    kept = [] if overwrite else ledger.changed(writers)
    for name in kept:
        note(f"{folder / name} was changed or made by somebody and is kept; move it away to get a new one.")
    with replacing_together(folder, ledger.approve) as place:
        for name, write in writers.items():
            if name not in kept:
                write(place / name)
    return [folder / name for name in writers if name not in kept]


def _write_all(results: Sequence[StackResult], ending: str, path: Path) -> None:
    write_all(path, results, ending)
