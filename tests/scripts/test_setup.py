"""DeepD3 Setup... in a Java process without Python: it makes the environment that the commands then use."""

from __future__ import annotations

import fcntl
import json
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepd3_ij.errors import FijiError
from deepd3_ij.install import installer
from tests.scripts.host_process import Host
from tests.scripts.packing import unpacked_fiji

SETUP, ABOUT = "DeepD3 Setup...", "DeepD3 Versions..."
WHEEL_ONLY = "[global]\nno-index = true\nno-deps = true\n"
OFFLINE = "[global]\nindex-url = https://127.0.0.1:9/simple\n"


class Surroundings:
    """A Fiji folder, a home folder and what pip is told there."""

    def __init__(self, folder: Path) -> None:
        self.fiji = unpacked_fiji(folder)
        self.home = folder / "home"
        self.data = self.home / "data" / "deepd3_ij"
        self.pip = folder / "pip.conf"
        self.home.mkdir()
        self.pip.write_text(WHEEL_ONLY)
        # The wheel alone is installed; what it needs comes from the environment of the tests.
        java = f"-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9 -Dappose.envs-dir={self.home}"
        variables = {"XDG_DATA_HOME": str(self.home / "data"), "PIP_CONFIG_FILE": str(self.pip),
                     "PYTHONPATH": sysconfig.get_path("purelib"), "JAVA_TOOL_OPTIONS": java}
        for name in ("PIP_NO_INDEX", "PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
            variables[name] = ""
        self.host = Host(self.fiji, self.home, environment=variables)

    def set_up(self, **values: object) -> str:
        return self.host.ask("run", SETUP, **{"python": sys.executable, **values})

    def stored(self) -> dict[str, object]:
        return dict(json.loads((self.fiji / installer.MANIFEST).read_text(encoding="utf-8")))

    def state(self) -> dict[str, object]:
        return dict(json.loads((self.data / "deepd3_environment.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    place = Surroundings(tmp_path_factory.mktemp("setup"))
    yield place
    place.host.close()


@pytest.fixture
def offline(place: Surroundings) -> Iterator[None]:
    place.pip.write_text(OFFLINE)
    yield
    place.pip.write_text(WHEEL_ONLY)


def test_without_a_python_a_command_names_the_setup(place: Surroundings) -> None:
    answer = place.host.ask("run", ABOUT)
    assert answer == "failed: No Python is set up for DeepD3 yet; call DeepD3 Setup... in Plugins > DeepD3, once."
    assert place.stored()["python"] is None
    with pytest.raises(FijiError, match=r"No Python environment is set up .*DeepD3 Setup\.\.\."):
        installer.verify(place.fiji)


@pytest.mark.slow
def test_without_a_connection_the_setup_says_so_and_leaves_nothing(place: Surroundings, offline: None) -> None:
    answer = place.set_up()
    assert "DeepD3 cannot be downloaded: there is no connection; connect to the network" in answer
    assert not (place.data / "env").exists()
    assert place.state()["state"] == "begun"
    assert place.stored()["python"] is None
    assert "127.0.0.1" in (place.data / "setup.log").read_text(encoding="utf-8")


def test_without_a_connection_uv_cannot_be_had_either(place: Surroundings) -> None:
    assert "uv cannot be downloaded: there is no connection" in place.set_up(python="uv")


def test_a_folder_that_cannot_be_written_is_named(place: Surroundings, locked_folder: Path) -> None:
    answer = place.set_up(folder=locked_folder / "deepd3")
    assert f"The folder {locked_folder / 'deepd3'} cannot be written" in answer
    assert "choose another folder in DeepD3 Setup..." in answer


def test_a_folder_of_somebody_else_is_left_alone(place: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "mine.txt").write_text("mine")
    assert "was not made by DeepD3, so it is left alone" in place.set_up(folder=tmp_path)
    assert (tmp_path / "env" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(("program", "told"), [
    ("#!/bin/sh\nexit 1\n", "is no Python; accepted: Python 3.11, 3.12 or 3.13"),
    ("#!/bin/sh\necho 'DEEPD3 {\"version\": \"3.9\", \"full\": \"3.9.1\"}'\n", "has version 3.9.1; accepted")])
def test_a_python_that_does_not_fit_is_named(place: Surroundings, tmp_path: Path, program: str, told: str) -> None:
    python = tmp_path / "python"
    python.write_text(program)
    python.chmod(0o755)
    assert told in place.set_up(python=python)


def test_the_usual_folder_follows_the_system_that_java_names(place: Surroundings, tmp_path: Path) -> None:
    script = tmp_path / "folders.py"
    script.write_text("#@output String answer\n"
                      "from java.lang import System\n"
                      "from deepd3_setup import default_folder\n"
                      "before = System.getProperty('os.name')\n"
                      "found = []\n"
                      "for name in ('Linux', 'Mac OS X', 'Windows 11'):\n"
                      "    System.setProperty('os.name', name)\n"
                      "    found.append(default_folder())\n"
                      "System.setProperty('os.name', before)\n"
                      "answer = '|'.join(found)\n")
    assert place.host.ask("script", str(script)).split("|") == [
        str(place.data), f"{place.home}/Library/Application Support/deepd3_ij",
        f"{place.home}\\AppData\\Local\\deepd3_ij"]


def test_a_value_that_is_no_choice_is_named(place: Surroundings) -> None:
    assert "action is destroy; accepted: " in place.set_up(action="destroy")


def test_a_damaged_wheel_is_not_installed(place: Surroundings) -> None:
    (wheel,) = (place.fiji / installer.OWN_FOLDER).glob("*.whl")
    whole = wheel.read_bytes()
    wheel.write_bytes(whole[:-1])
    assert "is missing or damaged; unpack the archive" in place.set_up()
    wheel.write_bytes(whole)


def test_esc_ends_the_setup_and_all_that_it_started(place: Surroundings, tmp_path: Path) -> None:
    started = tmp_path / "started"
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nsleep 600 & echo $! > {started}\nwait\n")
    python.chmod(0o755)
    script = tmp_path / "answering"
    script.write_text(f"#!/bin/sh\n{sys.executable} \"$@\" | "
                      f"sed 's#\"executable\": \"[^\"]*\"#\"executable\": \"{python}\"#'\n")
    script.chmod(0o755)
    place.host.ask("escape", "6000")
    assert place.set_up(python=script) == "cancelled"
    sleeper = int(started.read_text())
    assert not Path(f"/proc/{sleeper}").exists() or "Z" in Path(f"/proc/{sleeper}/stat").read_text().split()[2]
    assert not (place.data / "env").exists()


def test_esc_ends_uv_as_well(place: Surroundings, tmp_path: Path) -> None:
    started = tmp_path / "started"
    uv = place.home / ".uv" / "bin" / "uv"  # where Appose keeps it
    uv.parent.mkdir(parents=True)
    uv.write_text("#!/bin/sh\ncase \"$*\" in --version) echo uv 0;; *venv*) ;; "
                  f"*) echo $$ > {started}; exec sleep 600;; esac\n")
    uv.chmod(0o755)
    place.host.ask("escape", "5000")
    assert place.set_up(python="uv") == "cancelled"
    uv.unlink()
    sleeper = Path(f"/proc/{started.read_text().strip()}")
    assert not sleeper.exists() or "Z" in (sleeper / "stat").read_text().split()[2]
    assert not (place.data / "env").exists()


@pytest.mark.slow
def test_the_setup_makes_an_environment_that_the_commands_use(place: Surroundings) -> None:
    assert place.set_up() == "done"
    python = place.data / "env" / "bin" / "python"
    assert place.stored()["python"] == str(python)
    assert place.state()["state"] == "complete"
    assert not (place.data / "tmp").exists()
    assert place.host.logged(f"DeepD3 Setup: Done: {python}")
    assert place.host.ask("run", "DeepD3 Doctor...") == "done"
    assert place.host.logged(f"Package: {place.data / 'env'}")  # not the one of the tests
    installer.verify(place.fiji, health=False)


@pytest.mark.slow
def test_a_second_setup_keeps_what_is_complete(place: Surroundings) -> None:
    if not (place.data / "env").exists():
        place.set_up()
    before = (place.data / "env" / "pyvenv.cfg").stat().st_mtime_ns
    assert place.set_up() == "done"
    assert (place.data / "env" / "pyvenv.cfg").stat().st_mtime_ns == before


@pytest.mark.slow
def test_another_wheel_updates_the_environment(place: Surroundings) -> None:
    if not (place.data / "env").exists():
        place.set_up()
    before = (place.data / "env" / "pyvenv.cfg").stat().st_mtime_ns
    (package,) = (place.data / "env").glob("lib/*/site-packages/deepd3_ij/__init__.py")
    package.write_text("broken = True\n")
    path = place.data / "deepd3_environment.json"
    path.write_text(json.dumps({**place.state(), "wheel": "of an older version"}))
    assert place.set_up() == "done"
    assert "broken" not in package.read_text()
    assert (place.data / "env" / "pyvenv.cfg").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_repair_that_fails_leaves_the_environment_as_it_was(place: Surroundings, offline: None) -> None:
    if not (place.data / "env").exists():
        place.pip.write_text(WHEEL_ONLY)
        place.set_up()
        place.pip.write_text(OFFLINE)
    before = (place.data / "env" / "pyvenv.cfg").stat().st_mtime_ns
    assert "there is no connection" in place.set_up(action="repair")
    assert (place.data / "env" / "pyvenv.cfg").stat().st_mtime_ns == before
    assert place.state()["state"] == "complete"
    assert place.host.ask("run", ABOUT) == "done"


@pytest.mark.slow
def test_what_a_killed_setup_left_is_never_used_and_made_anew(place: Surroundings) -> None:
    if not (place.data / "env").exists():
        place.set_up()
    (place.data / "env" / "half").write_text("made")
    (place.data / "deepd3_environment.json").write_text(json.dumps({"state": "begun"}))
    place.host.ask("run", "DeepD3 Doctor...", restart="true")
    answer = place.host.ask("run", ABOUT)
    assert "was not finished; call DeepD3 Setup..." in answer
    assert place.set_up() == "done"
    assert not (place.data / "env" / "half").exists()
    assert place.host.ask("run", ABOUT) == "done"


def test_an_existing_environment_is_taken_when_it_answers(place: Surroundings, tmp_path: Path) -> None:
    before = place.stored()["python"]
    empty = tmp_path / "python"
    empty.write_text("#!/bin/sh\necho \"Error: No module named 'deepd3_ij'\" >&2; exit 1\n")
    empty.chmod(0o755)
    assert "has no DeepD3" in place.set_up(action="use existing", python=empty)
    assert "cannot be run" in place.set_up(action="use existing", python=tmp_path / "none")
    assert "is empty" in place.set_up(action="use existing", python="")
    assert place.stored()["python"] == before


@pytest.mark.slow
def test_two_setups_in_one_folder_do_not_meet(place: Surroundings) -> None:
    place.data.mkdir(parents=True, exist_ok=True)
    with (place.data / "setup.lock").open("a") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert "works in" in place.set_up()
