"""Runs the tests of a Fiji that Python hosts in a process of its own, as Java starts once per process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("host", ["embedded", pytest.param("fiji", marks=pytest.mark.fiji)])
def test_the_scripts_find_the_service_of_the_python_that_hosts_java(host: str, tmp_path: Path) -> None:
    if host == "fiji":
        host = os.environ.get("DEEPD3_FIJI", "")
        if not host:
            pytest.skip("DEEPD3_FIJI names no Fiji folder")
    options = f"-Duser.home={tmp_path} -Djava.util.prefs.userRoot={tmp_path}"
    # pytest's faulthandler takes back the signal handler that a running Java needs, which then ends in a fault.
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler",
         str(Path(__file__).parent / "in_process")],
        env={**os.environ, "DEEPD3_TEST_MODE": "scripts", "DEEPD3_TEST_HOST": host, "JAVA_TOOL_OPTIONS": options},
        capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " passed" in run.stdout
