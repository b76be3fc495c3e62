"""What a person did to results is never lost, and never taken for an analysis."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deepd3_ij.errors import OutputError
from deepd3_ij.outputs.ledger import Ledger
from tests.faults.little_batch import contents, make_stack, run_little_batch


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    make_stack(tmp_path / "in")
    run_little_batch(tmp_path / "in", tmp_path / "out", "A")
    return tmp_path / "in", tmp_path / "out"


@pytest.mark.parametrize("setting", ["A", "BB"])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("name", ["a_centroids.csv", "a_rois.zip", "a/0/1.csv"])
def test_a_corrected_result_is_kept(folders: tuple[Path, Path], name: str, setting: str, again: bool) -> None:
    corrected = folders[1] / name
    before = (folders[1] / "a_rois.zip").read_bytes()
    corrected.write_bytes(before + b"corrected" if name.endswith("zip") else b"corrected")
    if name.endswith("zip"):  # still a zip, with something in front
        corrected.write_bytes(b"corrected" + before)
    after = contents(folders[1])
    result = run_little_batch(*folders, setting, resume=not again)
    assert [item.stem for item, _ in result.kept] == ["a"]
    assert name.split("/")[0] in result.kept[0][1]
    assert contents(folders[1]) == after


def test_a_corrected_result_is_replaced_if_the_user_says_so(folders: tuple[Path, Path]) -> None:
    wanted = contents(folders[1])
    (folders[1] / "a_centroids.csv").write_text("corrected")
    result = run_little_batch(*folders, "A", overwrite=True)
    assert len(result.done) == 1
    assert contents(folders[1]) == wanted


def test_the_same_content_with_another_time_is_not_corrected(folders: tuple[Path, Path]) -> None:
    os.utime(folders[1] / "a_centroids.csv", ns=(1, 1))
    assert len(run_little_batch(*folders, "A").skipped) == 1


def test_a_correction_of_the_same_length_and_time_of_a_folder_is_seen(folders: tuple[Path, Path]) -> None:
    outline = folders[1] / "a" / "0" / "1.csv"
    status = outline.stat()
    outline.write_text(outline.read_text().replace("1", "2"))
    os.utime(outline, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert len(run_little_batch(*folders, "A").kept) == 1


@pytest.mark.parametrize("name", ["a_centroids.csv", "a_rois.zip", "a_roi_map.tif"])
def test_an_empty_result_is_made_again(folders: tuple[Path, Path], name: str) -> None:
    wanted = contents(folders[1])
    (folders[1] / name).write_bytes(b"")
    assert len(run_little_batch(*folders, "A").done) == 1
    assert contents(folders[1]) == wanted


@pytest.mark.parametrize("name", ["a_rois.zip", "a_roi_map.tif"])
@pytest.mark.parametrize("part", [0.3, 0.99])
def test_a_half_written_result_is_made_again(folders: tuple[Path, Path], name: str, part: float) -> None:
    wanted = contents(folders[1])
    whole = (folders[1] / name).read_bytes()
    (folders[1] / name).write_bytes(whole[:int(len(whole) * part)])
    assert len(run_little_batch(*folders, "A").done) == 1
    assert contents(folders[1]) == wanted


def test_a_file_that_was_there_before_is_not_replaced(folders: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "other"
    target.mkdir()
    (target / "a_rois.zip").write_text("drawn by hand")
    result = run_little_batch(folders[0], target, "A")
    assert "a_rois.zip was not written by DeepD3" in result.failed[0][1]
    assert "--overwrite" in result.failed[0][1]
    assert contents(target).keys() == {"a_rois.zip"}
    assert (target / "a_rois.zip").read_text() == "drawn by hand"


def test_a_correction_during_the_work_is_kept(folders: tuple[Path, Path]) -> None:
    ledger = Ledger(folders[1], "a")
    ledger.check(["_centroids.csv"])
    (folders[1] / "a_centroids.csv").write_text("corrected meanwhile")
    made = folders[1] / "new"
    made.mkdir()
    (made / "a_centroids.csv").write_text("new")
    with pytest.raises(OutputError, match="was changed after DeepD3 wrote it"):
        ledger.approve([made / "a_centroids.csv"])


@pytest.mark.parametrize("damage", ["gone", "[1", "[]", '{"a_centroids.csv": 7}', '{"a_centroids.csv": [7]}', "\x00"])
def test_a_damaged_ledger_never_lets_a_result_be_replaced(folders: tuple[Path, Path], damage: str) -> None:
    ledger = Ledger(folders[1], "a")
    if damage == "gone":
        ledger.file.unlink()
    else:
        ledger.file.write_text(damage)
    (folders[1] / "a_done.json").unlink()
    before = contents(folders[1])
    result = run_little_batch(*folders, "BB")
    assert len(result.failed) + len(result.kept) == 1
    assert contents(folders[1]) == before


def test_results_that_another_command_replaced_are_not_believed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    before = contents(folders[1])
    run_little_batch(folders[0], tmp_path / "other", "BB")
    made = tmp_path / "other"
    Ledger(folders[1], "a").approve([made / "a_centroids.csv"])
    (made / "a_centroids.csv").replace(folders[1] / "a_centroids.csv")
    assert len(run_little_batch(*folders, "A").done) == 1
    assert contents(folders[1]) == before
