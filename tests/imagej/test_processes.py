"""How sessions start, fail and end, each in a process of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from deepd3_ij import build_rois_3d, label_stack
from deepd3_ij.files.hdf5 import write_prediction, write_rois
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.parameters import Roi3DParameters
from deepd3_ij.stack import label_prediction
from tests.imagej.private_display import private_display

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, tmp_path: Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """Run Python code as a script of its own."""
    variables = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "DEEPD3_FIJI")}
    variables |= {"PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=240,
                          cwd=cwd, check=False)


def error_line(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_importing_the_package_and_the_fiji_module_starts_no_java(tmp_path: Path) -> None:
    done = run("import sys, deepd3_ij, deepd3_ij.fiji\n"
               "heavy = ('jpype', 'scyjava', 'imagej', 'imglyb', 'tensorflow')\n"
               "print([name for name in heavy if name in sys.modules])", tmp_path)
    assert done.stdout.strip() == "[]"


def test_a_program_that_used_java_ends_by_itself_and_keeps_its_output(tmp_path: Path) -> None:
    """After a filter of ImageJ that leaves threads behind, with and without the explicit end."""
    code = """
import time, numpy as np
from deepd3_ij import fiji, label_stack
from deepd3_ij.fiji.java import java_class
session = fiji.connect('embedded')
image = session.push(label_stack(np.ones((3, 60, 60), np.float32), xy_um=1, z_um=1))
java_class('ij.plugin.filter.GaussianBlur')().blurGaussian(image.getProcessor(), 3.0)
java_class('ij.plugin.filter.RankFilters')().rank(image.getProcessor(), 3.0, 4)
print('done', end='')
print(time.time(), file=open({stamp!r}, 'w'))
{end}
"""
    for end, expected in (("fiji.end_process(3)", 3), ("", 0)):
        stamp = tmp_path / "stamp"
        done = run(code.format(stamp=str(stamp), end=end), tmp_path)
        took = time.time() - float(stamp.read_text())
        assert (done.returncode, done.stdout) == (expected, "done"), done.stderr
        assert took < 60  # it hangs for ever if it hangs


def test_a_second_connect_gives_the_same_session_or_says_why_not(tmp_path: Path) -> None:
    done = run("""
from deepd3_ij import fiji
session = fiji.connect('embedded')
assert fiji.connect() is session and fiji.running_session() is session
for options in ({'mode': 'interactive'}, {'fiji': '/some/Fiji.app'}, {'commands': True}):
    try:
        fiji.connect(**options)
    except Exception as error:
        print(type(error).__name__, error)
fiji.end_process()
""", tmp_path)
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 3, done.stderr
    assert all(line.startswith("FijiError Java runs already in this process") for line in lines)
    assert all("new Python process" in line for line in lines)


@pytest.mark.parametrize(("code", "environment", "expected"), [
    ("fiji.connect('embedded', mode='interactive')", {}, "DISPLAY is not set"),
    ("fiji.connect('embedded', mode='interactive')", {"DISPLAY": ":4711"}, "no X server answers at DISPLAY=:4711"),
    ("fiji.connect('/tmp')", {}, "/tmp is no Fiji"),
    ("fiji.connect()", {"DEEPD3_FIJI": "/nowhere/Fiji.app"}, "/nowhere/Fiji.app is neither a Fiji folder"),
    ("fiji.connect(mode='loud')", {}, "accepted: headless, interactive, gui"),
    ("fiji.connect(gateway=object())", {}, "add_legacy=True"),
])
def test_what_cannot_start_says_why_in_one_line(code: str, environment: dict, expected: str, tmp_path: Path) -> None:
    line = error_line(run("from deepd3_ij import fiji\n" + code, tmp_path, **environment))
    assert line.startswith("deepd3_ij.errors.FijiError: ")
    assert expected in line


def test_a_missing_java_names_the_remedy(tmp_path: Path) -> None:
    line = error_line(run("import jpype\n"
                          "def nothing(*a): raise jpype.JVMNotFoundException('No JVM')\n"
                          "jpype.getDefaultJVMPath = nothing\n"
                          "from deepd3_ij import fiji\nfiji.connect('embedded')", tmp_path))
    assert "No Java was found" in line
    assert "install OpenJDK 17" in line


@pytest.mark.parametrize("release", ['JAVA_VERSION="1.8.0_402"', 'JAVA_VERSION="9.0.4"'])
def test_a_too_old_java_is_refused_before_it_starts(release: str, tmp_path: Path) -> None:
    library = tmp_path / "jdk" / "lib" / "server" / "libjvm.so"
    library.parent.mkdir(parents=True)
    library.touch()
    (tmp_path / "jdk" / "release").write_text(f'IMPLEMENTOR="X"\n{release}\n')
    line = error_line(run(f"import jpype\njpype.getDefaultJVMPath = lambda *a: {str(library)!r}\n"
                          "from deepd3_ij import fiji\nfiji.connect('embedded')", tmp_path))
    assert "too old; accepted: 11 or newer" in line


def test_without_network_the_first_use_is_one_clear_line_and_a_filled_cache_needs_none(tmp_path: Path) -> None:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    code = "from deepd3_ij import fiji\nprint(fiji.connect('embedded').imagej_version)"
    line = error_line(run(code, tmp_path, DEEPD3_CACHE=str(tmp_path / "empty"), **nowhere))
    assert "Cannot fetch ij-1.54p.jar" in line
    assert "connect to the network" in line
    assert list((tmp_path / "empty" / "jars").iterdir()) == []
    run(code, tmp_path)  # fills the cache, if need be
    assert run(code, tmp_path, **nowhere).stdout.strip() == "1.54p"


def test_a_changed_jar_is_not_used(tmp_path: Path) -> None:
    line = error_line(run("import dataclasses\nfrom deepd3_ij.fiji.jars import EMBEDDED_IMAGEJ, fetch_jars\n"
                          "fetch_jars([dataclasses.replace(EMBEDDED_IMAGEJ[2], sha256='0' * 64)])", tmp_path,
                          DEEPD3_CACHE=str(tmp_path)))
    assert "not the pinned" in line
    assert list((tmp_path / "jars").iterdir()) == []


def test_the_embedded_host_offers_all_scijava_services(tmp_path: Path) -> None:
    done = run("from deepd3_ij import fiji\nsession = fiji.connect('embedded')\n"
               "print(session.context.getServiceIndex().size())", tmp_path)
    assert int(done.stdout) > 20


def test_inference_without_a_display_is_one_line(tmp_path: Path) -> None:
    done = run("from deepd3_ij.service.programs import inference\ninference([])", tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("deepd3-inference: A visible ImageJ needs a display, and DISPLAY is not set")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("arguments", "message"), [
    (["missing.tif"], "There is no file missing.tif; give a TIFF file, or none."),
    ([__file__, "--rois", "missing.rois"], "There is no file missing.rois; give a .rois file, or none."),
    (["--prediction", __file__], "There is no STACK to which the results belong; give it before the options."),
])
def test_inference_says_what_is_wrong_before_it_starts_java(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = run(f"from deepd3_ij.service.programs import inference\ninference({arguments!r})", tmp_path)
    assert (done.returncode, done.stderr) == (1, f"deepd3-inference: {message}\n")


@pytest.mark.slow
@pytest.mark.display
@pytest.mark.parametrize("host", ["embedded", pytest.param("fiji", marks=pytest.mark.fiji)])
def test_inference_shows_stack_results_and_menu_and_ends_with_imagej(host: str, tmp_path: Path) -> None:
    """Again and again, as results beside the stack once met a look of the windows that was about to change."""
    write_results(tmp_path)
    code = f"""
import threading, time
from deepd3_ij.fiji.java import java_class
from deepd3_ij.service import programs

def look_and_quit(session, arguments):
    programs._begin_with_stack(session, arguments)
    windows, manager = java_class("ij.WindowManager"), java_class("ij.plugin.frame.RoiManager").getInstance()
    print([str(windows.getImage(number).getTitle()) for number in windows.getIDList()], manager.getCount() > 0)
    java_class("ij.IJ").getInstance().quit()

programs._run(programs.inference_parser(), ["cell.tif", "--fiji", {named(host)!r}], programs._checked, look_and_quit)
"""
    for _ in range(3):
        with private_display() as display:
            done = run(code, tmp_path, cwd=tmp_path, DISPLAY=display, TMPDIR=str(tmp_path))
        assert (done.returncode, done.stdout) == (0, "['cell.tif', 'cell prediction'] True\n"), done.stderr
        assert not list(tmp_path.glob("deepd3_menu_*"))


@pytest.mark.slow
@pytest.mark.display
@pytest.mark.parametrize("host", ["embedded", pytest.param("fiji", marks=pytest.mark.fiji)])
def test_a_session_ends_with_open_windows_and_dialogs_without_a_fault(host: str, tmp_path: Path) -> None:
    write_results(tmp_path)
    code = f"""
import time
from deepd3_ij import fiji, measure, open_stack
from deepd3_ij.files.hdf5 import read_prediction, read_rois
from deepd3_ij.fiji.java import java_class
from deepd3_ij.service.in_process import add_menu, publish, start_command

session = fiji.connect({named(host)!r}, mode="interactive")
publish(session)
add_menu(session)
stack = open_stack("cell.tif")
prediction, rois = read_prediction("cell.prediction", like=stack), read_rois("cell.rois", like=stack)
image = session.push(prediction)
session.push_rois(rois, image)
session.push_measurements(measure(rois, prediction, stack), image)
titles = ("Build 3D ROIs", "Test 3D ROIs")
for command in ("Build 3D ROIs...", "Test 3D ROIs"):
    start_command(session, command, ask=True, image=image)
end = time.monotonic() + 120
while time.monotonic() < end:
    shown = [str(window.getTitle()) for window in java_class("java.awt.Window").getWindows()
             if window.isShowing() and isinstance(window, java_class("java.awt.Dialog"))]
    if set(titles) <= set(shown):
        break
    time.sleep(0.1)
print(sorted(shown))
"""
    with private_display() as display:
        for _ in range(10):
            done = run(code, tmp_path, cwd=tmp_path, DISPLAY=display)
            assert (done.returncode, done.stdout) == (0, "['Build 3D ROIs', 'Test 3D ROIs']\n"), done.stderr
            assert not list(tmp_path.glob("hs_err*"))


def named(host: str) -> str:
    if host == "embedded":
        return host
    folder = os.environ.get("DEEPD3_FIJI")
    if not folder:
        pytest.skip("needs a full Fiji: set DEEPD3_FIJI to its folder")
    return folder


def write_results(folder: Path) -> None:
    """A stack with its prediction and ROIs beside it."""
    z, y, x = np.mgrid[:5, :80, :90]
    spine = np.exp(-((3 * (z - 2)) ** 2 + (y - 40) ** 2 + (x - 45) ** 2) / 60).astype(np.float32)
    stack = label_stack((spine * 200).astype(np.uint8), xy_um=0.1, z_um=0.5, source="cell.tif")
    prediction = label_prediction(np.zeros_like(spine), spine, stack, {})
    write_stack(folder / "cell.tif", stack)
    write_prediction(folder / "cell.prediction", prediction)
    write_rois(folder / "cell.rois", build_rois_3d(prediction, Roi3DParameters()))


def test_doctor_names_what_is_missing_and_the_command_that_mends_it(tmp_path: Path) -> None:
    code = ("import jpype\ndef nothing(*a): raise jpype.JVMNotFoundException('No JVM')\n"
            "{java}from deepd3_ij.install.doctor import run_checks\n"
            "import json, dataclasses\nprint(json.dumps([dataclasses.asdict(check) for check in run_checks()]))")
    broken = {check["name"]: check for check in json.loads(run(
        code.format(java="jpype.getDefaultJVMPath = nothing\n"), tmp_path, DEEPD3_CACHE=str(tmp_path / "empty"),
        DEEPD3_FIJI=str(tmp_path)).stdout)}
    assert list(broken) == ["Python", "Training", "Java", "Embedded ImageJ", "Fiji", "Display", "Disk", "Memory"]
    assert broken["Java"]["status"] == broken["Fiji"]["status"] == "problem"
    assert broken["Embedded ImageJ"]["status"] == broken["Display"]["status"] == "note"
    assert all(check["remedy"] for check in broken.values() if check["status"] != "ok")
    fine = {check["name"]: check for check in json.loads(run(code.format(java=""), tmp_path).stdout)}
    assert fine["Python"]["status"] == fine["Java"]["status"] == fine["Fiji"]["status"] == "ok"
    assert not any(check["remedy"] for check in fine.values() if check["status"] == "ok")
