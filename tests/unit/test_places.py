"""Where the scripts of Fiji's menu look for Python and put its environment, on every system; what pip's lines mean.

These two modules of the menu are plain enough for this Python; the others run in Jython only.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from deepd3_ij.fiji.scripts import script_folder


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, script_folder() / "jars" / "Lib" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


places, pip = module("deepd3_places"), module("deepd3_pip")
HOMES = {"windows": "C:\\Users\\Ana Müller", "mac": "/Users/ana", "linux": "/home/ana"}
ANSWER = {"version": "3.12", "full": "3.12.4", "executable": "python", "base": "/usr", "bits": 64, "machine": "x86_64",
          "venv": True, "implementation": "CPython", "threads": False}


@pytest.mark.parametrize(("name", "system"), [
    ("Windows 11", "windows"), ("Windows Server 2022", "windows"), ("Mac OS X", "mac"), ("Darwin", "mac"),
    ("Linux", "linux"), ("FreeBSD", "linux")])
def test_the_system_is_known_by_the_name_that_java_has_for_it(name: str, system: str) -> None:
    assert places.system_of(name) == system


@pytest.mark.parametrize(("system", "variables", "folder"), [
    ("windows", {"LOCALAPPDATA": "D:\\Data"}, "D:\\Data\\deepd3_ij"),
    ("windows", {}, "C:\\Users\\Ana Müller\\AppData\\Local\\deepd3_ij"),
    ("mac", {"XDG_DATA_HOME": "/elsewhere"}, "/Users/ana/Library/Application Support/deepd3_ij"),
    ("linux", {"XDG_DATA_HOME": "/data"}, "/data/deepd3_ij"),
    ("linux", {"XDG_DATA_HOME": "relative"}, "/home/ana/.local/share/deepd3_ij"),
    ("linux", {}, "/home/ana/.local/share/deepd3_ij")])
def test_the_environment_goes_where_the_system_keeps_data(system: str, variables: dict[str, str], folder: str) -> None:
    assert places.data_folder(system, variables, HOMES[system]) == folder


@pytest.mark.parametrize(("system", "environment", "python"), [
    ("windows", "C:\\d\\env", "C:\\d\\env\\Scripts\\python.exe"), ("mac", "/d/env", "/d/env/bin/python"),
    ("linux", "/d/env", "/d/env/bin/python")])
def test_the_python_of_an_environment_is_where_its_system_has_it(system: str, environment: str, python: str) -> None:
    assert places.python_of(environment, system) == python


def test_a_path_that_is_too_long_for_windows_is_known_before() -> None:
    usual = places.data_folder("windows", {}, HOMES["windows"]) + "\\env"
    assert not places.too_long(usual, "windows")
    assert places.too_long("C:\\" + "x" * 80, "windows")
    assert not places.too_long("/" + "x" * 200, "linux")


def found(system: str, files: list[str], **variables: str) -> list[list[str]]:
    """Commands that are tried on a computer with these files."""
    def matching(pattern: str) -> list[str]:
        return [file for file in files if fnmatch.fnmatchcase(file, pattern)]

    return [list(words) for words in places.commands(system, variables, HOMES[system], matching)]


def test_on_windows_the_launcher_path_and_usual_places_are_tried() -> None:
    local = "C:\\Users\\Ana Müller\\AppData\\Local"
    files = ["C:\\Windows\\py.exe", "C:\\tools\\python.exe", f"{local}\\Programs\\Python\\Python311\\python.exe",
             f"{local}\\Microsoft\\WindowsApps\\python.exe", "C:\\Users\\Ana Müller\\miniforge3\\python.exe"]
    path = f'"C:\\tools";{local}\\Microsoft\\WindowsApps'
    assert found("windows", files, PATH=path, SystemRoot="C:\\Windows") == [
        ["C:\\Windows\\py.exe", "-3.12"], ["C:\\Windows\\py.exe", "-3.13"], ["C:\\Windows\\py.exe", "-3.11"],
        ["C:\\tools\\python.exe"], [files[2]], [files[4]]]


def test_on_a_mac_places_outside_of_the_short_path_are_tried_and_the_stub_is_not() -> None:
    framework = "/Library/Frameworks/Python.framework/Versions/3.13/bin/python3.13"
    files = ["/usr/bin/python3", "/opt/homebrew/bin/python3.12", framework,
             "/Users/ana/.pyenv/versions/3.11.7/bin/python"]
    assert found("mac", files, PATH="/usr/bin:/bin") == [[files[1]], [framework], [files[3]]]


def test_on_linux_the_path_comes_first_and_nothing_twice() -> None:
    files = ["/usr/bin/python3", "/usr/bin/python3.11", "/opt/conda/bin/python", "/opt/miniconda3/bin/python"]
    assert found("linux", files, PATH="/opt/conda/bin:/usr/bin:/usr/bin") == [
        ["/usr/bin/python3.11"], ["/usr/bin/python3"], ["/opt/conda/bin/python"], ["/opt/miniconda3/bin/python"]]


@pytest.mark.parametrize(("system", "differs", "told"), [
    ("linux", {"version": "3.10", "full": "3.10.1"}, "has version 3.10.1"),
    ("linux", {"version": "3.14", "full": "3.14.0"}, "has version 3.14.0"),
    ("windows", {"bits": 32}, "has 32 bit"),
    ("linux", {"implementation": "PyPy"}, "another kind of Python"),
    ("linux", {"threads": True}, "another kind of Python"),
    ("windows", {"base": "C:\\Program Files\\WindowsApps\\PythonSoftwareFoundation"}, "Microsoft Store"),
    ("windows", {"machine": "ARM64"}, "made for ARM"),
    ("mac", {"version": "3.13"}, "too new for TensorFlow on this Mac"),
    ("linux", {"venv": False}, "install python3.12-venv")])
def test_a_python_that_will_not_do_is_told_why(system: str, differs: dict[str, Any], told: str) -> None:
    assert places.misfit(ANSWER, system) is None
    assert told in places.misfit({**ANSWER, **differs}, system)


def test_a_mac_with_its_own_processor_takes_the_newest_python() -> None:
    assert places.misfit({**ANSWER, "machine": "arm64", "version": "3.13"}, "mac") is None


def test_the_question_is_answered_and_can_be_passed_on_by_java_on_windows() -> None:
    assert '"' not in places.QUESTION
    assert "\n" not in places.QUESTION
    said = subprocess.run([sys.executable, "-I", "-c", places.QUESTION], capture_output=True, text=True, check=True)
    assert f'"full": "{sys.version.split()[0]}"' in said.stdout
    assert said.stdout.startswith("DEEPD3 {")


@pytest.mark.parametrize(("line", "kind"), [
    ("WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError('<x>: Failed to establish a "
     "new connection: [Errno -3] Temporary failure in name resolution')'", "offline"),
    ("java.net.UnknownHostException: there", "offline"),
    ("ReadTimeoutError(\"HTTPSConnectionPool(host='there', port=443): Read timed out.\")", "offline"),
    ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "certificate"),
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "full"),
    ("ERROR: Could not install packages due to an OSError: [WinError 112] There is not enough space", "full"),
    ("ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: 'C:\\\\x'", "forbidden"),
    ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'", "forbidden"),
    ("HINT: This error might have occurred since this system does not have Windows Long Path support enabled.", "long"),
    ("ERROR: No matching distribution found for tensorflow>=2.16", "not found"),
    ("ERROR: something else", None)])
def test_what_keeps_pip_from_its_work_is_known_by_its_lines(line: str, kind: str | None) -> None:
    assert pip.kind_of(["Collecting numpy", line]) == kind


def test_a_lost_connection_counts_more_than_what_was_not_found_for_it() -> None:
    lines = ["Failed to establish a new connection", "No matching distribution found for numpy"]
    assert pip.kind_of(lines) == "offline"


def test_the_bar_goes_on_with_the_lines_and_never_back() -> None:
    progress, seen = pip.Progress(), []
    for line in [*["Collecting a (from b)"] * 200, "  Downloading c", "Installing collected packages: a",
                 "Successfully installed a"]:
        progress.take(line)
        seen.append(progress.done)
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert seen[199] == 60


def test_a_line_is_told_without_what_only_programmers_read() -> None:
    assert pip.short("Collecting numpy>=1.26 (from deepd3-ij==0.1.0)") == "Collecting numpy>=1.26"
    assert pip.short("Installing collected packages: a, b, c") == "Installing collected packages"


def test_the_scripts_of_the_setup_name_no_shell() -> None:
    texts = [path.read_text(encoding="ascii") for path in Path(script_folder() / "jars" / "Lib").glob("*.py")]
    assert not [text for text in texts if "os.system" in text or "shell=True" in text or "/bin/sh" in text]
