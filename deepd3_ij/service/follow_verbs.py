"""The dialog of Follow Spines…"""

from __future__ import annotations

from dataclasses import dataclass

from deepd3_ij.parameters import (
    DialogParameters,
    FileVoxelParameters,
    ModelParameters,
    OverwriteParameters,
    TimelapseParameters,
    parameter,
)
from deepd3_ij.service.dialogs import Section, add_dialog


@dataclass(frozen=True)
class FollowedFilesParameters(DialogParameters):
    """Files of a series of time points."""

    files: str | None = parameter(None, "Stacks or finished analyses (.prediction) in the order of time, or one table "
                                  "(CSV) with the columns file and time; empty: those of an earlier series, whose "
                                  "results are in the folder.", path="files", label="Time points")
    times: str | None = parameter(None, "Days of the time points with commas between, for example 0,4,9; empty: 0, 1, "
                                  "2, …", label="Days")
    folder: str = parameter("", "Folder for the results, also those of each stack.", path="folder",
                            label="Folder for results")


add_dialog("Follow Spines...", Section(FollowedFilesParameters), Section(ModelParameters), Section(OverwriteParameters),
           Section(TimelapseParameters, "Following", ()), Section(FileVoxelParameters, "Reading the stacks", ()))
