"""The Java virtual machine of this process: finding, checking, starting, leaving.

A process can start Java once, and it stays as it was started (headless or not).
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from deepd3_ij.errors import FijiError, one_line

OLDEST_JAVA = 11
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
INSTALL_JAVA = "install OpenJDK 17 (for example 'apt install openjdk-17-jre', 'brew install openjdk@17', " \
               "'winget install EclipseAdoptium.Temurin.17.JRE' or 'conda install -c conda-forge openjdk=17') or let " \
               "JAVA_HOME point to one"


def find_java() -> tuple[Path, tuple[int, ...]]:
    """Library of the Java that would be started, and its version.

    Returns
    -------
    path, version
        For example ``/usr/lib/jvm/java-17/lib/server/libjvm.so`` and ``(17, 0, 15)``.

    Raises
    ------
    FijiError
        There is no Java, or it is too old.
    """
    import jpype

    try:
        library = Path(jpype.getDefaultJVMPath())
    except (jpype.JVMNotFoundException, jpype.JVMNotSupportedException) as error:
        home = os.environ.get("JAVA_HOME")
        where = f" (JAVA_HOME is {home})" if home else ""
        raise FijiError(f"No Java was found{where}; {INSTALL_JAVA}.") from error
    version = _version_of(library)
    if version < (OLDEST_JAVA,):
        raise FijiError(f"Java {'.'.join(map(str, version))} at {library} is too old; accepted: {OLDEST_JAVA} or "
                        f"newer; {INSTALL_JAVA}.")
    return library, version


@cache
def _version_of(library: Path) -> tuple[int, ...]:
    for home in list(library.resolve().parents)[:5]:
        release = home / "release"
        if release.is_file():
            match = re.search(r'^JAVA_VERSION="([^"]+)"', release.read_text(errors="replace"), re.MULTILINE)
            if match:
                return _parse_version(match[1])
        program = home / "bin" / ("java.exe" if sys.platform == "win32" else "java")
        if program.is_file():
            said = subprocess.run([str(program), "-version"], capture_output=True, text=True, check=False)
            match = re.search(r'version "([^"]+)"', said.stderr + said.stdout)
            if match:
                return _parse_version(match[1])
    raise FijiError(f"The version of the Java at {library} cannot be read; {INSTALL_JAVA}.")


def _parse_version(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0])[:3])
    return numbers[1:] if numbers[:1] == (1,) else numbers  # "1.8.0" is Java 8


def display_problem() -> str | None:
    """Why no window can be opened, or None if one can."""
    if sys.platform in ("win32", "darwin"):
        return None
    display = os.environ.get("DISPLAY", "")
    match = re.fullmatch(r"(?P<host>[^:]*):(?P<number>\d+)(\.\d+)?", display)
    if not match:
        return "DISPLAY is not set" if not display else f"DISPLAY is {display!r}"
    host, number = match["host"], int(match["number"])
    addresses: list[tuple[int, Any]] = [(socket.AF_INET, (host or "localhost", 6000 + number))]
    if host in ("", "unix"):
        name = f"/tmp/.X11-unix/X{number}"
        addresses = [(socket.AF_UNIX, name), (socket.AF_UNIX, "\0" + name)]
    for family, address in addresses:
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(3)
            try:
                connection.connect(address)
                return None
            except OSError:
                continue
    return f"no X server answers at DISPLAY={display}"


def is_running() -> bool:
    """Whether this process has started Java (asked without loading anything)."""
    jpype = sys.modules.get("jpype")
    return jpype is not None and bool(jpype.isJVMStarted())


def start(jars: Sequence[Path], *, headless: bool, memory_percent: int) -> None:
    """Start Java with jars on its class path.

    Parameters
    ----------
    jars
        Files of the class path.
    headless
        Start without windows.
    memory_percent
        Largest share of the computer's memory that Java may use.

    Raises
    ------
    FijiError
        Java is missing, too old or does not start.
    """
    import jpype

    library, _ = find_java()
    options = [*memory_options(memory_percent), "--add-opens=java.base/java.lang=ALL-UNNAMED"]
    if headless:
        options.append("-Djava.awt.headless=true")
    try:
        jpype.startJVM(str(library), *options, classpath=[str(jar) for jar in jars], convertStrings=False)
    except Exception as error:
        raise FijiError(f"Java at {library} does not start ({one_line(error)}); {INSTALL_JAVA}.") from error
    end_with_python()


@cache
def end_with_python() -> None:
    """Let the running Java end as soon as Python does."""
    import jpype.config

    # ImageJ's filters leave threads behind for which the end of Python would wait for ever.
    jpype.config.destroy_jvm = False
    jpype.config.free_resources = False
    # JPype's own Java thread waits for Python's lock; if Python ends meanwhile, the process aborts.
    before_the_end(lambda: java_class("org.jpype.ref.JPypeReferenceQueue").getInstance().stop())


def before_the_end(release: Callable[[], Any]) -> None:
    """Do something before Python ends: take back what Java could call later, which would end the process with a fault.

    Parameters
    ----------
    release
        Called once; what was given last is called first.
    """
    def quietly() -> None:
        with suppress(Exception):  # Java may be gone
            release()

    atexit.register(quietly)


def wait_for_events() -> None:
    """Wait until the event thread has done what it was asked for, such as another look of all windows.

    A window that is made meanwhile could take half of its parts from each look.
    """
    java_class("java.awt.EventQueue").invokeAndWait(java_class("java.lang.Thread")())  # does nothing itself


def memory_options(memory_percent: int) -> list[str]:
    """Options for a Java that holds image stacks, whose planes are large arrays.

    Java's default collector takes twice the memory of such arrays and several times as long. The first stacks find
    room at once; memory that Java does not use yet is not taken from the computer. Large pages of memory make its
    first use several times cheaper.

    Parameters
    ----------
    memory_percent
        Largest share of the computer's memory that Java may use.
    """
    options = ["-XX:+UseParallelGC", f"-XX:MaxRAMPercentage={memory_percent}",
               f"-XX:InitialRAMPercentage={min(6.25, memory_percent)}", "-XX:NewRatio=1"]
    if _HUGE_PAGES.is_file() and "[never]" not in _HUGE_PAGES.read_text():
        options.append("-XX:+UseTransparentHugePages")
    return options


def java_class(name: str) -> Any:
    """A Java class by its full name, for example ``java_class("ij.ImagePlus")``."""
    import jpype

    try:
        return jpype.JClass(name)
    except TypeError as error:
        raise FijiError(f"The running Java has no class {name}; a session with ImageJ needs a Python process in which "
                        "Java was not started by something else.") from error


def text_of(value: Any) -> str | None:
    """A Java string as a Python one; null is None."""
    return None if value is None else str(value)


def end_process(code: int = 0) -> None:
    """End a command-line program at once, also when Java has threads that would keep it alive.

    Parameters
    ----------
    code
        Exit code.
    """
    if not is_running():
        sys.exit(code)
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
