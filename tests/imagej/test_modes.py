"""Runs the tests of every ImageJ mode, each in a process of its own."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.imagej.private_display import private_display

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mode", ["headless", "commands", pytest.param("display", marks=pytest.mark.display),
                                  pytest.param("fiji", marks=pytest.mark.fiji)])
def test_all_tests_of_the_mode_pass(mode: str) -> None:
    if mode == "fiji" and not os.environ.get("DEEPD3_FIJI"):
        pytest.skip("needs a full Fiji: set DEEPD3_FIJI to its folder")
    environment = {**os.environ, "DEEPD3_TEST_MODE": mode}
    with ExitStack() as stack:
        if mode == "display":
            environment["DISPLAY"] = stack.enter_context(private_display())
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/imagej/{mode}"],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    print(run.stdout)  # for pytest -rP, and on failure
    assert run.returncode == 0, run.stdout + run.stderr
