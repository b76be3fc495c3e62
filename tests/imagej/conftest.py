"""Tests on a real ImageJ.

Java starts once per process and stays headless or not, so each folder below is one mode and runs in a pytest process
of its own, which `test_modes.py` starts. By hand: ``DEEPD3_TEST_MODE=headless pytest tests/imagej/headless``, and for
the display ``DEEPD3_TEST_MODE=display xvfb-run openbox --startup "pytest tests/imagej/display"``.
"""

import os

import pytest

MODES = ("headless", "commands", "display", "fiji")

collect_ignore_glob = [f"{mode}/*" for mode in MODES if mode != os.environ.get("DEEPD3_TEST_MODE")]


@pytest.fixture(scope="session", autouse=True)
def _own_preferences(tmp_path_factory: pytest.TempPathFactory) -> None:
    """ImageJ's, Java's and this package's settings go to a temporary folder."""
    home = tmp_path_factory.mktemp("home")
    os.environ["JAVA_TOOL_OPTIONS"] = f"-Duser.home={home} -Djava.util.prefs.userRoot={home}"
    os.environ["DEEPD3_SETTINGS"] = str(home / "settings.json")
