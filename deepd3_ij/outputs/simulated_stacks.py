"""Several simulated stacks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from deepd3_ij.atomic import replacing_together
from deepd3_ij.files.tables import write_table
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.scene_files import SCENE_ENDINGS, write_scene
from deepd3_ij.parameters import SeriesParameters, SimulationParameters, TimeSeriesParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.simulation import SimulatedScene, simulate
from deepd3_ij.simulation_series import simulate_timepoints


def simulate_series(
    parameters: SimulationParameters,
    series: SeriesParameters,
    folder: Path | None = None,
    *,
    overwrite: bool = True,
    progress: Progress = no_progress,
) -> Iterator[tuple[SimulatedScene, list[Path]]]:
    """Simulate stacks and, with a folder, write their files as they are made.

    Parameters
    ----------
    parameters
        What the stacks contain and how the microscope shows them.
    series
        First seed and number of stacks.
    folder
        Existing folder for the files of :func:`deepd3_ij.outputs.scene_files.write_scene`, named
        ``simulated_<seed>``; without it, none are written.
    overwrite
        Replace files of these names also if somebody changed them since they were written.
    progress
        Called before the first stack and after each.

    Yields
    ------
    SimulatedScene, list of pathlib.Path
        A scene and its files.

    Raises
    ------
    OutputError
        A file cannot be written, or (without `overwrite`) somebody changed it; told before the first stack.
    """
    ledgers = [] if folder is None else [
        Ledger(folder, f"simulated_{series.seed + number:04d}", overwrite) for number in range(series.count)]
    for ledger in ledgers:
        ledger.check(SCENE_ENDINGS)
    for number in range(series.count):
        progress(number, series.count, "Simulating")
        seed = series.seed + number
        scene = simulate(parameters, seed)
        yield scene, [] if folder is None else write_scene(scene, folder, ledgers[number].stem, ledgers[number])
    progress(series.count, series.count, "Simulating")


TRUTH_ENDINGS = ("_tracks.csv", "_timepoints.csv")


def simulate_time_series(
    parameters: SimulationParameters,
    changes: TimeSeriesParameters,
    seed: int,
    folder: Path,
    *,
    overwrite: bool = True,
    progress: Progress = no_progress,
) -> Iterator[list[Path]]:
    """Simulate one field at several time points and write the files of each as they are made, then the truth.

    Parameters
    ----------
    parameters
        What the field contains and how the microscope shows it.
    changes
        How it changes, and how often it is imaged.
    seed
        The same seed gives the same series.
    folder
        Existing folder. Stacks are named ``simulated_<seed>_t<number>``; ``simulated_<seed>_tracks.csv`` says which
        spine is where at each time point, and ``simulated_<seed>_timepoints.csv`` is a table for
        ``deepd3-ij timelapse``.
    overwrite
        Replace files of these names also if somebody changed them since they were written.
    progress
        Called before the first time point and after each.

    Yields
    ------
    list of pathlib.Path
        The files of each time point, and at the end those of the truth.
    """
    stem = f"simulated_{seed:04d}"
    truth_ledger = Ledger(folder, stem, overwrite)
    truth_ledger.check(TRUTH_ENDINGS)
    ledgers = [Ledger(folder, f"{stem}_t{number + 1}", overwrite) for number in range(changes.sessions)]
    for ledger in ledgers:
        ledger.check(SCENE_ENDINGS)
    progress(0, changes.sessions, "Simulating")
    truth, rows = [], []
    for number, point in enumerate(simulate_timepoints(parameters, changes, seed)):
        files = write_scene(point.scene, folder, ledgers[number].stem, ledgers[number])
        truth.append(point.truth)
        rows.append((files[0].name, point.day))
        progress(number + 1, changes.sessions, "Simulating")
        yield files
    tables = (pd.concat(truth, ignore_index=True), pd.DataFrame(rows, columns=["file", "time"]))
    with replacing_together(folder, truth_ledger.approve) as place:
        for ending, table in zip(TRUTH_ENDINGS, tables, strict=True):
            write_table(place / f"{stem}{ending}", table)
    yield [folder / f"{stem}{ending}" for ending in TRUTH_ENDINGS]
