"""One archive to unpack into a Fiji folder: the menu, Appose and the package as a wheel.

Made by ``make fiji-zip``, which runs ``python -m deepd3_ij.install.archive WHEEL FOLDER``.
"""

from __future__ import annotations

import datetime
import hashlib
import sys
import zipfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from deepd3_ij.atomic import replacing
from deepd3_ij.errors import FijiError
from deepd3_ij.fiji.jars import fetch_jars
from deepd3_ij.install.installer import APPOSE, MANIFEST, OWN_FOLDER, jar_name, manifest_text
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.service.menu import menu_files
from deepd3_ij.version import __version__

_FIRST_DAY = datetime.date(1990, 1, 1)
_DAYS = 10_000
_MODE = 0o100644 << 16
_UNIX = 3


def write_archive(wheel: str | PathLike[str], folder: str | PathLike[str], progress: Progress = no_progress) -> Path:
    """Write the archive; the same wheel gives the same bytes.

    Parameters
    ----------
    wheel
        The package as a wheel, of the running version.
    folder
        Where the archive goes.
    progress
        Called while jars are fetched.

    Returns
    -------
    pathlib.Path
        ``deepd3_ij-<version>-fiji.zip``; its names are those below the Fiji folder.

    Raises
    ------
    FijiError
        The file is no wheel of this version, or a jar cannot be fetched.
    """
    wheel, folder = Path(wheel), Path(folder)
    if not wheel.is_file() or not wheel.name.startswith(f"deepd3_ij-{__version__}-") or wheel.suffix != ".whl":
        raise FijiError(f"{wheel} is no wheel of deepd3_ij {__version__}; build it: make fiji-zip")
    contents = dict(sorted(_contents(wheel, progress)))
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[str(MANIFEST)] = manifest_text(sums, None).encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"deepd3_ij-{__version__}-fiji.zip"
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, _time_of(sums.get(name, "")))
            entry.create_system, entry.external_attr = _UNIX, _MODE
            stored = name.endswith((".jar", ".whl"))  # compressed already
            archive.writestr(entry, content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return path


def _time_of(sha256: str) -> tuple[int, int, int, int, int, int]:
    """A time that is the same for the same content, and another one for another.

    Jython takes a script that it compiled earlier for the present one if their times are the same.
    """
    number = int(sha256 or "0", 16)
    day = _FIRST_DAY + datetime.timedelta(number % _DAYS)
    return day.year, day.month, day.day, number // _DAYS % 24, number // 2**32 % 60, number // 2**64 % 30 * 2


def _contents(wheel: Path, progress: Progress) -> Iterator[tuple[str, bytes]]:
    """Names below the Fiji folder and contents."""
    for name, text in menu_files():
        yield name.as_posix(), text.encode()
    for jar, path in zip(APPOSE, fetch_jars(APPOSE, progress=progress), strict=True):
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != jar.sha256:
            raise FijiError(f"{path} is not the pinned {jar.file_name}; remove it, and it is fetched again.")
        yield jar_name(jar), content
    yield str(OWN_FOLDER / wheel.name), wheel.read_bytes()


if __name__ == "__main__":
    print(write_archive(sys.argv[1], sys.argv[2]))
