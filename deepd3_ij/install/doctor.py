"""What a computer has and lacks for this package, and the command that mends it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deepd3_ij.errors import DeepD3Error, ModelError
from deepd3_ij.fiji import java
from deepd3_ij.fiji.configuration import configured_fiji
from deepd3_ij.fiji.jars import EMBEDDED_IMAGEJ, cache_folder, missing_jars
from deepd3_ij.model.backend import BACKENDS, backend_version, chosen_backend

OLDEST_PYTHON = (3, 11)
LEAST_DISK_GIB = 2.0
LEAST_MEMORY_GIB = 4.0

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What was looked at.
    status
        ``"ok"``, ``"note"`` (something optional is missing) or ``"problem"``.
    found
        What was found.
    remedy
        The command that mends it; empty if nothing is to be mended.
    """

    name: str
    status: str
    found: str
    remedy: str = ""


def run_checks(fiji: str | None = None) -> list[Check]:
    """Look at Python, what training needs, Java, jars, Fiji, display, disk and memory; starts none of them.

    Parameters
    ----------
    fiji
        Fiji folder to look at; the configured one if None.
    """
    return [check() for check in (
        _python, _training, _java, _jars, lambda: _fiji(fiji), _display, _disk, _memory)]


def format_checks(checks: list[Check]) -> str:
    """The checks as lines of text, remedies below what they mend."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<8}{check.name:<{width + 2}}{check.found}")
        if check.remedy:
            lines.append(" " * (width + 10) + "→ " + check.remedy)
    return "\n".join(lines)


def _python() -> Check:
    found = f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Check("Python", PROBLEM, found, f"install Python {oldest} or newer")
    return Check("Python", OK, found)


def _training() -> Check:
    try:
        name = chosen_backend()
    except ModelError as error:
        found, _, remedy = str(error).partition("; ")
        return Check("Training", PROBLEM, found, remedy.replace("pip install", f"{sys.executable} -m pip install"))
    return Check("Training", OK, f"with {BACKENDS[name]} {backend_version(name)}")


def _java() -> Check:
    try:
        library, version = java.find_java()
    except DeepD3Error as error:
        return Check("Java", PROBLEM, str(error).split(";")[0], _install_java())
    return Check("Java", OK, f"{'.'.join(map(str, version))} at {library}")


def _install_java() -> str:
    managers = (("conda", "conda install -c conda-forge openjdk=17"),
                ("apt-get", "sudo apt-get install openjdk-17-jre"), ("dnf", "sudo dnf install java-17-openjdk"),
                ("brew", "brew install openjdk@17"), ("winget", "winget install EclipseAdoptium.Temurin.17.JRE"))
    for program, command in managers:
        if shutil.which(program):
            return command
    return "install OpenJDK 17 and let JAVA_HOME point to it"


def _jars() -> Check:
    folder = cache_folder()
    missing = missing_jars(EMBEDDED_IMAGEJ, folder)
    if not missing:
        return Check("Embedded ImageJ", OK, f"{len(EMBEDDED_IMAGEJ)} jars in {folder}")
    names = ", ".join(jar.file_name for jar in missing)
    return Check("Embedded ImageJ", NOTE, f"not fetched yet: {names}",
                 f'{sys.executable} -c "from deepd3_ij.fiji.jars import *; fetch_jars(EMBEDDED_IMAGEJ)"')


def _fiji(given: str | None) -> Check:
    fiji = given or configured_fiji()
    if fiji is None:
        return Check("Fiji", OK, "none configured; the embedded ImageJ is used")
    folder = Path(fiji).expanduser()
    if not folder.is_dir() and ":" in fiji and not folder.is_absolute():
        return Check("Fiji", OK, f"Maven endpoint {fiji}")
    if not (any(folder.glob("jars/imagej-legacy*.jar")) and any(folder.glob("jars/ij-1*.jar"))):
        return Check("Fiji", PROBLEM, f"{fiji} is no Fiji folder", _setting("DEEPD3_FIJI", "/path/to/Fiji.app"))
    return Check("Fiji", OK, str(folder))


def _display() -> Check:
    problem = java.display_problem()
    if problem is None:
        return Check("Display", OK, os.environ.get("DISPLAY") or sys.platform)
    return Check("Display", NOTE, f"{problem}; headless use works", "xvfb-run -a <command>, or start a desktop session")


def _disk() -> Check:
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    found = f"{free:.1f} GiB free at {folder}"
    if free < LEAST_DISK_GIB:
        return Check("Disk", PROBLEM, found,
                     f"free space, or: {_setting('DEEPD3_CACHE', f'/folder/with/{LEAST_DISK_GIB:g}/GiB')}")
    return Check("Disk", OK, found)


def _setting(name: str, value: str) -> str:
    """The command that sets a variable in this system's shell."""
    return f"set {name}={value}" if sys.platform == "win32" else f"export {name}={value}"


def _memory() -> Check:
    total = _total_memory_gib()
    if total is None:
        return Check("Memory", OK, "size unknown")
    found = f"{total:.1f} GiB"
    if total < LEAST_MEMORY_GIB:
        return Check("Memory", NOTE, found, "work on parts of large stacks: deepd3-ij analyze STACK --z-range A:B")
    return Check("Memory", OK, found)


def _total_memory_gib() -> float | None:
    sysconf: Callable[[str], int] | None = getattr(os, "sysconf", None)
    try:
        return None if sysconf is None else sysconf("SC_PAGE_SIZE") * sysconf("SC_PHYS_PAGES") / 2**30
    except (ValueError, OSError):
        return None
