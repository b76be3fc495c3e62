"""The prediction of one large stack on a Dask cluster: its planes in slabs, a task each, straight into files."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from deepd3_ij.batch.cluster_slabs import ClusterSlabs
from deepd3_ij.batch.dask_client import compute_here, memory_of_task
from deepd3_ij.errors import DeepD3Error
from deepd3_ij.memory import plan
from deepd3_ij.parameters import PredictionParameters, resolve
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation.likeness import tell_unlike
from deepd3_ij.slabs import FileVolume, lazily, shape_of
from deepd3_ij.stack import MAPS, label_prediction, voxel_size_um

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model
    from deepd3_ij.segmentation.prediction import PlaneCounts
    from deepd3_ij.segmentation.region import Region


def predict_on_cluster(
    slabs: ClusterSlabs,
    opening: Mapping[str, Any],
    stack: xr.DataArray,
    model: DeepD3Model,
    typed: Mapping[str, Any],
    *,
    z_range: tuple[int | None, int | None] | None = None,
    region: Region | None = None,
    progress: Progress = no_progress,
) -> xr.Dataset:
    """Predict a stack as :func:`deepd3_ij.predict` does, by the workers of a cluster.

    Parameters
    ----------
    slabs
        The cluster; its folder takes the maps.
    opening
        What :func:`deepd3_ij.open_stack` opens the stack with; the workers find the file under the same path.
    stack, model, typed, z_range, region
        As for :func:`deepd3_ij.predict`.
    progress
        Counts planes.

    Returns
    -------
    xarray.Dataset
        The lazy prediction; its files go with it.

    Raises
    ------
    DeepD3Error
        The scheduler vanished, the memory of a worker is too small, or a slab failed again and again.
    """
    from deepd3_ij.segmentation.prediction import (
        check_stack,
        planes_at_once,
        prediction_provenance,
        skipped_share,
        tell_outliers,
    )

    check_stack(stack)
    resolved = resolve(PredictionParameters, typed, recommended=model.card.recommended,
                       voxel_size_um=voxel_size_um(stack))
    provenance = prediction_provenance(stack, model, resolved, z_range, region)
    begin, end = provenance["z_range"]
    tell_unlike(stack[begin:end], model.card.trained_on)
    dendrite, spine = (FileVolume.new(slabs.folder / name, shape_of(stack), np.dtype(np.float32)) for name in MAPS)
    task = {"opening": dict(opening), "shape": list(stack.shape), "dtype": str(stack.dtype),
            "model": str(model.path), "model_sha256": model.sha256, "resolved": resolved, "region": region,
            "maps": [str(dendrite.path), str(spine.path)], "memory_bytes": slabs.memory_bytes}
    heights = slabs.heights((begin, end), planes_at_once(stack, model, resolved, region))
    counts = slabs.each(predict_slab, [(task, first, last) for first, last in heights],
                        [last - first for first, last in heights],
                        lambda done: progress(done, end - begin, "Predicting on the cluster"))
    tell_outliers({z: count for part in counts for z, count in part.outliers.items()}, stack)
    return label_prediction(lazily(dendrite), lazily(spine), stack, provenance | skipped_share(counts))


def predict_slab(task: Mapping[str, Any], first: int, last: int) -> PlaneCounts:
    """What a worker does: planes ``first:last`` into the files of the maps; gives what is to be told of them."""
    from deepd3_ij.files.image_reader import open_stack
    from deepd3_ij.segmentation.prediction import bytes_of_plane, predict_planes

    compute_here()
    stack = open_stack(**task["opening"], lazy=True)
    if [*stack.shape, str(stack.dtype)] != [*task["shape"], task["dtype"]]:
        raise DeepD3Error("The stack was changed after the analysis began, or the workers see another file; run it "
                          "again.")
    model, shape = _model(task["model"], task["model_sha256"]), shape_of(stack)
    plan(shape, memory_of_task(task["memory_bytes"]), what=str(stack.dtype), predicted=True, in_files=True,
         plane_bytes=bytes_of_plane(stack, model, task["resolved"], task["region"]))  # refuses what cannot be
    dendrite, spine = (FileVolume(Path(path), shape, np.dtype(np.float32)) for path in task["maps"])
    return predict_planes(stack, model, task["resolved"].parameters, (dendrite, spine), (first, last), task["region"])


@functools.lru_cache(maxsize=1)
def _model(path: str, sha256: str) -> DeepD3Model:
    """The model is loaded once by each process."""
    from deepd3_ij.batch.worker import unchanged_model

    return unchanged_model(path, sha256)
