"""Several simulated stacks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.scene_files import SCENE_ENDINGS, write_scene
from deepd3_ij.parameters import SeriesParameters, SimulationParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.simulation import SimulatedScene, simulate


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
