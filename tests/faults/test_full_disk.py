"""A disk that fills up, or takes nothing, leaves the old results or the new ones, and one line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij.atomic import check_output_folder, check_room, replacing
from deepd3_ij.errors import OutputError
from deepd3_ij.outputs.scene_files import SCENE_ENDINGS, write_scene
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.simulation import SimulatedScene, simulate
from tests.faults.little_batch import contents, leftovers, make_stack, run_little_batch

resource = pytest.importorskip("resource", reason="this system has no limits of file sizes")

DISK_BYTES = 256 * 1024
BLOCK = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only an administrator may mount a disk")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)],
                             capture_output=True)
    if mounted.returncode:
        pytest.skip("this system lets nobody mount a disk")
    yield place
    subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
    subprocess.run(["umount", str(place)], check=True)


@contextmanager
def file_size_limit(largest: int) -> Iterator[None]:
    """Let no file grow beyond a size; the limit ends with the block, as pytest's own report is a file, too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def scene() -> SimulatedScene:
    return simulate(SimulationParameters(planes=2, height_px=64, width_px=64), seed=1)


def fill(disk: Path, leave: int) -> None:
    free = os.statvfs(disk).f_bavail * BLOCK
    (disk / "filler").write_bytes(bytes(max(0, free - leave)))


@pytest.mark.parametrize("blocks", range(0, 16, 3))
def test_a_batch_on_a_full_disk_keeps_the_old_results(disk: Path, tmp_path: Path, blocks: int) -> None:
    make_stack(tmp_path / "in")
    run_little_batch(tmp_path / "in", disk / "out", "A")
    old = contents(disk / "out")
    fill(disk, blocks * BLOCK)
    result = run_little_batch(tmp_path / "in", disk / "out", "BB")
    if result.failed:
        assert "the disk is full" in result.failed[0][1]
        assert ".results-" not in result.failed[0][1]
        assert {name: digest for name, digest in contents(disk / "out").items() if not name.startswith("a/")} == {
            name: digest for name, digest in old.items() if not name.startswith("a/")}
    assert leftovers(disk) == []
    (disk / "filler").unlink()
    assert len(run_little_batch(tmp_path / "in", disk / "out", "A").done) == (1 if not result.failed else 0) or \
        contents(disk / "out") == old


@pytest.mark.parametrize("blocks", [0, 2, 4, 6])
def test_a_simulated_stack_on_a_full_disk_leaves_no_file(disk: Path, scene: SimulatedScene, blocks: int) -> None:
    fill(disk, blocks * BLOCK)
    with pytest.raises(OutputError, match="the disk is full"):
        write_scene(scene, disk, "s")
    assert [path.name for path in disk.iterdir()] == ["filler"]


@pytest.mark.parametrize("limit", [0, 500, 2000, 9000])
def test_a_file_that_may_not_grow_leaves_no_file(tmp_path: Path, scene: SimulatedScene, limit: int) -> None:
    with file_size_limit(limit), pytest.raises(OutputError, match="cannot be written") as caught:
        write_scene(scene, tmp_path, "s")
    assert ".results-" not in str(caught.value)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(SCENE_ENDINGS)]
    assert not leftovers(tmp_path)


def test_a_disk_that_may_only_be_read_is_named(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(OutputError, match="no permission"):
        check_output_folder(disk / "out")
    with pytest.raises(OutputError, match="no permission"), replacing(disk / "a.csv"):
        pass


def test_too_little_room_is_told_before_the_work(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(OutputError, match=r"GB free and the results need about 1e\+12 GB"):
        check_room(tmp_path, 10**21)


def test_a_memory_map_meets_a_full_disk_as_an_error(disk: Path) -> None:
    from deepd3_ij.files.tiff import open_stack_for_writing
    from deepd3_ij.stack import label_stack

    like = label_stack(np.zeros((4, 300, 300), np.uint8), xy_um=0.1, z_um=0.5)
    with pytest.raises(OutputError, match="the disk is full"), open_stack_for_writing(disk / "a.tif", like):
        pass
    assert not list(disk.iterdir())
