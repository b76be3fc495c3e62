"""One large stack on a Dask cluster: its planes are predicted in slabs, a task each, straight into files.

What follows needs the maps as a whole and is quick, so it is done where the analysis was started, when all slabs are
there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from deepd3_ij.atomic import hidden_folder
from deepd3_ij.batch.dask_client import SECONDS_TO_CONNECT, as_they_end, check_versions, compute_here, connected
from deepd3_ij.errors import DeepD3Error, one_line
from deepd3_ij.notes import note
from deepd3_ij.parameters import PredictionParameters, resolve
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.segmentation.likeness import tell_unlike
from deepd3_ij.slabs import FileVolume, lazily, shape_of
from deepd3_ij.stack import MAPS, label_prediction, voxel_size_um

if TYPE_CHECKING:
    from deepd3_ij.model.loading import DeepD3Model
    from deepd3_ij.segmentation.region import Region

_RETRIES = 2
_TASKS_PER_WORKER = 4
"""So many that a slow worker does not keep the others waiting for long."""


@contextmanager
def predicted_on_cluster(
    address: str,
    opening: Mapping[str, Any],
    stack: xr.DataArray,
    model: DeepD3Model,
    typed: Mapping[str, Any],
    folder: Path,
    *,
    z_range: tuple[int | None, int | None] | None = None,
    region: Region | None = None,
    progress: Progress = no_progress,
) -> Iterator[xr.Dataset]:
    """Predict a stack as :func:`deepd3_ij.predict` does, by the workers of a Dask scheduler.

    Parameters
    ----------
    address
        Address of the scheduler, or its file (JSON).
    opening
        What :func:`deepd3_ij.open_stack` opens the stack with; the workers find the file under the same path.
    stack, model, typed, z_range, region
        As for :func:`deepd3_ij.predict`.
    folder
        Existing folder that the workers see under the same path.
    progress
        Counts planes.

    Yields
    ------
    xarray.Dataset
        The lazy prediction; its files go at the end of the block.

    Raises
    ------
    DeepD3Error
        The scheduler cannot be reached or vanished, the workers have other versions, or a slab failed again and again.
    """
    from deepd3_ij.segmentation.prediction import planes_at_once, prediction_provenance

    resolved = resolve(PredictionParameters, typed, recommended=model.card.recommended,
                       voxel_size_um=voxel_size_um(stack))
    provenance = prediction_provenance(stack, model, resolved, z_range, region)
    shape = shape_of(stack)
    begin, end = provenance["z_range"]
    tell_unlike(stack[begin:end], model.card.trained_on)
    with hidden_folder(folder.resolve(), folder) as shared:
        with connected(address) as client:
            check_versions(client)
            dendrite, spine = (FileVolume.new(shared / name, shape, np.dtype(np.float32)) for name in MAPS)
            task = {"opening": dict(opening), "shape": list(shape), "dtype": str(stack.dtype),
                    "model": str(model.path), "model_sha256": model.sha256, "typed": dict(typed), "region": region,
                    "maps": [str(dendrite.path), str(spine.path)]}
            workers = len(client.scheduler_info(n_workers=-1)["workers"])
            group = planes_at_once(stack, model, resolved, region)
            height = group * max(1, -(-(end - begin) // (_TASKS_PER_WORKER * workers * group)))
            slabs = [(first, min(first + height, end)) for first in range(begin, end, height)]
            futures = {client.submit(predict_slab, task, first, last, retries=_RETRIES, pure=False): last - first
                       for first, last in slabs}
            _wait(client, address, futures, progress)
        yield label_prediction(lazily(dendrite), lazily(spine), stack, provenance)


def _wait(client: Any, address: str, futures: Mapping[Any, int], progress: Progress) -> None:
    """Wait for all slabs, with progress in planes."""
    done, total = 0, sum(futures.values())
    told: set[str] = set()
    with closing(as_they_end(client, address, futures)) as ended:
        for future in ended:
            if future is not None:
                if future.status != "finished":
                    raise _failure(future)
                told.update(future.result(timeout=SECONDS_TO_CONNECT))
                done += futures[future]
            progress(done, total, "Predicting on the cluster")
    for text in sorted(told):
        note(text)


def _failure(future: Any) -> Exception:
    """Why a slab was given up."""
    cause = future.exception(timeout=SECONDS_TO_CONNECT) if future.status == "error" else None
    if isinstance(cause, DeepD3Error):
        return cause
    return DeepD3Error(f"The cluster gave up a slab of the stack ({one_line(cause, 200) if cause else future.status}).")


def predict_slab(task: Mapping[str, Any], first: int, last: int) -> list[str]:
    """What a worker does: planes ``first:last`` into the files of the maps; gives what there is to note."""
    from deepd3_ij.files.image_reader import open_stack
    from deepd3_ij.notes import collected_notes
    from deepd3_ij.segmentation import predict

    compute_here()
    with collected_notes() as notes:
        stack = open_stack(**task["opening"], lazy=True)
        if [*stack.shape, str(stack.dtype)] != [*task["shape"], task["dtype"]]:
            raise DeepD3Error("The stack was changed after the analysis began, or the workers see another file; run it "
                              "again.")
        dendrite, spine = (FileVolume(Path(path), shape_of(stack), np.dtype(np.float32)) for path in task["maps"])
        predict(stack, _model(task["model"], task["model_sha256"]), task["typed"], z_range=(first, last),
                region=task["region"], out=(dendrite, spine))
    return notes


@functools.lru_cache(maxsize=1)
def _model(path: str, sha256: str) -> DeepD3Model:
    """The model is loaded once by each process."""
    from deepd3_ij.batch.worker import unchanged_model

    return unchanged_model(path, sha256)
