"""A batch that writes real files the real way, of stacks too small to take time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepd3_ij.batch import BatchResult, find_stacks, run_batch
from deepd3_ij.batch.jobs import Executor, Job
from deepd3_ij.batch.running import InThisProcess
from deepd3_ij.batch.stages import StackWork
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.outputs.registry import Results, endings_of, write_outputs
from deepd3_ij.progress import Progress
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack

KINDS = ("roi_map", "roi_zip", "centroids", "roi_folder")


def make_stack(folder: Path, name: str = "a.tif", value: int = 1) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_stack(folder / name, label_stack(np.full((2, 16, 16), value, np.uint8), xy_um=0.1, z_um=0.5))
    return folder / name


@dataclass
class LittleWork:
    """Every result depends on the setting."""

    def read(self, job: Job, facts: dict[str, Any]) -> Any:
        Ledger(job.item.folder, job.item.stem, job.overwrite).check(endings_of(KINDS), job.item.files)
        facts["shape"] = [2, 16, 16]
        return job.settings["setting"]

    def compute(self, job: Job, stack: Any, progress: Progress) -> Any:
        progress(0, 1, "Predicting")
        labels = np.zeros((2, 16, 16), np.int32)
        labels[0, 2:5 + len(stack), 2:5] = 1
        return RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5), dimensions=3, provenance={"setting": stack})

    def write(self, job: Job, result: Any, progress: Progress) -> list[Path]:
        item = job.item
        return write_outputs(Results(rois=result), item.folder, item.stem, KINDS, progress=progress,
                             ledger=Ledger(item.folder, item.stem, job.overwrite))


def run_little_batch(source: Path, target: Path, setting: str, *, work: StackWork | None = None,
                     executor: Executor | None = None, **options: Any) -> BatchResult:
    """Analyze all stacks, in this process if nothing else is given."""
    return run_batch(find_stacks(source, target)[0], executor or InThisProcess(work or LittleWork()),
                     lambda item: {"setting": setting}, **options)


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of the files that a user sees, by name; records and logs left out."""
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {name.as_posix(): hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names
            if not name.name.endswith("_done.json") and not any(part.startswith(".") for part in name.parts)}


def leftovers(folder: Path) -> list[str]:
    """Hidden folders of unfinished results."""
    return [path.name for path in folder.rglob(".results-*")]
