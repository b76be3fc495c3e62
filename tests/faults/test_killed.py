"""A batch that is killed at any moment loses nothing, and the next one neither believes nor keeps what it left."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from deepd3_ij.atomic import check_output_folder, hidden_folder, remove_leftovers, replacing
from deepd3_ij.batch.lock import RunLock
from tests.faults.children import FINISHED, at_call, at_rename, count_calls, kill, run_child
from tests.faults.little_batch import contents, leftovers, make_stack, run_little_batch

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which this system lacks")

MOMENTS = 20
SEED = 11


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    make_stack(tmp_path / "in")
    return tmp_path / "in", tmp_path / "out"


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Results of each setting without a fault."""
    top = tmp_path_factory.mktemp("wanted")
    make_stack(top / "in")
    for setting in ("A", "BB"):
        run_little_batch(top / "in", top / setting, setting)
    return {setting: contents(top / setting) for setting in ("A", "BB")}


def check_after(folders: tuple[Path, Path], wanted: dict[str, dict[str, str]], where: str) -> None:
    """Whatever a killed run left, the next runs give what they would have given without it."""
    source, target = folders
    for setting in ("A", "BB"):
        result = run_little_batch(source, target, setting)
        assert not result.failed, where
        assert not result.kept, where
        assert contents(target) == wanted[setting], where
        assert leftovers(target) == [], where


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_every_rename(folders: tuple[Path, Path], wanted: dict[str, dict[str, str]], after: bool) -> None:
    source, target = folders
    for number in range(100):
        run_little_batch(source, target, "A", resume=False)
        ended = run_child(lambda: run_little_batch(source, target, "BB"), at_rename(number, kill, after=after))
        if ended == FINISHED:
            assert number >= 6  # four results, ledger and record at least: else renames were not seen
            return
        assert ended == -signal.SIGKILL
        check_after(folders, wanted, f"rename {number}")
    raise AssertionError("the batch never finished")


def test_killed_at_random_moments(folders: tuple[Path, Path], wanted: dict[str, dict[str, str]], tmp_path: Path
                                  ) -> None:
    source, target = folders
    run_little_batch(source, target, "A")
    calls = count_calls(lambda: run_little_batch(source, tmp_path / "counted", "BB"), tmp_path / "calls")
    chosen = random.Random(SEED)
    for _ in range(MOMENTS):
        moment = chosen.randrange(1, calls)
        run_little_batch(source, target, "A")
        ended = run_child(lambda: run_little_batch(source, target, "BB"), at_call(moment, kill))
        assert ended in (FINISHED, -signal.SIGKILL)
        check_after(folders, wanted, f"call {moment} of {calls}")


def test_a_stack_that_was_not_reached_keeps_its_old_results(folders: tuple[Path, Path]) -> None:
    source, target = folders
    make_stack(source, "b.tif")
    run_little_batch(source, target, "A")
    before = contents(target)
    run_child(lambda: run_little_batch(source, target, "BB"), at_rename(0, kill, after=False))
    assert contents(target) == before


def test_what_a_running_process_writes_is_no_leftover(tmp_path: Path) -> None:
    with hidden_folder(tmp_path, tmp_path) as hidden:
        (hidden / "half").write_text("half")
        removed = tmp_path / "removed"
        assert run_child(lambda: removed.write_text(str(len(remove_leftovers(tmp_path))))) == FINISHED
        assert removed.read_text() == "0"
        assert (hidden / "half").is_file()


def test_nothing_is_left_of_a_run_that_is_killed_while_it_takes_its_lock(tmp_path: Path) -> None:
    def prepare() -> None:
        os.link = lambda *_: kill()

    assert run_child(lambda: RunLock(tmp_path), prepare) == -signal.SIGKILL
    assert leftovers(tmp_path) != []
    RunLock(tmp_path).release()
    assert list((tmp_path / ".deepd3").iterdir()) == []


def test_folders_of_a_similar_name_are_not_touched(tmp_path: Path) -> None:
    for name in (".results-mine", ".results-00000000-0123456789ab", "results-1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("mine")
    check_output_folder(tmp_path)
    assert len(list(tmp_path.rglob("file"))) == 3


def test_a_link_of_a_leftovers_name_is_not_followed(tmp_path: Path) -> None:
    with hidden_folder(tmp_path, tmp_path) as hidden:
        name = hidden.name
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    (tmp_path / name).symlink_to(tmp_path / "mine")
    check_output_folder(tmp_path)
    assert (tmp_path / "mine" / "file").read_text() == "mine"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_single_file_is_old_or_new_and_nothing_else(tmp_path: Path, after: bool) -> None:
    target = tmp_path / "table.csv"
    target.write_text("old")

    def write() -> None:
        with replacing(target) as temporary:
            temporary.write_text("new")

    assert run_child(write, at_rename(0, kill, after=after)) == -signal.SIGKILL
    assert target.read_text() == ("new" if after else "old")
    check_output_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_results_are_on_the_disk_before_their_record(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
                                                     ) -> None:
    events: list[tuple[str, str]] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}") if Path("/proc/self/fd").is_dir() else ""
        events.append(("sync", Path(name).name))
        real_sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        events.append(("place", Path(target).name))
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    run_little_batch(*folders, "A")
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to tell which file was flushed")
    for name in ("a_rois.zip", "a_roi_map.tif", "a_centroids.csv", "a_done.json"):
        last_place = max(i for i, event in enumerate(events) if event == ("place", name))
        assert ("sync", name) in events[:last_place], name
    record = events.index(("place", "a_done.json"))
    assert ("sync", folders[1].name) in events[:record]  # the names, too
