"""The archive that is unpacked into a Fiji folder."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from deepd3_ij import __version__
from deepd3_ij.errors import FijiError
from deepd3_ij.install import archive, installer
from deepd3_ij.service.menu import menu_files
from tests.scripts.packing import make_wheel, unpack


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def built(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive.write_archive(wheel, tmp_path_factory.mktemp("dist"))


def test_it_holds_the_menu_the_pinned_jars_and_the_wheel_and_nothing_else(built: Path, wheel: Path) -> None:
    assert built.name == f"deepd3_ij-{__version__}-fiji.zip"
    with zipfile.ZipFile(built) as opened:
        contents = {name: opened.read(name) for name in opened.namelist()}
    menu = {name.as_posix(): text.encode() for name, text in menu_files()}
    jars = {f"lib/deepd3/{jar.file_name}": jar.sha256 for jar in installer.APPOSE}
    package = f"lib/deepd3/{wheel.name}"
    assert set(contents) == {*menu, *jars, package, str(installer.MANIFEST)}
    assert {name: contents[name] for name in menu} == menu
    assert {name: hashlib.sha256(contents[name]).hexdigest() for name in jars} == jars
    assert contents[package] == wheel.read_bytes()
    assert "scripts/Plugins/DeepD3/DeepD3_Setup....py" in menu
    listed = json.loads(contents[str(installer.MANIFEST)])
    assert (listed["version"], listed["python"]) == (__version__, None)
    assert listed["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
                               if name != str(installer.MANIFEST)}


def test_nothing_of_it_goes_where_fiji_loads_jars(built: Path) -> None:
    with zipfile.ZipFile(built) as opened:
        jars = [name for name in opened.namelist() if name.endswith(".jar")]
    assert {name.rpartition("/")[0] for name in jars} == {"lib/deepd3"}


def test_the_same_wheel_gives_the_same_bytes(built: Path, wheel: Path, tmp_path: Path) -> None:
    assert archive.write_archive(wheel, tmp_path).read_bytes() == built.read_bytes()


def test_a_file_with_other_content_has_another_time(built: Path) -> None:
    """Jython would take what it compiled of the older one."""
    with zipfile.ZipFile(built) as opened:
        times = [entry.date_time for entry in opened.infolist() if entry.filename.startswith("jars/Lib/deepd3_")]
    assert len(set(times)) == len(times)


def test_another_file_than_a_wheel_of_this_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "deepd3_ij-0.0.1-py3-none-any.whl"
    other.write_bytes(b"wheel")
    with pytest.raises(FijiError, match=r"0\.0\.1.* is no wheel of deepd3_ij .*make fiji-zip"):
        archive.write_archive(other, tmp_path)


def test_a_jar_that_is_not_the_pinned_one_is_refused(wheel: Path, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "some.jar"
    jar.write_bytes(b"jar")
    monkeypatch.setattr(archive, "fetch_jars", lambda jars, **_: [jar] * len(jars))
    with pytest.raises(FijiError, match="is not the pinned appose"):
        archive.write_archive(wheel, tmp_path / "dist")


def test_what_was_unpacked_is_known_to_the_installer(built: Path, tmp_path: Path) -> None:
    fiji = unpack(built, tmp_path / "Fiji.app")
    (fiji / "jars" / "commons-io-2.16.1.jar").write_bytes(b"of Fiji")
    with pytest.raises(FijiError, match=r"No Python environment is set up .*DeepD3 Setup\.\.\."):
        installer.verify(fiji, health=False)
    assert installer.install(fiji).python is not None  # over it, with this Python
    assert not list((fiji / installer.OWN_FOLDER).glob("*.whl"))
    installer.verify(fiji, health=False)
    unpack(built, fiji)
    assert installer.uninstall(fiji) == []
    assert [path for path in fiji.rglob("*") if path.is_file()] == [fiji / "jars" / "commons-io-2.16.1.jar"]
