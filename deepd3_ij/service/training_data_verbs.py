"""The verbs of the windows in which training data are arranged and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepd3_ij.errors import DeepD3Error, OutputError
from deepd3_ij.progress import Progress
from deepd3_ij.service.annotation_verbs import training_file
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.registry import verb


@verb("summarize_training_data")
def summarize_training_data(progress: Progress, *, paths: list[str]) -> Reply:
    """Tell what d3data files hold, each or why it cannot be read; and all that can be read together."""
    from deepd3_ij.training.summaries import Summary, doubts, summarize, total

    files: list[dict[str, Any]] = []
    readable: list[Summary] = []
    for number, path in enumerate(paths):
        progress(number, len(paths), "Reading training data")
        try:
            found = summarize(path)
        except DeepD3Error as error:
            files.append({"path": path, "problem": str(error)})
            continue
        readable.append(found)
        files.append({"path": path, "problem": None, "shape": list(found.shape), "xy_um": found.xy_um,
                      "z_um": found.z_um, "dendrite_voxels": found.dendrite_voxels, "spine_voxels": found.spine_voxels,
                      "spines": found.spines})
    return Reply({"files": files, "total": total(readable), "doubts": doubts(readable)})


@verb("arrange_training_files")
def arrange_training_files(progress: Progress, *, paths: list[str], out: str, overwrite: bool = False) -> Reply:
    """Arrange d3data files, in the order of the list, to a d3set."""
    from deepd3_ij.training.dataset import arrange_training_data
    from deepd3_ij.training.summaries import total

    target = training_file(out, ".d3set")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists; replace it, or choose another name.")
    summaries = arrange_training_data([Path(path) for path in paths], target, progress=progress)
    return Reply({"file": str(target), "total": total(summaries)})
