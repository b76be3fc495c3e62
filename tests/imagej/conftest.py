"""Tests on a real ImageJ.

Java starts once per process and stays headless or not, so each folder below is one mode and runs in a pytest process
of its own, which `test_modes.py` starts. By hand: ``DEEPD3_TEST_MODE=headless pytest -p no:faulthandler
tests/imagej/headless``, and for the display ``DEEPD3_TEST_MODE=display xvfb-run openbox --startup "pytest -p
no:faulthandler tests/imagej/display"``. The tests run on the embedded ImageJ, or on the Fiji that ``DEEPD3_TEST_HOST``
names.
"""

import os

import pytest

from tests.scripts.host_process import MODULES

MODES = ("headless", "commands", "display", "fiji")

collect_ignore_glob = [f"{mode}/*" for mode in MODES if mode != os.environ.get("DEEPD3_TEST_MODE")]


def host() -> str:
    """What the tests of this process run on."""
    return os.environ.get("DEEPD3_TEST_HOST", "embedded")


@pytest.fixture(scope="session", autouse=True)
def _own_preferences(tmp_path_factory: pytest.TempPathFactory) -> None:
    """ImageJ's and Java's settings go to a temporary folder; Jython finds what the tests share."""
    home = tmp_path_factory.mktemp("home")
    os.environ["JAVA_TOOL_OPTIONS"] = (f"-Duser.home={home} -Djava.util.prefs.userRoot={home} "
                                       f"-Dpython.path={MODULES}")
