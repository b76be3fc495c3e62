"""From an unpacked archive in an empty home folder to the first segmentation, with the package index."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from deepd3_ij.install import installer
from deepd3_ij.install.archive import write_archive
from tests.conftest import ROOT
from tests.scripts.conftest import link_or_copy
from tests.scripts.host_process import Host
from tests.scripts.packing import make_wheel, unpack
from tests.small_stack import write_small_stack

pytestmark = [pytest.mark.slow, pytest.mark.fiji]


def test_an_unpacked_archive_leads_to_the_first_segmentation(tmp_path: Path) -> None:
    fiji = tmp_path / "Fiji.app"
    shutil.copytree(os.environ["DEEPD3_FIJI"], fiji, copy_function=link_or_copy)
    unpack(write_archive(make_wheel(tmp_path / "wheel"), tmp_path / "dist"), fiji)
    home = tmp_path / "home"
    home.mkdir()
    host = Host(fiji, home, environment={"HOME": str(home), "XDG_DATA_HOME": "", "PYTHONPATH": ""})
    try:
        look = str(ROOT / "tests" / "scripts" / "jython" / "look.py")
        stack = write_small_stack(tmp_path / "small.tif")
        assert "DeepD3 Setup..." in host.ask("run", "Open DeepD3 Stack...", path=stack)
        assert host.ask("run", "DeepD3 Setup...", action="create or update") == "done", host.log()
        python = home / ".local" / "share" / "deepd3_ij" / "env" / "bin" / "python"
        assert json.loads((fiji / installer.MANIFEST).read_text())["python"] == str(python)
        assert host.ask("run", "Open DeepD3 Stack...", path=stack) == "done"
        assert host.ask("run", "Segment Dendrites and Spines...") == "done"
        assert json.loads(host.ask("script", look))["role"] == "prediction"
        installer.verify(fiji)
    finally:
        host.close()
    installer.uninstall(fiji)
    assert not (fiji / installer.OWN_FOLDER).exists()
    assert any((fiji / "jars").glob("jython*.jar"))
