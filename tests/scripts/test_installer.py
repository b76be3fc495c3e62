"""Installing the menu into a Fiji folder and removing it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from deepd3_ij import __version__
from deepd3_ij.errors import FijiError
from deepd3_ij.install import installer


@pytest.fixture
def fiji(tmp_path: Path) -> Path:
    """A Fiji folder that has Appose, of other versions, and a script of its own."""
    folder = tmp_path / "Fiji.app"
    (folder / "jars").mkdir(parents=True)
    for jar in installer.APPOSE:
        (folder / "jars" / f"{jar.artifact}-99.0.jar").write_bytes(b"jar")
    (folder / "scripts" / "Plugins").mkdir(parents=True)
    (folder / "scripts" / "Plugins" / "Mine.py").write_text("print('mine')\n")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_installing_and_removing_leaves_fiji_as_it_was(fiji: Path) -> None:
    before = files_of(fiji)
    installation = installer.install(fiji)
    assert "scripts/Plugins/DeepD3/DeepD3_3_ROIs/Build_3D_ROIs....py" in installation.files
    assert "macros/DeepD3_Folder.ijm" in installation.files
    assert set(files_of(fiji)) == {*before, *installation.files, str(installer.MANIFEST)}
    (fiji / "jars" / "Lib" / "deepd3_command$py.class").write_bytes(b"compiled by Jython")
    assert installer.uninstall(fiji) == []
    assert files_of(fiji) == before
    assert not (fiji / "scripts" / "Plugins" / "DeepD3").exists()


def test_the_running_python_is_stored(fiji: Path) -> None:
    installer.install(fiji)
    stored = json.loads((fiji / installer.MANIFEST).read_text())
    assert (stored["python"], stored["version"]) == (sys.executable, __version__)


def test_a_file_of_somebody_else_is_not_overwritten_without_force(fiji: Path) -> None:
    path = fiji / "jars" / "Lib" / "deepd3_command.py"
    path.parent.mkdir()
    path.write_text("mine\n")
    before = files_of(fiji)
    with pytest.raises(FijiError, match=r"deepd3_command\.py was not installed by deepd3-ij.*--force"):
        installer.install(fiji)
    assert files_of(fiji) == before
    installer.install(fiji, force=True)
    assert path.read_text() != "mine\n"


def test_a_script_that_the_user_changed_is_kept(fiji: Path) -> None:
    installer.install(fiji)
    path = fiji / "macros" / "DeepD3_Folder.ijm"
    path.write_text("changed\n")
    with pytest.raises(FijiError, match="was changed since"):
        installer.install(fiji)
    with pytest.raises(FijiError, match="was changed"):
        installer.verify(fiji, health=False)
    assert installer.uninstall(fiji) == [path]
    assert path.read_text() == "changed\n"


def test_an_older_installation_is_reported_and_updated(fiji: Path) -> None:
    installer.install(fiji)
    manifest = fiji / installer.MANIFEST
    stored = json.loads(manifest.read_text())
    old = fiji / "scripts" / "Plugins" / "DeepD3" / "Old.py"
    old.write_text("old\n")
    stored["version"] = "0.0.1"
    stored["files"]["scripts/Plugins/DeepD3/Old.py"] = installer._sha256(old)
    manifest.write_text(json.dumps(stored))
    with pytest.raises(FijiError, match=r"version 0\.0\.1.*install-fiji"):
        installer.verify(fiji, health=False)
    installer.install(fiji)
    assert not old.exists()
    assert installer.verify(fiji, health=False).version == __version__


def test_a_moved_environment_is_reported(fiji: Path, tmp_path: Path) -> None:
    installer.install(fiji, python=tmp_path / "gone" / "python")
    with pytest.raises(FijiError, match=r"gone.*any more.*install-fiji"):
        installer.verify(fiji, health=False)


def test_a_python_without_the_package_is_reported(fiji: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    installer.install(fiji, python=python)
    with pytest.raises(FijiError, match="does not run DeepD3"):
        installer.verify(fiji)


def test_a_failing_write_is_reported_with_the_remedy(fiji: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    monkeypatch.setattr(installer.shutil, "copyfile", refuse)
    with pytest.raises(FijiError, match=r"cannot be written \(Permission denied\).*as a user who may"):
        installer.install(fiji)


def test_a_folder_that_is_no_fiji_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FijiError, match="is no Fiji"):
        installer.install(tmp_path)


def test_a_manifest_cannot_name_files_outside_of_fiji(fiji: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("keep me")
    installer.install(fiji)
    manifest = fiji / installer.MANIFEST
    stored = json.loads(manifest.read_text())
    stored["files"]["../precious.txt"] = installer._sha256(precious)
    manifest.write_text(json.dumps(stored))
    with pytest.raises(FijiError, match="outside of Fiji"):
        installer.uninstall(fiji)
    assert precious.exists()


def test_appose_is_kept_apart_from_the_jars_of_fiji(fiji: Path) -> None:
    installation = installer.install(fiji)
    own = {f"lib/deepd3/{jar.file_name}" for jar in installer.APPOSE}
    assert {name for name in installation.files if name.endswith(".jar")} == own
    assert not [path for path in (fiji / "jars").glob("*.jar") if not path.name.endswith("-99.0.jar")]
    installer.uninstall(fiji)
    assert not (fiji / "lib" / "deepd3").exists()


def test_jars_that_an_older_installation_put_among_those_of_fiji_go(fiji: Path) -> None:
    installer.install(fiji)
    old = fiji / "jars" / "appose-0.9.0.jar"
    old.write_bytes(b"jar")
    manifest = fiji / installer.MANIFEST
    stored = json.loads(manifest.read_text())
    stored["files"]["jars/appose-0.9.0.jar"] = installer._sha256(old)
    manifest.write_text(json.dumps(stored))
    installer.install(fiji)
    assert not old.exists()


def test_a_fiji_without_a_python_is_told_what_makes_one(fiji: Path) -> None:
    installer.install(fiji)
    manifest = fiji / installer.MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "python": None}))
    with pytest.raises(FijiError, match=r"No Python environment is set up .*DeepD3 Setup\.\.\."):
        installer.verify(fiji, health=False)
