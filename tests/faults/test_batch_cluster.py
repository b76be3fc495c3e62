"""A batch on a Dask cluster: a worker that is lost changes nothing, a scheduler that vanishes ends it in order."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij.batch import dask_client
from deepd3_ij.batch.board import Board
from deepd3_ij.batch.cluster import DaskCluster
from deepd3_ij.batch.jobs import Event
from deepd3_ij.cli import main
from deepd3_ij.errors import DeepD3Error
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.input_limits import available_bytes
from deepd3_ij.stack import label_stack
from tests.faults.dask_processes import dask_cluster
from tests.faults.little_batch import contents, leftovers, make_stack, run_little_batch
from tests.faults.little_worker import PlainWork, make_work
from tests.small_stack import write_small_stack

distributed = pytest.importorskip("distributed", reason="distributed is not installed")

NAMES = ("a.tif", "b.tif", "below/c.tif", "d.tif", "e.tif", "f.tif")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in NAMES:
        make_stack(tmp_path / "in", name)
    return tmp_path / "in", tmp_path / "out"


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_and_a_scheduler_that_vanishes(folders: tuple[Path, Path], tmp_path: Path
                                                                     ) -> None:
    source, target = folders
    run_little_batch(source, tmp_path / "wanted", "A", work=PlainWork())
    wanted = contents(tmp_path / "wanted")
    with dask_cluster(tmp_path, 2) as (file, scheduler):
        hello = {"faults": {"c": "killed once", "d": "raise"}, "marks": str(tmp_path)}
        lines: list[int] = []
        result = run_little_batch(source, target, "A", executor=DaskCluster(file, hello, make_work),
                                  watch=lambda board, event: lines.append(len(board.lines)))
        assert max(lines) == 0, "only the scheduler knows which stacks are under way"
        assert [(item.stem, reason) for item, reason in result.failed] == [("d", "d.tif is damaged")]
        assert (tmp_path / "c").exists()
        assert {name: digest for name, digest in wanted.items() if not name.startswith("d")} == contents(target)
        assert leftovers(target) == []

        def watch(board: Board, event: Event | None) -> None:
            if len(board.ended) == 1:
                os.kill(scheduler.pid, signal.SIGKILL)

        hello = {"faults": {"e": "wait"}}
        with pytest.raises(DeepD3Error, match=r"is gone; what is done is kept") as caught:
            run_little_batch(source, target, "BB", executor=DaskCluster(file, hello, make_work), watch=watch)
        assert caught.value.exit_code == 130
    assert run_little_batch(source, target, "A", work=PlainWork(), overwrite=True).failed == ()
    assert contents(target) == wanted


@pytest.mark.slow
def test_planes_of_one_stack_are_predicted_on_the_cluster_as_here(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = open_stack(write_small_stack(tmp_path / "tile.tif"))
    source = tmp_path / "small.tif"  # planes so large that each is computed alone, and may be a task
    pixels = np.tile(small.values, (1, 6, 4)).astype(np.uint16)
    pixels[[0, 2, 3], [30, 40, 50], [60, 70, 80]] = 60_000
    write_stack(source, label_stack(pixels, xy_um=0.3, z_um=0.5, source="small.tif"))
    told = []
    with dask_cluster(tmp_path, 2) as (file, _):
        for out, more in (("here", []), ("there", ["--scheduler", file])):
            assert main(["analyze", str(source), "--out", str(tmp_path / out), "--quiet", *more]) == 0
            told.append(sorted(capsys.readouterr().err.splitlines()))
        assert told[0] == told[1]
        assert any("3 isolated pixels" in line for line in told[1])
        assert sum("the pixel size is 0.3 µm" in line for line in told[1]) == 1
        there = {path.name: path.read_bytes() for path in (tmp_path / "there").glob("*.[ctz]*[!n]")}
        assert len(there) > 3
        assert there == {name: (tmp_path / "here" / name).read_bytes() for name in there}
        write_stack(tmp_path / "dark.tif", label_stack(np.zeros((2, 32, 32), np.uint8), xy_um=0.1, z_um=0.5))
        assert main(["analyze", str(tmp_path / "dark.tif"), "--out", str(tmp_path / "there"), "--quiet", "--no-clean",
                     "--scheduler", file]) == 0
        assert "the highest spine probability is 0.00" in capsys.readouterr().err
    assert not leftovers(tmp_path / "there")


@pytest.mark.slow
def test_the_memory_of_a_batch_is_that_of_each_worker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    write_small_stack(tmp_path / "in" / "small.tif")
    command = ["batch", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet", "--scheduler"]
    with dask_cluster(tmp_path, 1) as (file, _):
        assert main([*command, file, "--memory", "100MB"]) == 1
        assert "failed: " in (told := capsys.readouterr().err)
        assert "--memory is 100 MB, and 4 × 64 × 96 uint8 needs at least" in told
        assert main([*command, file, "--memory", "9GB"]) == 0
    assert (tmp_path / "out" / "small_spines.csv").exists()


@pytest.mark.slow
def test_a_result_that_is_lost_with_its_worker_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_client, "SECONDS_TO_CONNECT", 0.2)
    with dask_cluster(tmp_path, 2) as (file, _), distributed.Client(scheduler_file=file) as client:
        client.wait_for_workers(2)
        future = client.submit(os.getpid, pure=False)
        distributed.wait(future)
        first = client.run_on_scheduler(lambda dask_scheduler: next(
            iter(dask_scheduler.tasks[future.key].who_has)).address)
        pids = client.run(os.getpid)
        os.kill(pids[first], signal.SIGSTOP)  # it does not answer, and is lost when it has been asked
        threading.Timer(1, os.kill, (pids[first], signal.SIGKILL)).start()
        assert dask_client.result_of(client, file, future) == next(pid for at, pid in pids.items() if at != first)


def test_tasks_of_a_worker_share_its_memory() -> None:
    with distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, memory_limit="2GB",
                                  dashboard_address=None) as cluster, distributed.Client(cluster) as client:
        assert client.submit(dask_client.memory_of_task, 6_000_000_000).result() == 3_000_000_000
        assert client.submit(dask_client.memory_of_task, None).result() is None
        assert (client.submit(available_bytes).result() or 0) < 1_000_000_000
    assert (available_bytes() or 2_000_000_000) > 1_000_000_000


def test_no_scheduler_is_one_line(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_client, "SECONDS_TO_CONNECT", 0.2)
    with pytest.raises(DeepD3Error, match=r"No Dask scheduler answers at tcp://127.0.0.1:9"):
        run_little_batch(*folders, "A", executor=DaskCluster("tcp://127.0.0.1:9", {}, make_work))


def test_other_versions_are_refused() -> None:
    class Client:
        def run(self, function: object) -> dict[str, dict[str, str]]:
            return {"tcp://b": {**dask_client._versions(), "numpy": "1.0"}}

    with pytest.raises(DeepD3Error, match=r"tcp://b has numpy 1\.0"):
        dask_client.check_versions(Client())
