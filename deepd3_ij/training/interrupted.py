"""Find a training that was interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepd3_ij.errors import FileFormatError
from deepd3_ij.file_identity import sha256_of
from deepd3_ij.training.fitting import read_history


@dataclass(frozen=True)
class InterruptedTraining:
    """A training that has a checkpoint and no model of it yet.

    ``step`` of ``steps`` batches are kept; ``parameters`` are those that it was begun with; ``same_data`` is false if
    it cannot go on with the data that were named.
    """

    step: int
    steps: int
    parameters: dict[str, Any]
    same_data: bool


def find_interrupted(out: Path, training: Path, validation: Path | None, *, started: bool
                     ) -> InterruptedTraining | None:
    """Find what an interrupted training of a model has left.

    Parameters
    ----------
    out
        The model file that was to be made (``.keras``).
    training, validation
        The data with which it shall go on.
    started
        Whether it shall have begun with the weights of a model.

    Returns
    -------
    InterruptedTraining or None
        None if there is no checkpoint, it cannot be read, or the model was made of it already.
    """
    checkpoint = out.with_name(f"{out.stem}_training") / "checkpoint.npz"
    if not checkpoint.is_file() or (out.is_file() and out.stat().st_mtime_ns > checkpoint.stat().st_mtime_ns):
        return None
    try:
        history = read_history(checkpoint)
    except FileFormatError:
        return None
    used = history.get("data")
    same = (isinstance(used, dict) and used.get("training_sha256") == sha256_of(training)
            and used.get("validation_sha256") == (sha256_of(validation) if validation else None)
            and ("start_sha256" in used) == started)
    steps = history["parameters"].get("steps")
    return InterruptedTraining(history["step"], steps if isinstance(steps, int) else history["step"],
                               history["parameters"], same)
