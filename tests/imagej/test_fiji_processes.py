"""How sessions with a full Fiji start, fail and end, each in a process of its own."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.imagej.private_display import private_display
from tests.imagej.test_processes import error_line, run

FIJI = os.environ.get("DEEPD3_FIJI")
pytestmark = [pytest.mark.fiji,
              pytest.mark.skipif(not FIJI, reason="needs a full Fiji: set DEEPD3_FIJI to its folder")]

FILTERS = """
import numpy as np
from deepd3_ij import label_stack
from deepd3_ij.fiji.java import java_class
image = session.push(label_stack(np.ones((3, 60, 60), np.float32), xy_um=1, z_um=1))
java_class('ij.plugin.filter.GaussianBlur')().blurGaussian(image.getProcessor(), 3.0)
java_class('ij.plugin.filter.RankFilters')().rank(image.getProcessor(), 3.0, 4)
"""
"""Filters of ImageJ that leave threads behind, where Java sees more than one processor core."""

CORES = {"JAVA_TOOL_OPTIONS": "-XX:ActiveProcessorCount=4"}


def gateway(mode: str, folder: str | Path = str(FIJI)) -> str:
    """A program that starts pyimagej itself."""
    return ("import imagej, scyjava\n"
            "from pathlib import Path\n"
            f"if any(Path({str(FIJI)!r}, 'jars').glob('imglib2-imglyb-*.jar')):\n"
            "    scyjava.config.endpoints.clear()\n"
            "scyjava.config.set_java_constraints(fetch='auto', version='17')\n"
            f"ij = imagej.init({str(folder)!r}, mode={mode!r})\n")


def without(jar: str, tmp_path: Path) -> Path:
    """The Fiji without one of its jars."""
    folder = tmp_path / "Fiji.app"
    (folder / "jars").mkdir(parents=True)
    for path in Path(str(FIJI), "jars").rglob("*.jar"):
        if not path.name.startswith(jar):
            (folder / "jars" / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize("end", ["", "session.close()", "fiji.end_process()"])
def test_a_program_that_used_fiji_ends_by_itself(end: str, tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    done = run(f"import time\nfrom deepd3_ij import fiji\nsession = fiji.connect({FIJI!r})\n{FILTERS}\n"
               f"print('done', end='')\nprint(time.time(), file=open({str(stamp)!r}, 'w'))\n{end}\n", tmp_path, **CORES)
    assert (done.returncode, done.stdout) == (0, "done"), done.stderr
    assert time.time() - float(stamp.read_text()) < 60  # it hangs for ever if it hangs


def test_a_gateway_that_exists_already_is_joined(tmp_path: Path) -> None:
    done = run(gateway("headless") + f"from deepd3_ij import fiji\nsession = fiji.connect(gateway=ij)\n{FILTERS}\n"
               "assert fiji.connect(gateway=ij) is session is fiji.connect()\n"
               "print(session.host, session.headless, session.pull(image).shape, session.context is not None)\n",
               tmp_path, **CORES)
    assert (done.returncode, done.stdout) == (0, "gateway True (3, 60, 60) True\n"), done.stderr


def test_a_gateway_without_the_original_imagej_is_refused(tmp_path: Path) -> None:
    line = error_line(run(gateway("headless", without("imagej-legacy", tmp_path)) +
                          "from deepd3_ij import fiji\nfiji.connect(gateway=ij)", tmp_path))
    assert line.startswith("deepd3_ij.errors.FijiError: This gateway has no original ImageJ")
    assert "add_legacy=True" in line


def test_java_that_runs_already_is_not_taken_for_a_fiji(tmp_path: Path) -> None:
    line = error_line(run(gateway("headless") + f"from deepd3_ij import fiji\nfiji.connect({FIJI!r})", tmp_path))
    assert "Java was started by something else in this process; use a new Python process, or connect(gateway=" in line


def test_without_network_a_fiji_without_imglyb_is_one_clear_line(tmp_path: Path) -> None:
    folder = without("imglib2-imglyb", tmp_path)
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": "",
               "JGO_CACHE_DIR": str(tmp_path / "jgo"), "HOME": str(tmp_path)}
    line = error_line(run(f"from deepd3_ij import fiji\nfiji.connect({str(folder)!r})", tmp_path, **nowhere))
    assert "from the SciJava Maven repository" in line
    assert "connect to the network and try again" in line


@pytest.mark.display
@pytest.mark.parametrize("mode", ["interactive", "gui"])
def test_a_visible_fiji_shows_its_window_and_python_goes_on_when_it_is_closed(mode: str, tmp_path: Path) -> None:
    if mode == "gui" and sys.platform == "darwin":
        pytest.skip("pyimagej's mode 'gui' keeps the main thread on macOS")
    code = f"""
import threading
from deepd3_ij import fiji
session = fiji.connect({FIJI!r}, mode={mode!r})
{FILTERS}
window = java_class('ij.IJ').getInstance()
assert window.isShowing()
image.show()
assert fiji.connect() is session
threading.Timer(1, window.quit).start()
session.wait_for_user(60)
assert java_class('ij.IJ').getInstance() is None
print(session.pull(image).shape)
try:
    fiji.connect()
except Exception as error:
    print(error)
"""
    with private_display() as display:
        done = run(code, tmp_path, DISPLAY=display, **CORES)
    assert done.returncode == 0, done.stderr
    shape, refusal = done.stdout.splitlines()
    assert shape == "(3, 60, 60)"
    assert refusal == f"{FIJI} was closed by its user; a new one needs a new Python process."


@pytest.mark.display
def test_a_visible_gateway_is_joined_and_outlives_its_window(tmp_path: Path) -> None:
    code = gateway("interactive") + f"""
import threading
from deepd3_ij import fiji
session = fiji.connect(gateway=ij)
{FILTERS}
assert not session.headless
fiji.connect()
assert java_class('ij.IJ').getInstance().isShowing()
threading.Timer(1, java_class('ij.IJ').getInstance().quit).start()
session.wait_for_user(60)
print('on')
"""
    with private_display() as display:
        done = run(code, tmp_path, DISPLAY=display, **CORES)
    assert (done.returncode, done.stdout) == (0, "on\n"), done.stderr
