"""Several simulated stacks, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deepd3_ij.outputs.scene_files import write_scene
from deepd3_ij.parameters import SeriesParameters, SimulationParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.simulation import SimulatedScene, simulate


def simulate_series(
    parameters: SimulationParameters,
    series: SeriesParameters,
    folder: Path | None = None,
    *,
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
    progress
        Called before the first stack and after each.

    Yields
    ------
    SimulatedScene, list of pathlib.Path
        A scene and its files.
    """
    for number in range(series.count):
        progress(number, series.count, "Simulating")
        seed = series.seed + number
        scene = simulate(parameters, seed)
        yield scene, [] if folder is None else write_scene(scene, folder, f"simulated_{seed:04d}")
    progress(series.count, series.count, "Simulating")
