"""Steps whose slabs are tasks of a cluster: the same to the last bit, whatever becomes of a worker; nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from deepd3_ij.batch import cluster_slabs
from deepd3_ij.batch.cluster_slabs import ClusterSlabs, slabs_on_cluster
from deepd3_ij.cleaning import clean
from deepd3_ij.errors import Cancelled, DeepD3Error, StackError
from deepd3_ij.measurement import measure
from deepd3_ij.memory import kept_to, plan
from deepd3_ij.outputs.registry import write_analysis
from deepd3_ij.parameters import CleaningParameters, Roi3DParameters
from deepd3_ij.pipeline import Analysis
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.rois import build_rois_3d
from deepd3_ij.slab_tasks import Cutting
from deepd3_ij.slabs import in_workspace, shape_of
from deepd3_ij.stack import label_prediction, label_stack
from tests.faults.dask_processes import dask_cluster
from tests.faults.little_slabs import height_of, nothing, run_slab_or_die, wait

distributed = pytest.importorskip("distributed", reason="distributed is not installed")

KINDS = ("maps", "roi_map", "roi_zip", "tables", "traces")
CHOICES = (
    (CleaningParameters(), Roi3DParameters()),
    (CleaningParameters(closing_iterations=2, spine_distance_um=1.0), Roi3DParameters(watershed=True, sigma_px=0.5)),
    (CleaningParameters(dendrite_dimensions=2, spine_iterations=3), Roi3DParameters(mode="connected", dilation=1)),
    (CleaningParameters(closing=False, clean_spines=False), Roi3DParameters(split_prominence=1.0)))


@pytest.fixture(scope="module")
def maps() -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Dendrites with gaps, specks, and spines along all planes, and their image."""
    rng = np.random.default_rng(0)
    z, y, x = np.meshgrid(np.arange(40), np.arange(90), np.arange(120), indexing="ij")
    shaft = np.hypot((z - 20 - 12 * np.sin(x / 25)) * 1.5, y - 45)
    dendrite = np.where(rng.random(z.shape) < 0.2, 0.3, 1 / (1 + np.exp(shaft - 6)))
    spine = np.zeros(z.shape)
    for number, at in enumerate(range(8, 120, 7)):
        away = np.sqrt(((z - 20 - 12 * np.sin(at / 25)) * 1.5) ** 2 + (y - (34 if number % 2 else 56)) ** 2
                       + (x - at) ** 2)
        spine = np.maximum(spine, 1 / (1 + np.exp(1.5 * (away - 5))))
    spine = np.maximum(spine, 0.9 * (rng.random(z.shape) < 0.001))
    image = rng.poisson(60 + 900 * np.maximum(dendrite, spine)).astype(np.uint16)
    like = label_stack(image, xy_um=0.1, z_um=0.3)
    return (*(like.copy(data=np.round(each, 2).astype(np.float32)) for each in (dendrite, spine)), like)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """File of the scheduler of two workers."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), 2) as (file, _):
        yield file


def analyze(maps: tuple[xr.DataArray, ...], chosen: tuple[CleaningParameters, Roi3DParameters], folder: Path,
            progress: Progress = no_progress) -> dict[str, bytes]:
    dendrite, spine, image = (in_workspace(each) for each in maps)
    prediction = clean(label_prediction(dendrite, spine, image, {}), chosen[0], progress)
    rois = build_rois_3d(prediction, chosen[1], progress)
    assert len(rois) > 5
    analysis = Analysis(image, prediction, rois, measure(rois, prediction, image))
    return {path.name: path.read_bytes() for path in write_analysis(analysis, folder, "a", KINDS)}


def analyze_there(address: str, maps: tuple[xr.DataArray, ...], chosen: tuple[CleaningParameters, Roi3DParameters],
                  folder: Path, progress: Progress = no_progress) -> dict[str, bytes]:
    with (kept_to(plan(shape_of(maps[0]), None, shared=True), folder) as scratch,
          slabs_on_cluster(address, scratch, None)):
        return analyze(maps, chosen, folder, progress)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", CHOICES)
def test_what_slabs_on_a_cluster_give_is_that_of_one_process(maps, cluster, chosen, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    there = analyze_there(cluster, maps, chosen, tmp_path / "there")
    assert len(there) == 7
    assert there == analyze(maps, chosen, tmp_path / "here")
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == sorted(there)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["_close_band", "_select_band", "_voxels_of"])
def test_a_worker_killed_while_maps_are_cleaned_or_rois_found_changes_nothing(maps, step, tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(cluster_slabs, "run_slab", partial(run_slab_or_die, str(tmp_path / "killed"), step))
    with dask_cluster(tmp_path, 2) as (file, _):
        there = analyze_there(file, maps, CHOICES[0], tmp_path / "there")
        with distributed.Client(scheduler_file=file) as client:
            assert len(client.scheduler_info(n_workers=-1)["workers"]) == 1
    assert (tmp_path / "killed").exists()
    assert there == analyze(maps, CHOICES[0], tmp_path / "here")
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == sorted(there)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["Connect dendrite", "Clean dendrite", "Clean spines", "Find ROIs"])
def test_a_run_that_is_stopped_leaves_nothing(maps, cluster, step, tmp_path):
    def stop(done: int, total: int, message: str, /) -> None:
        if message == step and done:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        analyze_there(cluster, maps, CHOICES[0], tmp_path, stop)
    with distributed.Client(scheduler_file=cluster) as client:  # until what was under way has ended, too
        client.gather([client.submit(nothing, workers=[worker], pure=False)
                       for worker in client.scheduler_info(n_workers=-1)["workers"]])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_error_of_a_worker_is_that_of_the_run(maps, cluster, tmp_path):
    dendrite, spine, image = maps
    wrong = spine.copy(data=np.where(np.arange(40)[:, None, None] == 33, np.nan, spine.values).astype(np.float32))
    with pytest.raises(StackError, match="The spine map contains NaN"):
        analyze_there(cluster, (dendrite, wrong, image), CHOICES[0], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_scheduler_that_vanishes_ends_the_run_and_nothing_is_left(tmp_path):
    (tmp_path / "dask").mkdir()
    (tmp_path / "out").mkdir()
    with dask_cluster(tmp_path / "dask", 1) as (file, scheduler):
        with (pytest.raises(DeepD3Error, match=r"is gone\. Start it again, and run the same line\.") as caught,
              kept_to(plan((4, 8, 8), None, shared=True), tmp_path / "out") as scratch,
              slabs_on_cluster(file, scratch, None) as slabs):
            list(slabs.run(wait, Cutting((4, 8, 8), 1), lambda done: scheduler.kill()))
        assert caught.value.exit_code == 130
        assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "wanted"), [(None, [20]), (1_000_000, [1] * 100)])
def test_a_worker_cuts_its_slab_as_its_memory_is(cluster, tmp_path, memory, wanted):
    cutting = Cutting((40, 512, 512), 4, halo=3)
    with slabs_on_cluster(cluster, tmp_path, memory) as slabs:
        found = list(slabs.run(height_of, cutting, lambda done: None))
    assert [(slab.first, slab.last) for slab, _ in found] == [(0, 20), (20, 40)]
    assert [heights.tolist() for _, (heights,) in found] == [wanted] * 2  # five bands of rows of each plane
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("planes", "workers", "multiple", "halo", "wanted"), [
    ((0, 60), 2, 1, 6, [(0, 30), (30, 60)]),
    ((0, 200), 2, 1, 6, [(0, 25), (25, 50), (50, 75), (75, 100), (100, 125), (125, 150), (150, 175), (175, 200)]),
    ((3, 10), 2, 4, 0, [(3, 7), (7, 10)]),
    ((0, 1), 3, 1, 6, [(0, 1)])])
def test_heights_of_tasks(planes, workers, multiple, halo, wanted, tmp_path):
    class Client:
        def scheduler_info(self, n_workers: int) -> dict[str, list[int]]:
            return {"workers": [0] * workers}

    assert ClusterSlabs(Client(), "", tmp_path, None).heights(planes, multiple, halo) == wanted
