"""A batch with processes of its own: whatever happens to one of them, the results are those of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepd3_ij.batch.board import Board
from deepd3_ij.batch.event_log import EventLog
from deepd3_ij.batch.items import WHOLE_BATCH
from deepd3_ij.batch.jobs import Event
from deepd3_ij.batch.records import failure_file
from deepd3_ij.batch.text_log import TextLog
from deepd3_ij.errors import Cancelled, DeepD3Error, ModelError
from tests.faults.little_batch import contents, leftovers, make_stack, run_little_batch
from tests.faults.little_worker import PlainWork, little_pool

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed as POSIX has it")

NAMES = ("a.tif", "b.tif", "below/c.tif", "d.tif")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in NAMES:
        make_stack(tmp_path / "in", name)
    return tmp_path / "in", tmp_path / "out"


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    top = tmp_path_factory.mktemp("wanted")
    for name in NAMES:
        make_stack(top / "in", name)
    run_little_batch(top / "in", top / "out", "A", work=PlainWork())
    return contents(top / "out")


def test_faults_of_single_stacks_cost_no_other_one(folders: tuple[Path, Path], wanted: dict[str, str], tmp_path: Path,
                                                   command: list[str]) -> None:
    source, target = folders
    for name in ("e.tif", "f.tif", "g.tif", "h.tif", "i.tif"):
        make_stack(source, name)
    faults = {"a": "killed once", "b": "raise", "c": "killed", "d": "exit", "e": "memory", "g": "deleted",
              "h": "replaced"}
    log, events = TextLog(tmp_path), EventLog(tmp_path, "run", WHOLE_BATCH)
    log.begin("a test", [])
    pool = little_pool(2, command, faults=faults, marks=str(tmp_path))
    result = run_little_batch(source, target, "A", executor=pool, log=log, events=events)
    reasons = {item.stem: reason for item, reason in result.failed}
    assert {item.stem for item in result.done} == {"a", "f", "i"}
    assert reasons.keys() == {"b", "c", "d", "e", "g", "h"}
    assert reasons["b"] == "b.tif is damaged"
    assert "killed by the operating system, probably because memory ran out" in reasons["c"]
    assert "ended with exit code 7" in reasons["d"]
    assert "not enough memory" in reasons["e"]
    assert all("was changed while it was analyzed" in reasons[stem] for stem in "gh")
    text = (tmp_path / "log.txt").read_text()
    assert "some last words" in text
    assert "StackError: b.tif is damaged" in text
    assert f"tried again: {source}/a.tif" in text
    lines = (tmp_path / "log.jsonl").read_text()
    assert lines.count('"event": "lost"') >= 4
    assert '"event": "done", "stack": "f.tif"' in lines
    assert leftovers(target) == []
    again = run_little_batch(source, target, "A", work=PlainWork())
    assert {item.stem for item in again.skipped} == {"a", "f", "i"}
    assert not again.failed
    assert {name: digest for name, digest in contents(target).items() if name in wanted} == wanted


def test_a_failure_leaves_a_note_until_the_stack_is_done(folders: tuple[Path, Path], command: list[str]) -> None:
    pool = little_pool(1, command, faults={"a": "raise"})
    item = run_little_batch(*folders, "A", executor=pool).failed[0][0]
    assert '"error": "StackError"' in failure_file(item).read_text()
    run_little_batch(*folders, "A", work=PlainWork())
    assert not failure_file(item).exists()


def test_a_model_that_cannot_be_loaded_stops_the_batch(folders: tuple[Path, Path], command: list[str]) -> None:
    with pytest.raises(ModelError, match="the model is broken"):
        run_little_batch(*folders, "A", executor=little_pool(2, command, broken=True))
    with pytest.raises(DeepD3Error, match=r"end before they begin \(ended with exit code 3\)"):
        run_little_batch(*folders, "A", executor=little_pool(2, command, dies=True))


def test_a_batch_that_is_stopped_leaves_no_process_and_goes_on_later(folders: tuple[Path, Path], wanted: dict[str, str]
                                                                     ) -> None:
    pool = little_pool(2, faults={"c": "wait"})
    seen: list[int] = []

    def watch(board: Board, event: Event | None) -> None:
        seen[:] = pool.process_ids or seen
        if len(board.ended) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        run_little_batch(*folders, "A", executor=pool, watch=watch)
    assert not any(Path(f"/proc/{number}").exists() for number in seen)
    assert leftovers(folders[1]) == []
    result = run_little_batch(*folders, "A", work=PlainWork())
    assert [item.stem for item in result.done] == ["c"]
    assert contents(folders[1]) == wanted


def test_a_run_that_is_killed_takes_its_processes_with_it(folders: tuple[Path, Path], wanted: dict[str, str],
                                                          tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = ("from pathlib import Path\nfrom tests.faults.little_batch import run_little_batch\n"
            "from tests.faults.little_worker import little_pool\n"
            "pool = little_pool(2, faults={'c': 'wait', 'd': 'wait'})\n"
            "def watch(board, event):\n"
            "    if len(board.ended) == 2 and len(pool.process_ids) == 2:\n"
            f"        Path({str(pids)!r}).write_text(' '.join(map(str, pool.process_ids)))\n"
            f"source, target = Path({str(folders[0])!r}), Path({str(folders[1])!r})\n"
            "run_little_batch(source, target, 'A', executor=pool, watch=watch)\n")
    with subprocess.Popen([sys.executable, "-c", code]) as run:
        while not (pids.is_file() and len(pids.read_text().split()) == 2):
            assert run.poll() is None
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGKILL)
    for number in pids.read_text().split():
        while Path(f"/proc/{number}").exists():
            time.sleep(0.01)
    result = run_little_batch(*folders, "A", executor=little_pool(2))
    assert {item.stem for item in result.done} == {"c", "d"}
    assert contents(folders[1]) == wanted
    assert leftovers(folders[1]) == []
