"""The verb that follows spines over time; what measures is loaded when it runs."""

from __future__ import annotations

from deepd3_ij.parameters import (
    FileVoxelParameters,
    ModelParameters,
    OverwriteParameters,
    SeriesFilesParameters,
    TimelapseParameters,
)
from deepd3_ij.progress import Progress
from deepd3_ij.service.dialogs import Section, add_dialog
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.registry import NOTHING_CHOSEN, Choices, verb


@verb("follow_spines")
def follow_spines(progress: Progress, *, source: str, target: str, times: str | None = None, model: str | None = None,
                  xy_um: float | None = None, z_um: float | None = None, choices: Choices = NOTHING_CHOSEN,
                  overwrite: bool = False) -> Reply:
    """Follow the spines of several time points, write all files, and tell what to show.

    As :func:`deepd3_ij.service.following.follow_spines`.
    """
    from deepd3_ij.service import following

    return following.follow_spines(progress, source=source, target=target, times=times, model=model, xy_um=xy_um,
                                   z_um=z_um, choices=choices, overwrite=overwrite)


add_dialog("Follow Spines...", Section(SeriesFilesParameters), Section(ModelParameters),
           Section(TimelapseParameters, essential=("registration", "gap")), Section(OverwriteParameters),
           Section(FileVoxelParameters, "Reading the stacks", ()))
