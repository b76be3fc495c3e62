"""Programs whose streams are closed, broken or full, and that are asked to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deepd3_ij.cli.console import shown_progress
from deepd3_ij.program import run_program
from tests.faults.children import run_child

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams are closed as POSIX has them")

TABLE = "id,z_px,y_px,x_px,z_um,y_um,x_um\n1,1,2,3,.5,.2,.3\n"
COMMAND = [sys.executable, "-m", "deepd3_ij", "evaluate", "a.csv", "b.csv"]
FULL = "/dev/full"


def evaluated(folder: Path, *, closed: tuple[int, ...] = (), **streams: Any) -> subprocess.CompletedProcess[str]:
    """Run a command with some of its streams closed, or led elsewhere."""
    def close() -> None:
        for number in closed:
            os.close(number)

    for name in "ab":
        (folder / f"{name}.csv").write_text(TABLE)
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(COMMAND, cwd=folder, text=True, preexec_fn=close, check=False, **{**kept, **streams})


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_results_are_written_without_streams(tmp_path: Path, closed: tuple[int, ...]) -> None:
    done = evaluated(tmp_path, closed=closed)
    assert done.returncode == 0
    assert json.loads((tmp_path / "a_evaluation.json").read_text())["f1"] == 1
    assert "Traceback" not in done.stderr + done.stdout


def test_results_are_written_when_there_is_no_room_for_messages(tmp_path: Path) -> None:
    with open(FULL, "w") as full:
        done = evaluated(tmp_path, stderr=full)
    assert done.returncode == 0
    assert json.loads((tmp_path / "a_evaluation.json").read_text())["f1"] == 1
    assert "Traceback" not in done.stdout


def test_a_full_disk_for_what_is_printed_is_one_line(tmp_path: Path) -> None:
    with open(FULL, "w") as full:
        done = evaluated(tmp_path, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "deepd3-ij: a disk is full, perhaps the one that takes what is printed; free space\n"


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = evaluated(tmp_path, stdout=writing)
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert (tmp_path / "a_evaluation.json").is_file()


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_request_to_end_stops_at_the_next_step(tmp_path: Path, number: str) -> None:
    reached = tmp_path / "reached"

    def work() -> None:
        with shown_progress(quiet=True) as progress:
            progress(0, 2, "step")
            with suppress(KeyboardInterrupt):  # as a library may do
                os.kill(os.getpid(), getattr(signal, number))
            progress(1, 2, "step")
        reached.touch()

    codes = tmp_path / "code"
    assert run_child(lambda: codes.write_text(str(run_program("test", work))),
                     lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL) and None) == 0
    assert codes.read_text() == "1"
    assert not reached.exists()


def test_nohup_is_respected(tmp_path: Path) -> None:
    codes = tmp_path / "code"

    def work() -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    assert run_child(lambda: codes.write_text(str(run_program("test", work))),
                     lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN) and None) == 0
    assert codes.read_text() == "0"


def test_warnings_of_libraries_stay_away_and_own_ones_are_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        warnings.warn_explicit("something odd", UserWarning, "/usr/lib/library.py", 12)
        from deepd3_ij import program

        warnings.warn_explicit("two\nlines", UserWarning, program.__file__, 12)

    assert run_program("test", work) == 0
    assert capsys.readouterr().err == "test: two\\nlines\n"


def test_with_debug_the_trace_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise ValueError("odd")

    assert run_program("test", work) == 1
    assert capsys.readouterr().err == "test: unexpected ValueError: odd (run again with --debug for the trace)\n"
    assert run_program("test", work, debug=True) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["deepd3_ij", "deepd3_ij.cli.original_batch"])
def test_every_command_takes_debug(tmp_path: Path, module: str) -> None:
    words = {"deepd3_ij": ["analyze", "none.tif", "--out", str(tmp_path)],
             "deepd3_ij.cli.original_batch": [str(tmp_path / "none.tif"), "none.h5"]}[module]
    done = subprocess.run([sys.executable, "-m", module, *words, "--debug"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "none.tif does not exist" in done.stderr.splitlines()[-1]
