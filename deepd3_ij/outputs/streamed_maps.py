"""Prediction straight into files, so that neither stack nor maps need fit into memory."""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import xarray as xr

from deepd3_ij.atomic import replacing_together
from deepd3_ij.files.hdf5 import write_prediction
from deepd3_ij.files.ome_zarr_writing import write_ome_zarr
from deepd3_ij.files.tiff import open_stack_for_writing, write_prediction_maps
from deepd3_ij.model.loading import DeepD3Model
from deepd3_ij.names import PROVENANCE, ROLE
from deepd3_ij.outputs.ledger import Ledger
from deepd3_ij.parameters import Choice, PredictionParameters, resolve
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation import predict
from deepd3_ij.segmentation.prediction import prediction_provenance
from deepd3_ij.segmentation.region import Region
from deepd3_ij.slabs import Workspace, working_in, workspace
from deepd3_ij.stack import MAPS, voxel_size_um

_SLAB_BYTES = 8_000_000


def predict_to_files(
    stack: xr.DataArray,
    model: DeepD3Model,
    parameters: Choice[PredictionParameters],
    folder: Path,
    stem: str,
    *,
    z_range: tuple[int, int] | None = None,
    region: Region | None = None,
    eight_bit: bool = False,
    ome_zarr: str = "",
    ledger: Ledger | None = None,
    progress: Progress = no_progress,
) -> list[Path]:
    """Write ``<stem>_dendrites.tif``, ``<stem>_spines.tif`` and ``<stem>.prediction`` plane by plane.

    Parameters
    ----------
    stack
        Lazy stack, ``(z, y, x)``.
    model, parameters, z_range, region
        As for :func:`deepd3_ij.predict`.
    folder, stem
        Existing folder and start of the names.
    eight_bit
        TIFFs with 8 bit (0–255) instead of 32.
    ome_zarr
        Version of OME-Zarr in which ``<stem>.ome.zarr`` is written, too; none if empty.
    ledger
        Notes what is written, and keeps what somebody changed; without it, whatever is there is replaced.
    progress
        Receives progress.

    Returns
    -------
    list of pathlib.Path
        The files. Those already there are replaced only when all new ones are complete.
    """
    resolved = resolve(PredictionParameters, parameters, recommended=model.card.recommended,
                       voxel_size_um=voxel_size_um(stack))
    provenance = json.dumps(prediction_provenance(stack, model, resolved, z_range, region), sort_keys=True)
    approve = None if ledger is None else ledger.approve
    here = workspace()
    if here.slab_bytes is None and here.slab_planes is None:
        here = Workspace(slab_bytes=_SLAB_BYTES)
    with working_in(here), replacing_together(folder, approve) as place:
        # Maps that are to get 8 bit are kept exact until the .prediction file has been made of them.
        exact = place / "exact" if eight_bit else place
        exact.mkdir(exist_ok=True)
        with ExitStack() as open_files:
            dendrite, spine = (open_files.enter_context(open_stack_for_writing(
                exact / f"{stem}_{name}s.tif", stack, display_range=(0, 1),
                properties={ROLE: name, PROVENANCE: provenance})) for name in MAPS)
            prediction = predict(stack, model, resolved, z_range=z_range, region=region, progress=progress,
                                 out=(dendrite, spine))
            if eight_bit:
                write_prediction_maps(place, stem, prediction, eight_bit=True, progress=progress)
            write_prediction(place / f"{stem}.prediction", prediction, progress=progress)
            if ome_zarr:
                write_ome_zarr(folder / f"{stem}.ome.zarr", prediction, origin_um=stack.attrs.get("origin_um"),
                               version=ome_zarr, approve=approve, progress=progress)
        if eight_bit:
            shutil.rmtree(exact)
    names = [f"{stem}_dendrites.tif", f"{stem}_spines.tif", f"{stem}.prediction"]
    return [folder / name for name in (*names, *([f"{stem}.ome.zarr"] if ome_zarr else []))]
