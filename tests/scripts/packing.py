"""The package as a wheel without its builder, which needs the network, and the archive for Fiji made of it."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

from deepd3_ij.install.archive import write_archive
from deepd3_ij.version import __version__
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def make_wheel(folder: Path) -> Path:
    """The package, the scripts of the menu and what it requires, as a builder puts them into a wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"deepd3_ij-{__version__}-py3-none-any.whl"
    info = f"deepd3_ij-{__version__}.dist-info"
    files = {f"deepd3_ij/{source.relative_to(top).as_posix()}": source.read_bytes()
             for top, below in ((ROOT / "deepd3_ij", "."), (ROOT, "fiji_scripts"))
             for source in sorted((top / below).rglob("*"))
             if source.is_file() and source.suffix in (".py", ".ijm", ".keras")}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: deepd3_ij\nVersion: {__version__}\n".encode()
    files[f"{info}/METADATA"] += "".join(f"Requires-Dist: {text}\n" for text in PROJECT["dependencies"]).encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def unpack(archive: Path, fiji: Path) -> Path:
    """Unpack an archive into a Fiji folder, as a user does."""
    (fiji / "jars").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(fiji)
    return fiji


def unpacked_fiji(folder: Path) -> Path:
    """A Fiji folder with nothing but the archive's content."""
    return unpack(write_archive(make_wheel(folder / "wheel"), folder / "dist"), folder / "Fiji.app")
