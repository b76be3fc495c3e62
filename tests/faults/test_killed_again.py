"""A batch whose run and workers are killed again and again, each resume too, ends as one that was left in peace."""

from __future__ import annotations

import json
import os
import random
import signal
from functools import partial
from pathlib import Path

import pytest

from deepd3_ij.atomic import RECORDS, check_output_folder
from deepd3_ij.batch import BatchResult, running
from deepd3_ij.batch.crate import CRATE
from deepd3_ij.batch.jobs import Job
from deepd3_ij.batch.lock import RunLock
from deepd3_ij.batch.overrides import Overrides
from deepd3_ij.batch.overview_page import OVERVIEW
from deepd3_ij.batch.pool import WorkerPool
from deepd3_ij.batch.run_file import NAME, RunFile
from deepd3_ij.batch.running import InThisProcess, analyze_run
from deepd3_ij.batch.settings import BatchSettings
from deepd3_ij.batch.tables import STACKS_CSV
from deepd3_ij.progress import Progress
from tests.faults.children import FINISHED, at_call, at_rename, count_calls, kill, run_child
from tests.faults.little_batch import contents, leftovers, make_stack, run_little_batch
from tests.faults.little_worker import PlainWork, little_pool, was_killed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which this system lacks")

NAMES = ("a.tif", "b.tif", "below/c.tif", "d.tif")
SETTINGS = ("A", "BB")
WITH_TIMES = (CRATE, NAME, OVERVIEW, STACKS_CSV, "log.jsonl")
KILLS = 50
SEED = 17


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Results of each setting without a fault."""
    top = tmp_path_factory.mktemp("wanted")
    for name in NAMES:
        make_stack(top / "in", name)
    for setting in SETTINGS:
        run_little_batch(top / "in", top / setting, setting, work=PlainWork())
    return {setting: contents(top / setting) for setting in SETTINGS}


def run(source: Path, target: Path, setting: str, pool: WorkerPool) -> BatchResult:
    """A batch with its lock."""
    lock = RunLock(check_output_folder(target), children=lambda: pool.process_ids)
    try:
        return run_little_batch(source, target, setting, executor=pool, keep_alive=lock.renew)
    finally:
        lock.release()


def check_complete(target: Path, wanted: dict[str, str]) -> None:
    assert contents(target) == wanted
    check_nothing_left(target)


def check_nothing_left(target: Path) -> None:
    """Beside results there are notes of what was written, and nothing else."""
    assert leftovers(target) == []
    notes = [path for hidden in target.rglob(RECORDS) for path in hidden.iterdir()]
    assert [path.name for path in notes if not path.name.endswith(".json")] == []


@pytest.mark.slow
def test_killed_50_times_at_random_moments(tmp_path: Path, command: list[str], wanted: dict[str, dict[str, str]]
                                           ) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    for name in NAMES:
        make_stack(source, name)
    calls = {"run": count_calls(lambda: run(source, tmp_path / "counted", "A", little_pool(2, command)),
                                tmp_path / "calls")}
    run(source, tmp_path / "counted", "BB", little_pool(1, command, calls=str(tmp_path / "calls")))
    calls["worker"] = int((tmp_path / "calls").read_text()) // 2  # as two share the work
    chosen = random.Random(SEED)
    kills = dict.fromkeys(calls, 0)
    setting = 0
    for number in range(10 * KILLS):
        victim = min(kills, key=lambda name: kills[name])
        if kills[victim] == KILLS:
            break
        moment = chosen.randrange(1, calls[victim])
        if victim == "run":
            ended = run_child(partial(run, source, target, SETTINGS[setting % 2], little_pool(2, command)),
                              at_call(moment, kill))
            assert ended in (FINISHED, -signal.SIGKILL), (number, moment)
            killed, complete = ended != FINISHED, ended == FINISHED
        else:
            marks = tmp_path / f"marks{number}"
            marks.mkdir()
            result = run(source, target, SETTINGS[setting % 2],
                         little_pool(2, command, call=moment, marks=str(marks)))
            killed, complete = was_killed(marks), not result.failed
        kills[victim] += killed
        for name, digest in contents(target).items():
            assert digest in (wanted[setting][name] for setting in SETTINGS), (number, moment)
        if complete:
            check_complete(target, wanted[SETTINGS[setting % 2]])
            setting += 1
    assert list(kills.values()) == [KILLS, KILLS]
    assert not run(source, target, SETTINGS[setting % 2], little_pool(2, command)).failed
    check_complete(target, wanted[SETTINGS[setting % 2]])


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_is_killed_at_every_rename(tmp_path: Path, command: list[str], wanted: dict[str, dict[str, str]],
                                            after: bool) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    make_stack(source, NAMES[0])
    for number in range(100):
        marks = tmp_path / f"marks{number}"
        marks.mkdir()
        setting = SETTINGS[number % 2]
        pool = little_pool(1, command, rename=number, after=after, marks=str(marks))
        assert not run(source, target, setting, pool).failed
        check_complete(target, {name: digest for name, digest in wanted[setting].items() if name.startswith("a_")})
        if not was_killed(marks):
            assert number >= 4  # two results, ledger and record: else renames were not seen
            return
    raise AssertionError("the batch never finished")


class WholeRun(PlainWork):
    """The same in a whole run: tables that depend on the stack and on its settings."""

    def compute(self, job: Job, stack: bytes, progress: Progress) -> str:
        return f"{job.settings['analysis']['xy_um']},{len(stack)}"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_is_killed_at_every_rename_of_its_own_files(tmp_path: Path, after: bool, monkeypatch: pytest.MonkeyPatch
                                                          ) -> None:
    monkeypatch.setattr(running, "_executor", lambda *_: InThisProcess(WholeRun()))
    make_stack(tmp_path / "in", NAMES[0])

    def analyze(target: Path, xy_um: float) -> None:
        analyze_run(RunFile(tmp_path / "in", target, "*.tif", None, BatchSettings({}, xy_um=xy_um), Overrides()))

    sizes = {"A": 0.1, "BB": 0.2}
    for setting, xy_um in sizes.items():
        analyze(tmp_path / setting, xy_um)
    target = tmp_path / "out"
    for number in range(100):
        setting = SETTINGS[number % 2]
        ended = run_child(partial(analyze, target, sizes[setting]), at_rename(number, kill, after=after))
        analyze(target, sizes[setting])
        undisturbed = contents(tmp_path / setting)
        found = contents(target)
        assert found.keys() == undisturbed.keys(), number
        assert [name for name in found if name not in WITH_TIMES and found[name] != undisturbed[name]] == [], number
        assert json.loads((target / CRATE).read_text())["@graph"]
        assert (target / OVERVIEW).read_text().rstrip().endswith("</html>")
        check_nothing_left(target)
        if ended == FINISHED:
            assert number >= 12  # of results, records, settings, tables and pages: else renames were not seen
            return
        assert ended == -signal.SIGKILL
    raise AssertionError("the batch never finished")
