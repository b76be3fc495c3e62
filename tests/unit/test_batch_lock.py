"""One run at a time in a folder of results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepd3_ij.batch import lock as module
from deepd3_ij.batch.items import Shard
from deepd3_ij.batch.lock import RunLock
from deepd3_ij.errors import OutputError


def lock_file(folder: Path) -> Path:
    return folder / ".deepd3" / "batch-1-of-1.lock"


def left_by(folder: Path, **values: object) -> None:
    """A lock as another run left it."""
    lock = RunLock(folder)
    found = json.loads(lock_file(folder).read_text())
    lock.release()
    lock_file(folder).write_text(json.dumps({**found, "run": "other", **values}))


def test_a_second_run_says_so_and_stops(tmp_path: Path) -> None:
    first = RunLock(tmp_path)
    with pytest.raises(OutputError, match=rf"process {os.getpid()} on .* works in .*--take-over"):
        RunLock(tmp_path)
    first.release()
    RunLock(tmp_path).release()
    assert list((tmp_path / ".deepd3").iterdir()) == []


def test_shards_of_one_count_do_not_hinder_each_other(tmp_path: Path) -> None:
    locks = [RunLock(tmp_path, Shard(number, 3)) for number in (1, 2, 3)]
    with pytest.raises(OutputError, match="Another run"):
        RunLock(tmp_path, Shard(2, 3))
    for other in (Shard(), Shard(1, 4)):
        with pytest.raises(OutputError, match="Another run"):
            RunLock(tmp_path, other)
    for lock in locks:
        lock.release()
    RunLock(tmp_path).release()


def test_a_run_of_this_computer_that_has_ended_is_no_hindrance(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left_by(tmp_path, pid=ended.pid)
    RunLock(tmp_path).release()


def test_a_number_of_a_process_that_was_given_again_is_no_hindrance(tmp_path: Path) -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell when a process began")
    left_by(tmp_path, began="before the restart")
    RunLock(tmp_path).release()


def test_processes_of_an_ended_run_are_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"]) as child:
        left_by(tmp_path, pid=2**30, children=[child.pid])
        RunLock(tmp_path).release()
        assert child.poll() is not None or module._is_zombie(child.pid)


@pytest.mark.parametrize("content", [None, "", "[1", "{}"])
def test_a_run_elsewhere_counts_until_it_is_silent_for_long(tmp_path: Path, content: str | None) -> None:
    left_by(tmp_path, host="elsewhere")
    file = lock_file(tmp_path)
    if content is not None:
        file.write_text(content)
    with pytest.raises(OutputError, match="Another run"):
        RunLock(tmp_path)
    old = time.time() - module.STALE_SECONDS - 5
    os.utime(file, (old, old))
    RunLock(tmp_path).release()


def test_the_run_that_lost_its_lock_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = RunLock(tmp_path)
    second = RunLock(tmp_path, take_over=True)
    begun = json.loads(lock_file(tmp_path).read_text())["since"]
    monkeypatch.setattr(module, "_RENEWED_SECONDS", 0)
    monkeypatch.setattr(time, "strftime", lambda *_: "later")
    with pytest.raises(OutputError, match="took over"):
        first.renew()
    first.release()
    second.renew()
    found = json.loads(lock_file(tmp_path).read_text())
    assert (found["run"], found["since"]) == (second.run, begun)
    second.release()
    assert not lock_file(tmp_path).exists()


def test_the_clock_of_this_computer_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left_by(tmp_path, host="elsewhere")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with pytest.raises(OutputError, match="Another run"):
        RunLock(tmp_path)


def test_a_file_system_without_hard_links_is_locked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    lock = RunLock(tmp_path)
    with pytest.raises(OutputError, match="Another run"):
        RunLock(tmp_path)
    lock.release()
    RunLock(tmp_path).release()
