"""Puts the DeepD3 menu into a Fiji, checks it and takes it out again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from deepd3_ij.errors import FijiError, one_line
from deepd3_ij.fiji.jars import Jar, fetch_jars
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.service.menu import menu_folder
from deepd3_ij.version import __version__

MANIFEST = PurePosixPath("jars/Lib/deepd3_installation.json")
"""List of installed files, with the Python environment that the scripts start."""

OWN_FOLDER = PurePosixPath("lib/deepd3")
"""Where Fiji loads nothing: Appose for the scripts alone, and the package as a wheel for DeepD3 Setup..."""

APPOSE = (
    Jar("org.apposed", "appose", "0.9.0", "b09ce4ff9d7a29518bba7ec7903c63d0504159637376506d9b2a3a70ed37b1bc"),
    Jar("org.apache.groovy", "groovy", "4.0.28", "d77164a44ab994837e61eecead64721bdb1794fa2bc6704ac6fe70cd32ef9dd3"),
    Jar("org.apache.groovy", "groovy-json", "4.0.28",
        "edec45c85ff811f9a9baacdf5b020e34593a0055ac63c92fbf1233c3b2cc9cc6"),
    Jar("org.apache.ivy", "ivy", "2.5.2", "98428d545ea63cd9a0aaf255caf42cb8cb64fe430dbb5e709aed536d4daeed04"),
    Jar("net.java.dev.jna", "jna", "5.14.0", "34ed1e1f27fa896bca50dbc4e99cf3732967cec387a7a0d5e3486c09673fe8c6"),
    Jar("net.java.dev.jna", "jna-platform", "5.14.0",
        "ae4caceb3840730c2537f9b7fb55a01baba580286b4122951488bcee558c2449"),
    Jar("org.apache.commons", "commons-compress", "1.28.0",
        "e1522945218456f3649a39bc4afd70ce4bd466221519dba7d378f2141a4642ca"),
    Jar("commons-codec", "commons-codec", "1.19.0", "5c3881e4f556855e9c532927ee0c9dfde94cc66760d5805c031a59887070af5f"),
    Jar("commons-io", "commons-io", "2.20.0", "df90bba0fe3cb586b7f164e78fe8f8f4da3f2dd5c27fa645f888100ccc25dd72"),
    Jar("org.apache.commons", "commons-lang3", "3.18.0",
        "4eeeae8d20c078abb64b015ec158add383ac581571cddc45c68f0c9ae0230720"),
)
"""Appose and what it needs. A Fiji may have any of them in another version; these are kept apart from its own."""

_HEALTH_SECONDS = 300
_LARGEST_MANIFEST_BYTES = 10_000_000


@dataclass(frozen=True)
class Installation:
    """What is installed in a Fiji.

    Attributes
    ----------
    fiji
        The Fiji folder.
    version
        Version of the package that installed it.
    python
        The Python program that the scripts start; None until DeepD3 Setup... has made an environment.
    files
        Installed files below `fiji` and their SHA-256.
    """

    fiji: Path
    version: str
    python: Path | None
    files: dict[str, str]


def install(fiji: str | PathLike[str], *, force: bool = False, python: str | PathLike[str] | None = None,
            progress: Progress = no_progress) -> Installation:
    """Install the DeepD3 menu into a Fiji; an older installation is replaced.

    Parameters
    ----------
    fiji
        The folder named Fiji.app or Fiji.
    force
        Overwrite files that this package did not install or that were changed since.
    python
        The Python program that the scripts start; the running one if None.
    progress
        Called while jars are fetched.

    Returns
    -------
    Installation

    Raises
    ------
    FijiError
        The folder is no Fiji or cannot be written, a file is in the way, or a jar cannot be fetched.
    """
    folder = _checked_fiji(fiji)
    before = _read_manifest(folder)
    jars = zip(APPOSE, fetch_jars(APPOSE, progress=progress), strict=True)
    wanted = {**dict(_package_files()), **{jar_name(jar): path for jar, path in jars}}
    known = before.files if before else {}
    if not force:
        _check_nothing_in_the_way(folder, wanted, known)
    files = dict(known)
    try:
        for name, source in wanted.items():
            files[name] = _copy(source, folder / name)
            _write_manifest(folder, files, python)  # after every file, so that a stop in between leaves no orphan
        for name in sorted(set(files) - set(wanted)):
            _remove(folder, name, files.pop(name), force)
        _write_manifest(folder, files, python)
    except OSError as error:
        raise FijiError(f"{error.filename or folder} cannot be written ({one_line(error)}); run the command as a user "
                        "who may write there, or copy Fiji into your own folder.") from error
    return Installation(folder, __version__, Path(python or sys.executable), files)


def uninstall(fiji: str | PathLike[str], *, force: bool = False) -> list[Path]:
    """Remove what :func:`install` put into a Fiji, and nothing else.

    Parameters
    ----------
    fiji
        The Fiji folder.
    force
        Also remove installed files that were changed since.

    Returns
    -------
    list of pathlib.Path
        Installed files that were kept because they were changed.

    Raises
    ------
    FijiError
        Nothing is installed there, or the folder cannot be written.
    """
    folder = _checked_fiji(fiji)
    installation = _read_manifest(folder)
    if installation is None:
        raise FijiError(f"DeepD3 is not installed in {folder} (there is no {MANIFEST}).")
    kept = []
    try:
        for name, sha256 in installation.files.items():
            if not _remove(folder, name, sha256, force):
                kept.append(folder / name)
        (folder / MANIFEST).unlink(missing_ok=True)
        _remove_empty_folders(folder, [*installation.files, str(MANIFEST)])
    except OSError as error:
        raise FijiError(f"{error.filename or folder} cannot be removed ({one_line(error)}); run the command as a user "
                        "who may write there.") from error
    return kept


def verify(fiji: str | PathLike[str], *, health: bool = True) -> Installation:
    """Check an installation and, with `health`, the Python environment that it starts.

    Raises
    ------
    FijiError
        With what is wrong and the command that mends it: not installed, of another version, files
        missing or changed, Appose missing, the environment moved or without a working DeepD3.
    """
    folder = _checked_fiji(fiji)
    again = f"deepd3-ij install-fiji {folder}"
    installation = _read_manifest(folder)
    if installation is None:
        raise FijiError(f"DeepD3 is not installed in {folder}; install it: {again}")
    if installation.version != __version__:
        raise FijiError(f"The scripts in {folder} have version {installation.version} and this package {__version__}; "
                        f"update them: {again}")
    for name, sha256 in installation.files.items():
        path = folder / name
        if not path.is_file():
            raise FijiError(f"{path} is missing; install it again: {again}")
        if _sha256(path) != sha256:
            raise FijiError(f"{path} was changed; put the original back: {again} --force")
    if installation.python is None:
        raise FijiError(f"No Python environment is set up for {folder}; call Plugins > DeepD3 > DeepD3 Setup... in that"
                        f" Fiji, or run in an environment with deepd3_ij: {again}")
    if not os.access(installation.python, os.X_OK):
        raise FijiError(f"The Python environment is not at {installation.python} any more; run in the new one: {again}")
    if health:
        _check_health(installation.python, installation.version, again)
    return installation


def jar_name(jar: Jar) -> str:
    """Where a jar goes, below the Fiji folder."""
    return str(OWN_FOLDER / jar.file_name)


def manifest_text(files: dict[str, str], python: str | PathLike[str] | None) -> str:
    """Text of the list of installed files.

    Parameters
    ----------
    files
        Names below the Fiji folder and SHA-256.
    python
        The Python program that the scripts start; None where there is none yet.
    """
    values = {"version": __version__, "python": None if python is None else os.fspath(python), "files": files}
    return json.dumps(values, indent=1, sort_keys=True) + "\n"


def _check_health(python: Path, version: str, again: str) -> None:
    """Ask the worker for its health, over the same streams as Fiji does."""
    from deepd3_ij.service.worker import DISPATCH

    request = json.dumps({"verb": "health", "version": version, "values": {}})
    line = json.dumps({"task": "1", "requestType": "EXECUTE", "script": DISPATCH, "inputs": {"request": request}})
    command = [str(python), "-P", "-m", "deepd3_ij.service.worker"]
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, encoding="utf-8") as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(line + "\n")
            worker.stdin.flush()
            reply = _completion(worker.stdout)
            worker.stdin.close()
            worker.wait(_HEALTH_SECONDS)
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise FijiError(f"{python} does not run DeepD3 ({type(error).__name__}); install deepd3_ij into "
                        f"this environment, or run in another one: {again}") from error
    if reply is None:
        raise FijiError(f"{python} does not run DeepD3; install deepd3_ij into this environment, or run "
                        f"in another one: {again}")
    if reply["state"] != "done":
        raise FijiError(str(reply["message"]))


def _completion(answers: Iterator[str]) -> dict[str, Any] | None:
    for answer in answers:
        response = json.loads(answer)
        if response["responseType"] == "COMPLETION":
            return dict(json.loads(response["outputs"]["reply"]))
        if response["responseType"] == "FAILURE":
            return {"state": "failed", "message": response["error"]}
    return None


def _checked_fiji(fiji: str | PathLike[str]) -> Path:
    folder = Path(fiji).expanduser().resolve()
    if not folder.is_dir() or not (folder / "jars").is_dir():
        raise FijiError(f"{folder} is no Fiji (it has no folder jars); give the folder named Fiji.app or Fiji.")
    return folder


def _package_files() -> Iterator[tuple[str, Path]]:
    """Names below the Fiji folder and files of the menu, in order."""
    top = menu_folder()
    for path in sorted(top.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".ijm"):
            yield path.relative_to(top).as_posix(), path


def _check_nothing_in_the_way(folder: Path, wanted: dict[str, Path], known: dict[str, str]) -> None:
    for name, source in wanted.items():
        path = folder / name
        if not path.exists():
            continue
        present = _sha256(path)
        if present not in (known.get(name), _sha256(source)):
            origin = "was changed since it was installed" if name in known else "was not installed by deepd3-ij"
            raise FijiError(f"{path} {origin}; nothing was written. Move it away, or overwrite it with --force.")


def _copy(source: Path, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".new")
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return _sha256(target)


def _remove(folder: Path, name: str, sha256: str, force: bool) -> bool:
    """Remove an installed file; False if it was changed and is kept."""
    path = folder / name
    if not path.is_file():
        return True
    if not force and _sha256(path) != sha256:
        return False
    path.unlink()
    path.with_name(f"{path.stem}$py.class").unlink(missing_ok=True)  # what Jython compiled it to
    return True


def _remove_empty_folders(folder: Path, names: list[str]) -> None:
    own = {parent for name in names for parent in PurePosixPath(name).parents if len(parent.parts) > 1}
    for parent in sorted(own, key=lambda path: -len(path.parts)):
        path = folder / parent
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _read_manifest(folder: Path) -> Installation | None:
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _LARGEST_MANIFEST_BYTES:
            raise ValueError("too large")
        values = json.loads(path.read_text(encoding="utf-8"))
        python = None if values["python"] is None else Path(values["python"])
        files = {str(name): str(sha256) for name, sha256 in values["files"].items()}
        installation = Installation(folder, str(values["version"]), python, files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FijiError(f"{path} is damaged ({type(error).__name__}); remove it and install again with --force."
                        ) from error
    for name in installation.files:
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or "\\" in name or ":" in name:
            raise FijiError(f"{path} names a file outside of Fiji ({name}); remove it and install again with --force.")
    return installation


def _write_manifest(folder: Path, files: dict[str, str], python: str | PathLike[str] | None) -> None:
    path = folder / MANIFEST
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(manifest_text(files, python or sys.executable), encoding="utf-8")
    os.replace(temporary, path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
