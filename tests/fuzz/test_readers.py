"""Damaged files of every kind are read or refused in one line; nothing else, and in little time and memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.pool import Worker
from tests.fuzz.readers import READERS
from tests.fuzz.worker import outcome

CORPUS = sorted(path for path in Path(__file__).with_name("corpus").glob("*/*") if path.is_file())
INPUTS = 100
"""Of each reader."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the worker's answers are waited for with select()")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process with time and memory limits."""
    made = Worker()
    yield made
    made.close()


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(worker: Worker, name: str) -> None:
    results = dict(worker.run(f"{name} {seed}" for seed in range(INPUTS)))
    assert {line: result for line, result in results.items() if result not in ("read", "refused")} == {}
    assert "refused" in results.values()


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_files_that_once_failed_are_read_or_refused(worker: Worker, path: Path) -> None:
    ((_, result),) = worker.run([f"{path.parent.name} {path}"])
    assert result in ("read", "refused")


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(tmp_path: Path, name: str) -> None:
    for sample in READERS[name].samples():
        path = tmp_path / f"a{READERS[name].suffix}"
        path.write_bytes(sample)
        result = outcome(READERS[name], path)
        assert result == "read" or (name in ("tiff-ome", "mask-tiff") and result == "refused")


@pytest.mark.parametrize("name", ["swc", "csv", "settings", "manifest"])
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("text") / f"a{READERS[name].suffix}"
    words = st.sampled_from(["1", "-1", "3", "0.5", "1e9", "nan", ",", ";", "\t", "\n", "\r\n", " ", '"', "#", "{", "}",
                             "[", "]", ":", "id", "z_px", "y_px", "x_px", "X", "Y", "Pos", "method", "files", "python"])

    @settings(max_examples=60)
    @given(st.lists(words | st.text(max_size=3), max_size=40).map("".join))
    def check(text: str) -> None:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        assert outcome(READERS[name], path) in ("read", "refused")

    check()
