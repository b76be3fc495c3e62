"""Prediction straight into files, so that neither stack nor maps need fit into memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import xarray as xr

from deepd3_ij.files.hdf5 import write_prediction
from deepd3_ij.files.tiff import ROLE, open_stack_for_writing, write_prediction_maps
from deepd3_ij.model.loading import DeepD3Model
from deepd3_ij.parameters import PredictionParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation import predict


def predict_to_files(
    stack: xr.DataArray,
    model: DeepD3Model,
    parameters: PredictionParameters,
    folder: Path,
    stem: str,
    *,
    z_range: tuple[int, int] | None = None,
    eight_bit: bool = False,
    progress: Progress = no_progress,
) -> list[Path]:
    """Write ``<stem>_dendrites.tif``, ``<stem>_spines.tif`` and ``<stem>.prediction`` plane by plane.

    Parameters
    ----------
    stack
        Lazy stack, ``(z, y, x)``.
    model, parameters, z_range
        As for :func:`deepd3_ij.predict`.
    folder, stem
        Existing folder and start of the names.
    eight_bit
        TIFFs with 8 bit (0–255) instead of 32.
    progress
        Receives progress.

    Returns
    -------
    list of pathlib.Path
        The files. Those already there are replaced only when all new ones are complete.
    """
    names = [folder / f"{stem}_dendrites.tif", folder / f"{stem}_spines.tif"]
    with _maps(names, stack, folder, hidden=eight_bit) as out:
        prediction = predict(stack, model, parameters, z_range=z_range, progress=progress, out=out)
        if eight_bit:
            names = list(write_prediction_maps(folder, stem, prediction, eight_bit=True))
        target = folder / f"{stem}.prediction"
        write_prediction(target, prediction)
    return [*names, target]


@contextmanager
def _maps(names: list[Path], like: xr.DataArray, folder: Path, *, hidden: bool
          ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Two writable maps on disk: the TIFFs themselves, or temporary ones if the TIFFs get another type."""
    scratch = tempfile.TemporaryDirectory(dir=folder, prefix=".maps-") if hidden else nullcontext(str(folder))
    with scratch as place:
        paths = [Path(place) / name.name for name in names]
        with (open_stack_for_writing(paths[0], like, display_range=(0, 1), properties={ROLE: "dendrite"}) as dendrite,
              open_stack_for_writing(paths[1], like, display_range=(0, 1), properties={ROLE: "spine"}) as spine):
            yield dendrite, spine
