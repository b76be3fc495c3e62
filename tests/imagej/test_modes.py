"""Runs the tests of every ImageJ mode on the embedded ImageJ and on a Fiji, each in a process of its own."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.imagej.private_display import private_display

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "host"), [
    ("headless", "embedded"), ("commands", "embedded"), pytest.param("display", "embedded", marks=pytest.mark.display),
    pytest.param("headless", "fiji", marks=pytest.mark.fiji), pytest.param("fiji", "fiji", marks=pytest.mark.fiji),
    pytest.param("display", "fiji", marks=[pytest.mark.display, pytest.mark.fiji])])
def test_all_tests_of_the_mode_pass(mode: str, host: str) -> None:
    if host == "fiji":
        host = os.environ.get("DEEPD3_FIJI", "")
        if not host:
            pytest.skip("needs a full Fiji: set DEEPD3_FIJI to its folder")
    environment = {**os.environ, "DEEPD3_TEST_MODE": mode, "DEEPD3_TEST_HOST": host}
    with ExitStack() as stack:
        if mode == "display":
            environment["DISPLAY"] = stack.enter_context(private_display())
        # pytest's faulthandler takes back the signal handler that a running Java needs, which then ends in a fault.
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler",
             f"tests/imagej/{mode}"],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800, check=False)
    print(run.stdout)  # for pytest -rP, and on failure
    assert run.returncode == 0, run.stdout + run.stderr
