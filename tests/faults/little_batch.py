"""A batch that writes real files the real way, of stacks too small to take time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij.batch import BatchItem, BatchResult, find_stacks, run_batch
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import Results, endings_of, write_outputs
from deepd3_ij.progress import Progress
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack

KINDS = ("roi_map", "roi_zip", "centroids", "roi_folder")


def make_stack(folder: Path, name: str = "a.tif", value: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_stack(folder / name, label_stack(np.full((2, 16, 16), value, np.uint8), xy_um=0.1, z_um=0.5))
    return folder / name


def run_little_batch(source: Path, target: Path, setting: str, **options: Any) -> BatchResult:
    """Analyze all stacks; every result depends on the setting."""
    def work(item: BatchItem, progress: Progress) -> Iterable[Path]:
        ledger = Ledger(item.folder, item.stem, bool(options.get("overwrite")))
        ledger.check(endings_of(KINDS), item.files)
        labels = np.zeros((2, 16, 16), np.int32)
        labels[0, 2:5 + len(setting), 2:5] = 1
        rois = RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5), dimensions=3, provenance={"setting": setting})
        return write_outputs(Results(rois=rois), item.folder, item.stem, KINDS, ledger=ledger, progress=progress)

    return run_batch(find_stacks(source, target)[0], work, {"setting": setting}, **options)


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of the files that a user sees, by name; records and logs left out."""
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name.as_posix(): hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names
            if not name.name.endswith("_done.json") and not any(part.startswith(".") for part in name.parts)}


def leftovers(folder: Path) -> list[str]:
    """Hidden folders of unfinished results."""
    return [path.name for path in folder.rglob(".results-*")]
