"""The verbs of the windows in which training data are arranged and looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij.errors import DeepD3Error, OutputError
from deepd3_ij.progress import Progress
from deepd3_ij.service.annotation_verbs import training_file
from deepd3_ij.service.exchange import Reply, describe_image, shown_pixels
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


@verb("read_training_metadata")
def read_training_metadata(progress: Progress, *, path: str) -> Reply:
    """Metadata of each stack of a d3data or d3set file, as texts; which of them can be changed."""
    from deepd3_ij.files.d3data import CHANGEABLE
    from deepd3_ij.training.dataset import read_training_data

    progress(0, 1, "Reading training data")
    stacks = read_training_data(path)
    progress(1, 1, "Reading training data")
    return Reply({"stacks": [_texts(data.meta) for data in stacks],
                  "changeable": list(CHANGEABLE) if Path(path).suffix.lower() == ".d3data" else []})


@verb("check_training_metadata")
def check_training_metadata(progress: Progress, *, name: str, value: str) -> Reply:
    """Check a new value of the metadata; gives it as it will be shown."""
    from deepd3_ij.files.d3data import checked_change

    return Reply({"value": _texts({name: checked_change(name, value.strip())})[name]})


@verb("save_training_metadata")
def save_training_metadata(progress: Progress, *, path: str, names: list[str], values: list[str]) -> Reply:
    """Change metadata of a d3data file; gives all of them."""
    from deepd3_ij.files.d3data import read_d3data
    from deepd3_ij.training.dataset import set_meta

    progress(0, 1, "Writing training data")
    set_meta(path, dict(zip(names, values, strict=True)))
    progress(1, 1, "Writing training data")
    return Reply({"stacks": [_texts(read_d3data(path).meta)]})


@verb("open_training_data")
def open_training_data(progress: Progress, *, path: str, number: int = 0) -> Reply:
    """A stack of a d3data or d3set file (0-based) and its masks."""
    from deepd3_ij.stack import label_stack
    from deepd3_ij.training.dataset import read_training_data

    progress(0, 1, "Reading training data")
    data = read_training_data(path)[number]
    progress(1, 1, "Reading training data")
    pixels, signed = shown_pixels(data.stack)
    labelled = label_stack(pixels, xy_um=data.xy_um, z_um=data.z_um, source=Path(path).name)
    return Reply({"image": describe_image(labelled), "signed": signed},
                 {"stack": pixels, **{name: mask.astype(np.uint8) * np.uint8(255) for name, mask in (
                     ("dendrite", data.dendrite), ("spine", data.spines))}})


def _texts(meta: Mapping[str, Any]) -> dict[str, str]:
    """Metadata as a table shows them and takes them back."""
    return {name: str(value).lower() if isinstance(value, bool | np.bool_) else str(value)
            for name, value in meta.items()}
