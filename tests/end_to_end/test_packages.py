"""The packages install and run from an empty environment, and hold what they should."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytest.importorskip("build", reason="the builder of packages is not installed: pip install build")
pytestmark = pytest.mark.slow

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "site", "*.egg-info", "__pycache__", "demo_results")


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """What a program prints; it must succeed, and sees nothing of this project but what the command names."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env={**kept, **variables}, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def build(source: Path, out: Path, kind: str) -> Path:
    """Build one package of a source tree with the setuptools that is installed."""
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("setuptools is older than 77 here, and packages are built without network")
    run(sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", out, source, cwd=source)
    (package,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return package


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files without what was built in them."""
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("source") / "project", ignore=NOT_SOURCE))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a new environment with the wheel; other packages are those of this one, nothing is fetched."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run(sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-deps", "--no-index", wheel,
        cwd=folder)
    paths = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", vars=paths))
    # The .pth files of these folders are not read, so that an editable installation of this project stays unseen.
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (own / "dependencies.pth").write_text("\n".join(others) + "\n", encoding="utf-8")
    return programs


def members(package: Path) -> set[str]:
    """Files of a package, without the folder that an sdist begins with."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            return set(archive.namelist())
    with tarfile.open(package) as archive:
        return {name.partition("/")[2] for name in archive.getnames() if "/" in name}


def test_the_wheel_holds_the_package_the_menu_and_the_model_and_nothing_else(wheel: Path) -> None:
    names = members(wheel)
    scripts = {path.relative_to(ROOT).as_posix() for path in (ROOT / "fiji_scripts").rglob("*")
               if path.is_file() and path.suffix in (".py", ".ijm")}
    assert scripts
    assert {f"deepd3_ij/{name}" for name in scripts} <= names
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "deepd3_ij").rglob("*.py")}
    assert code <= names
    assert any(name.startswith("deepd3_ij/model/bundled/") and name.endswith(".keras") for name in names)
    assert {name.partition("/")[0] for name in names} == {"deepd3_ij", f"deepd3_ij-{PROJECT['version']}.dist-info"}
    assert not [name for name in names if name.endswith((".class", ".pyc", "ruff.toml"))]
    assert {"LICENSE", "NOTICE"} <= {name.rpartition("/")[2] for name in names}


def test_the_sdist_builds_a_wheel_of_the_same_content(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    assert not [name for name in members(sdist) if name.startswith(("recipes/", "benchmarks/", "site/"))]
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    again = build(unpacked, tmp_path / "wheel", "wheel")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert set(one.namelist()) == set(other.namelist())
        for name in one.namelist():
            if not name.endswith(("/RECORD",)):
                assert one.read(name) == other.read(name), name


def test_the_programs_run_in_an_environment_of_their_own(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "deepd3-ij", "--version", cwd=tmp_path).split() == ["deepd3-ij", PROJECT["version"]]
    listed = run(installed / "deepd3-ij", "models", "list", cwd=tmp_path)
    assert "bundled" in listed
    assert "(default)" in listed
    where = run(installed / "python", "-c", "import deepd3_ij; print(deepd3_ij.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent.resolve())


def test_the_installed_package_puts_its_menu_into_a_fiji(installed: Path, tmp_path: Path) -> None:
    code = ("from deepd3_ij.fiji.scripts import script_folder; "
            "print(len(list((script_folder() / 'scripts').rglob('*.py'))))")
    assert int(run(installed / "python", "-c", code, cwd=tmp_path)) == len(
        list((ROOT / "fiji_scripts" / "scripts").rglob("*.py")))


def test_every_program_starts_without_its_work(installed: Path, tmp_path: Path) -> None:
    for program in PROJECT["scripts"]:
        assert "usage" in run(installed / program, "--help", cwd=tmp_path).lower(), program
