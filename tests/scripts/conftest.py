"""A folder laid out as Fiji.app with the menu installed, and a Java process that uses it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepd3_ij.install import installer
from tests.imagej.private_display import private_display
from tests.scripts.host_process import Host
from tests.scripts.user import User
from tests.small_stack import write_small_stack

# Java starts once per process: these tests run in a pytest process of their own (test_in_process_path.py starts it).
collect_ignore_glob = [] if os.environ.get("DEEPD3_TEST_MODE") == "scripts" else ["in_process/*"]


@pytest.fixture(scope="session", params=["plain", pytest.param("full", marks=pytest.mark.fiji)])
def fiji_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The menu as ``install-fiji`` puts it into a Fiji: into an empty one, and into the one that DEEPD3_FIJI names."""
    if request.param == "plain":
        folder = tmp_path_factory.mktemp("fiji") / "Fiji.app"
        (folder / "jars").mkdir(parents=True)
        installer.install(folder)
        yield folder
        return
    named = os.environ.get("DEEPD3_FIJI")
    if not named or not Path(named).is_dir():
        pytest.skip("DEEPD3_FIJI names no Fiji folder")
    folder = tmp_path_factory.mktemp("full") / "Fiji.app"
    shutil.copytree(named, folder, copy_function=link_or_copy)  # the Fiji itself stays as it is
    installer.install(folder)
    yield folder


def link_or_copy(source: str, target: str) -> None:
    """Links that name the file itself: Jython looks for its modules beside the file that its jar really is."""
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def host(fiji_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A Java process without windows."""
    host = Host(fiji_folder, tmp_path_factory.mktemp("host"))
    yield host
    host.close()


@pytest.fixture(scope="session")
def visible(fiji_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """A Java process with windows on a display of its own, and a user's hands there."""
    with private_display() as display:
        host = Host(fiji_folder, tmp_path_factory.mktemp("visible"), headless=False, display=display)
        yield User(host, display)
        host.close()


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    """A small stack with a bright line and blobs beside it."""
    return write_small_stack(tmp_path / "small.tif")
