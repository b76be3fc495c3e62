from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from deepd3_ij.batch import BatchItem, BatchSettings, analyze_folder, find_stacks, run_batch
from deepd3_ij.errors import Cancelled, ParameterError, StackError
from deepd3_ij.parameters import Roi2DParameters, Roi3DParameters
from deepd3_ij.progress import Progress

SETTINGS: dict[str, object] = {"area_threshold": 0.25}


class Work:
    """Writes one result for each stack and remembers which were asked for."""

    def __init__(self, failing: tuple[str, ...] = (), cancelled_at: str = "") -> None:
        self.failing, self.cancelled_at = failing, cancelled_at
        self.seen: list[str] = []

    def __call__(self, item: BatchItem, progress: Progress) -> Iterable[Path]:
        self.seen.append(item.stem)
        if item.stem in self.failing:
            raise StackError(f"{item.stem} is damaged")
        if item.stem == self.cancelled_at:
            raise Cancelled
        result = item.folder / f"{item.stem}_spines.csv"
        result.write_text("id\n")
        return [result]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    source = tmp_path / "in"
    for name in ("a.tif", "b.ome.tif", "deeper/a.tiff"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "notes.txt").write_text("")
    return source, tmp_path / "out"


def test_stacks_of_all_folders_are_found_and_the_tree_is_kept(folders: tuple[Path, Path]) -> None:
    source, target = folders
    items = find_stacks(source, target)
    assert [(item.source.relative_to(source).as_posix(), item.folder, item.stem) for item in items] == [
        ("a.tif", target, "a"), ("b.ome.tif", target, "b"), ("deeper/a.tiff", target / "deeper", "a")]


def test_results_below_the_stacks_are_no_stacks(folders: tuple[Path, Path]) -> None:
    source, _ = folders
    target = source / "results"
    target.mkdir()
    (target / "a_spines.tif").write_text("")
    assert len(find_stacks(source, target)) == 3


def test_a_folder_without_stacks_is_an_error(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"matches '\*\.lif'"):
        find_stacks(folders[0], tmp_path, "*.lif")
    with pytest.raises(StackError, match="is no folder"):
        find_stacks(tmp_path / "missing", tmp_path)


def test_two_stacks_with_the_same_results_are_an_error(folders: tuple[Path, Path]) -> None:
    (folders[0] / "a.tiff").write_text("")
    with pytest.raises(StackError, match=r"a\.tif and a\.tiff would get results of the same name"):
        find_stacks(*folders)


def test_one_that_fails_is_listed_and_does_not_stop_the_others(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)
    result = run_batch(items, Work(failing=("b",)), SETTINGS)
    assert result.done == (items[0], items[2])
    assert result.failed == ((items[1], "b is damaged"),)
    assert not items[1].record.exists()


def test_what_is_done_is_skipped_and_what_failed_is_done_again(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)
    run_batch(items, Work(failing=("b",)), SETTINGS)
    work = Work()
    result = run_batch(items, work, SETTINGS)
    assert work.seen == ["b"]
    assert (result.done, result.skipped) == ((items[1],), (items[0], items[2]))


@pytest.mark.parametrize("change", ["stack", "time", "settings", "result", "record"])
def test_what_has_changed_is_done_again(change: str, folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)
    run_batch(items, Work(), SETTINGS)
    settings = SETTINGS
    if change == "stack":
        items[0].source.write_text("another")
    elif change == "time":
        os.utime(items[0].source, ns=(1, 1))
    elif change == "result":
        (items[0].folder / "a_spines.csv").unlink()
    elif change == "record":
        items[0].record.write_text("[1")
    else:
        settings = {"area_threshold": 0.3}
    work = Work()
    run_batch(items, work, settings)
    assert work.seen == (["a", "b", "a"] if change == "settings" else ["a"])


def test_everything_is_done_again_without_resume(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)
    run_batch(items, Work(), SETTINGS)
    work = Work()
    run_batch(items, work, SETTINGS, resume=False)
    assert len(work.seen) == 3


def test_cancelling_keeps_what_is_done(folders: tuple[Path, Path]) -> None:
    items = find_stacks(*folders)
    with pytest.raises(Cancelled):
        run_batch(items, Work(cancelled_at="b"), SETTINGS)
    work = Work()
    run_batch(items, work, SETTINGS)
    assert work.seen == ["b", "a"]


def test_a_record_cannot_point_out_of_its_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    items = find_stacks(*folders)[:1]
    run_batch(items, Work(), SETTINGS)
    (tmp_path / "elsewhere.csv").write_text("")
    text = items[0].record.read_text()
    items[0].record.write_text(text.replace("a_spines.csv", "../elsewhere.csv"))
    work = Work()
    run_batch(items, work, SETTINGS)
    assert work.seen == ["a"]


def test_progress_counts_stacks(folders: tuple[Path, Path]) -> None:
    calls: list[tuple[int, int]] = []
    run_batch(find_stacks(*folders), Work(), SETTINGS,
              progress=lambda done, total, message: calls.append((done, total)))
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]


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
