"""The command batch: exit codes, files, repetition, shards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from deepd3_ij.batch.lock import RunLock
from deepd3_ij.batch.stages import AnalysisWork
from deepd3_ij.cli import main
from tests.faults.little_batch import contents
from tests.small_stack import write_small_stack

OVERALL = ("stacks.csv", "overview.html", "ro-crate-metadata.json", "log.jsonl", "run.yaml", "all_spines.csv",
           "all_dendrites.csv")


def results(folder: Path) -> dict[str, str]:
    """Contents of the stacks' own results."""
    return {name: digest for name, digest in contents(folder).items() if name.startswith(("a", "b")) and
            name not in OVERALL}


def batch(*words: object) -> int:
    return main(["batch", *map(str, words), "--quiet"])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("a.tif", "b.tif"):
        write_small_stack(tmp_path / "in" / name)
    return tmp_path / "in"


@pytest.mark.slow
def test_a_batch_is_repeated_by_its_file_and_by_its_shards(source: Path, tmp_path: Path,
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out"
    assert batch(source, target, "--workers", 2, "--min-peak", 0.6) == 0
    assert capsys.readouterr().out.splitlines()[0] == "2 done, 0 done before, 0 failed"
    assert {path.name for path in target.iterdir()} >= set(OVERALL)
    assert "  min_peak: 0.6  # command line" in (target / "run.yaml").read_text()
    events = [json.loads(line) for line in (target / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events].count("done") == 2
    assert {event["worker"] for event in events if event["event"] == "done"} <= {1, 2}
    run_file = (target / "run.yaml").read_bytes()

    assert batch("--config", target / "run.yaml") == 0
    assert capsys.readouterr().out.splitlines()[0] == "0 done, 2 done before, 0 failed"
    assert (target / "run.yaml").read_bytes() == run_file

    for number in (1, 2):
        assert batch("--config", target / "run.yaml", source, tmp_path / "parts", "--shard", f"{number}/2",
                     "--workers", 0) == 0
    assert not (tmp_path / "parts" / "stacks.csv").exists()
    assert main(["batch-summary", str(tmp_path / "parts")]) == 0
    assert results(tmp_path / "parts") == results(target)
    for name in ("all_spines.csv", "all_dendrites.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (target / name).read_bytes()


@pytest.mark.parametrize("words", [
    ["{in}", "{out}", "--pattern", "*.lif"], ["{in}"], ["--config", "{in}/none.yaml"],
    ["{in}", "{out}", "--table", "{in}/none.csv"], ["{in}", "{out}", "--model", "none"]])
def test_a_batch_that_cannot_begin_ends_with_2(source: Path, tmp_path: Path, words: Sequence[str],
                                               capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(*(word.format(**{"in": source, "out": tmp_path / "out"}) for word in words)) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not list((tmp_path / "out").glob("*"))


def test_a_second_run_in_a_folder_ends_with_2(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    lock = RunLock(tmp_path / "out")
    assert batch(source, tmp_path / "out") == 2
    assert "Another run" in capsys.readouterr().err
    lock.release()


def test_failed_stacks_end_with_1_and_an_interrupt_with_130(source: Path, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    (source / "a.tif").write_bytes((source / "a.tif").read_bytes()[:300])

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AnalysisWork, "compute", interrupt)
    assert batch(source, tmp_path / "out", "--workers", 0) == 130
    assert "interrupted; what is done is kept" in capsys.readouterr().err
    (source / "b.tif").unlink()
    assert batch(source, tmp_path / "out", "--workers", 0) == 1
    assert "Failed: 1" in (tmp_path / "out" / "overview.html").read_text()
    assert not list((tmp_path / "out" / ".deepd3").glob("*.lock"))
