from __future__ import annotations

import json
import os
import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from deepd3_ij.batch import BatchItem, BatchResult, BatchSettings, analyze_folder, find_stacks, run_batch, stages
from deepd3_ij.batch.board import Board, as_progress
from deepd3_ij.batch.jobs import Event, Job
from deepd3_ij.batch.pool import share_of_memory
from deepd3_ij.batch.records import input_states
from deepd3_ij.batch.running import InThisProcess
from deepd3_ij.batch.stages import AnalysisWork, Stack
from deepd3_ij.batch.text_log import TextLog
from deepd3_ij.errors import Cancelled, ParameterError, StackError
from deepd3_ij.memory import plan
from deepd3_ij.model import load_model
from deepd3_ij.parameters import Roi2DParameters, Roi3DParameters
from deepd3_ij.progress import Progress, no_progress
from tests.small_stack import write_small_stack

SETTINGS: dict[str, object] = {"area_threshold": 0.25}


def write_tiff(path: Path, value: int = 0, **options: object) -> None:
    tifffile.imwrite(path, np.full((2, 8, 8), value, np.uint8), photometric="minisblack", **options)


class Work:
    """Writes one result for each stack and remembers which were asked for."""

    def __init__(self, failing: tuple[str, ...] = (), cancelled_at: str = "") -> None:
        self.failing, self.cancelled_at = failing, cancelled_at
        self.seen: list[str] = []

    def read(self, job: Job, facts: dict[str, Any]) -> None:
        self.seen.append(job.item.stem)

    def compute(self, job: Job, stack: None, progress: Progress) -> None:
        if job.item.stem in self.failing:
            raise StackError(f"{job.item.stem} is damaged")
        if job.item.stem == self.cancelled_at:
            raise Cancelled

    def write(self, job: Job, result: None, progress: Progress) -> list[Path]:
        file = job.item.folder / f"{job.item.stem}_spines.csv"
        file.write_text("id\n")
        return [file]


def run(items: Sequence[BatchItem], work: Work, settings: dict[str, object] = SETTINGS, **options: Any) -> BatchResult:
    return run_batch(items, InThisProcess(work), lambda item: settings, **options)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source = tmp_path / "in"
    for name in ("a.tif", "b.ome.tif", "deeper/a.tiff"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        write_tiff(source / name)
    (source / "notes.txt").write_text("")
    return source, tmp_path / "out"


def test_stacks_of_all_folders_are_found_and_the_tree_is_kept(folders: tuple[Path, Path]) -> None:
    source, target = folders
    items, _ = find_stacks(source, target)
    assert [(item.source.relative_to(source).as_posix(), item.folder, item.stem) for item in items] == [
        ("a.tif", target, "a"), ("b.ome.tif", target, "b"), ("deeper/a.tiff", target / "deeper", "a")]


def test_results_below_the_stacks_are_no_stacks(folders: tuple[Path, Path]) -> None:
    source, _ = folders
    target = source / "results"
    target.mkdir()
    write_tiff(target / "a_spines.tif")
    items, passed = find_stacks(source, target)
    assert len(items) == 3
    assert [(entry.path, entry.reason) for entry in passed if entry.path == target] == [
        (target, "the folder for the results")]


def test_a_folder_without_stacks_is_an_error(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"matches '\*\.lif' is a stack"):
        find_stacks(folders[0], tmp_path, "*.lif")
    with pytest.raises(StackError, match="is no folder"):
        find_stacks(tmp_path / "missing", tmp_path)


def test_two_stacks_with_the_same_results_are_an_error(folders: tuple[Path, Path]) -> None:
    write_tiff(folders[0] / "a.tiff")
    with pytest.raises(StackError, match=r"a\.tif and a\.tiff would get results of the same name"):
        find_stacks(*folders)


def test_one_that_fails_is_listed_and_does_not_stop_the_others(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)[0]
    result = run(items, Work(failing=("b",)), SETTINGS)
    assert result.done == (items[0], items[2])
    assert result.failed == ((items[1], "b is damaged"),)
    assert not items[1].record.exists()


def test_what_is_done_is_skipped_and_what_failed_is_done_again(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)[0]
    run(items, Work(failing=("b",)), SETTINGS)
    work = Work()
    result = run(items, work, SETTINGS)
    assert work.seen == ["b"]
    assert (result.done, result.skipped) == ((items[1],), (items[0], items[2]))


@pytest.mark.parametrize("change", ["stack", "time", "settings", "result", "record"])
def test_what_has_changed_is_done_again(change: str, folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)[0]
    run(items, Work(), SETTINGS)
    settings = SETTINGS
    if change == "stack":
        write_tiff(items[0].source, 7)
    elif change == "time":
        os.utime(items[0].source, ns=(1, 1))
    elif change == "result":
        (items[0].folder / "a_spines.csv").unlink()
    elif change == "record":
        items[0].record.write_text("[1")
    else:
        settings = {"area_threshold": 0.3}
    work = Work()
    run(items, work, settings)
    assert work.seen == (["a", "b", "a"] if change == "settings" else ["a"])


def test_a_run_that_only_looks_at_what_is_done_says_that_it_lives(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)[0]
    run(items, Work())
    calls: list[int] = []
    assert len(run(items, Work(), keep_alive=lambda: calls.append(1)).skipped) == len(items)
    assert len(calls) >= len(items)


def test_everything_is_done_again_without_resume(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)[0]
    run(items, Work(), SETTINGS)
    work = Work()
    run(items, work, SETTINGS, resume=False)
    assert len(work.seen) == 3


def test_cancelling_keeps_what_is_done(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)[0]
    with pytest.raises(Cancelled):
        run(items, Work(cancelled_at="b"), SETTINGS)
    work = Work()
    run(items, work, SETTINGS)
    assert work.seen == ["b", "a"]


def test_a_record_cannot_point_out_of_its_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    items = find_stacks(*folders)[0][:1]
    run(items, Work(), SETTINGS)
    (tmp_path / "elsewhere.csv").write_text("")
    text = items[0].record.read_text()
    items[0].record.write_text(text.replace("a_spines.csv", "../elsewhere.csv"))
    work = Work()
    run(items, work, SETTINGS)
    assert work.seen == ["a"]


def test_progress_runs_through_all_stacks(folders: tuple[Path, Path]) -> None:
    calls: list[tuple[int, int]] = []
    run(find_stacks(*folders)[0], Work(),
        watch=as_progress(lambda done, total, message: calls.append((done, total))))
    parts = [done / total for done, total in calls]
    assert parts == sorted(parts)
    assert {0.0, 1.0} <= set(parts)
    assert len(set(parts)) >= 4


def test_the_line_of_a_worker_is_the_stack_that_is_computed_and_the_time_left_counts_voxels(
        folders: tuple[Path, Path]) -> None:
    items, now = find_stacks(*folders)[0], 0.0
    board = Board([Job(item, {}, voxels=voxels) for item, voxels in zip(items, (100, 300, 600), strict=True)],
                  lambda: now)
    assert board.seconds_left() is None
    for event in (Event("start", 0), Event("step", 0, step="Predicting"), Event("start", 1),
                  Event("step", 0, step="Write results", done=1, total=2),
                  Event("step", 1, step="Predicting"), Event("step", 0, step="Write results", done=1, total=2)):
        board.see(event)
    assert (board.lines[1].number, board.lines[1].step) == (2, "Predicting")
    board.see(Event("done", 0))
    assert board.lines[1].number == 2
    board.see(Event("done", 1))
    now = 8.0
    assert board.fraction == pytest.approx(0.4)
    assert board.seconds_left() == pytest.approx(12.0)


def test_a_value_that_is_not_accepted_stops_the_batch_before_its_first_stack(folders: tuple[Path, Path]) -> None:
    source, target = folders
    with pytest.raises(ParameterError, match="seed_delta is 50"):
        analyze_folder(source, target, None, BatchSettings({Roi3DParameters: {"seed_delta": 50}}))
    assert not target.exists()


def test_other_settings_are_other_results() -> None:
    flat = BatchSettings({Roi2DParameters: {"min_area_px": 5}})
    deep = BatchSettings({Roi3DParameters: {"min_voxels": 5}})
    assert flat.to_dict() != deep.to_dict()
    assert json.loads(json.dumps(flat.to_dict())) == BatchSettings({Roi2DParameters: {"min_area_px": 5}}).to_dict()


def test_a_stack_that_is_replaced_while_it_is_analyzed_fails_and_is_done_again(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)[0][:1]

    class Replacing(Work):
        def compute(self, job: Job, stack: None, progress: Progress) -> None:
            write_tiff(job.item.source, 9)

    result = run(items, Replacing(), SETTINGS)
    assert "was changed while it was analyzed" in result.failed[0][1]
    assert not items[0].record.exists()
    assert run(items, Work(), SETTINGS).done == (items[0],)


def test_a_file_of_a_set_that_is_replaced_is_noticed(folders: tuple[Path, Path]) -> None:
    first, second = find_stacks(*folders)[0][:2]
    item = BatchItem(first.source, first.folder, first.stem, (first.source, second.source))
    run([item], Work(), SETTINGS)
    assert run([item], Work(), SETTINGS).skipped == (item,)
    write_tiff(second.source, 9)
    assert run([item], Work(), SETTINGS).done == (item,)


def test_the_log_has_the_trace_of_every_failure_and_what_was_passed_over(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    write_tiff(source / "no_size.tif")
    (source / "odd\n\x1b.tif").write_text("no tiff")
    settings = BatchSettings({Roi3DParameters: {}})
    for _ in range(2):
        result = analyze_folder(source, target, None, settings)
    assert len(result.failed) == 1
    assert result.log == target / "log.txt"
    text = result.log.read_text(encoding="utf-8")
    assert text.count("DeepD3 batch ") == 2
    assert text.count("Traceback") == 2
    assert "VoxelSizeError" in text
    assert f"passed over: {source}/odd\\n\\x1b.tif: no TIFF file" in text
    assert "\x1b" not in text


def test_a_log_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("my notes")
    log = TextLog(tmp_path)
    log.begin("a to b", [])
    assert not log.is_needed
    log.add("failed: a")
    assert log.file == tmp_path / "deepd3_log.txt"
    assert (tmp_path / "log.txt").read_text() == "my notes"
    assert log.file.read_text().splitlines()[1] == "failed: a"


@pytest.mark.parametrize(("memory_bytes", "workers", "halved", "share"), [
    (6_000_000_000, 2, False, 3_000_000_000), (6_000_000_000, 1, True, 3_000_000_000), (None, 1, False, None)])
def test_workers_share_the_memory_and_a_second_try_gets_half(
    memory_bytes: int | None, workers: int, halved: bool, share: int | None
) -> None:
    assert share_of_memory(memory_bytes, workers, halved=halved) == share


def test_a_stack_that_does_not_fit_is_done_in_slabs_with_the_same_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_small_stack(tmp_path / "small.tif")
    work = AnalysisWork(load_model(None))
    files = {}
    for name in ("whole", "slabs"):
        (tmp_path / name).mkdir()
        job = Job(BatchItem(source, tmp_path / name, "small", (source,), "small.tif"),
                  {"analysis": BatchSettings({}).to_dict()})
        stack = Stack(0, job)
        stack.read(work)
        stack.compute(work, no_progress)
        written = work.write(job, stack.content, no_progress)
        files[name] = {path.name: path.read_bytes() for path in written if path.suffix in (".csv", ".zip", ".tif")}
        monkeypatch.setattr(stages, "plan", lambda *shape, **about: replace(plan(*shape, **about), slab_bytes=1))
    assert files["whole"] == files["slabs"]
    assert len(files["whole"]) > 3


def test_a_stack_that_is_a_folder_counts_as_its_files(tmp_path: Path) -> None:
    store = tmp_path / "cell.ome.zarr"
    (store / "0").mkdir(parents=True)
    (store / "0" / "0").write_bytes(b"abc")
    item = BatchItem(store, tmp_path, "cell", (store,), "cell.ome.zarr")
    before = input_states(item)
    assert input_states(item) == before
    (store / "0" / "1").write_bytes(b"d")
    assert input_states(item) != before


def test_warnings_of_every_stack_are_kept_and_those_of_other_threads_are_shown(
        folders: tuple[Path, Path], recwarn: pytest.WarningsRecorder) -> None:
    class Doubtful(Work):
        def compute(self, job: Job, stack: None, progress: Progress) -> None:
            warnings.warn_explicit("doubtful", UserWarning, stages.__file__, 1, stages.__name__, registry)
            thread = threading.Thread(target=lambda: warnings.warn("of a library", RuntimeWarning, stacklevel=1))
            thread.start()
            thread.join()

    items = find_stacks(*folders)[0]
    registry: dict[str, int] = {}
    assert not run(items, Doubtful()).failed
    assert all(json.loads(item.record.read_text())["run"]["warnings"] == ["doubtful"] for item in items)
    assert {str(warning.message) for warning in recwarn} == {"of a library"}
