"""A plain Java process that does for the scripts what Fiji does; no Python is in it."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from deepd3_ij.fiji.jars import EMBEDDED_IMAGEJ, HEADLESS_COMMANDS, fetch_jars

SOURCE = Path(__file__).parent / "host" / "FijiLikeHost.java"
MODULES = Path(__file__).parent / "jython" / "modules"
ROOT = Path(__file__).parents[2]


class Host:
    """The process; every command is answered by one line.

    Parameters
    ----------
    fiji
        Folder laid out as Fiji.app with the scripts installed. If it is a whole Fiji, its own jars run, with
        ImageJ2 and its dialogs.
    work
        Folder for compiled classes, preferences and the home folder.
    headless
        Without windows.
    display
        Where windows go.
    environment
        Further variables of the process.
    """

    def __init__(self, fiji: Path, work: Path, *, headless: bool = True, display: str = "",
                 environment: Mapping[str, str] | None = None) -> None:
        self.full = any((fiji / "jars").glob("imagej-legacy*.jar"))
        if shutil.which("javac") is None:
            pytest.skip("there is no Java compiler (JDK)")
        own = [path for folder in ("jars", "plugins") for path in sorted((fiji / folder).rglob("*.jar"))]
        found = own if self.full else fetch_jars([*EMBEDDED_IMAGEJ, *HEADLESS_COMMANDS])
        jars = os.pathsep.join(map(str, found))
        classes = work / "classes"
        classes.mkdir(parents=True, exist_ok=True)
        subprocess.run(["javac", "-proc:none", "-nowarn", "-d", str(classes), "-cp", jars, str(SOURCE)], check=True)
        modules = [MODULES] if self.full else [fiji / "jars" / "Lib", MODULES]
        options = [f"-Djava.awt.headless={str(headless).lower()}", "--add-opens=java.base/java.lang=ALL-UNNAMED",
                   "-XX:TieredStopAtLevel=1", f"-Duser.home={work}", f"-Djava.util.prefs.userRoot={work}",
                   "-Dpython.cachedir.skip=true", f"-Dpython.path={os.pathsep.join(map(str, modules))}"]
        options += ["-Dfull.fiji=true", f"-Dimagej.dir={fiji}", f"-Dij.dir={fiji}", f"-Dplugins.dir={fiji}",
                    "--add-opens=java.base/java.util=ALL-UNNAMED"] if self.full else []
        self.process = subprocess.Popen(
            ["java", *options, "-cp", os.pathsep.join([str(classes), jars]), "FijiLikeHost", str(fiji)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONPATH": str(ROOT), "JAVA_TOOL_OPTIONS": "", "DISPLAY": display,
                 **(environment or {})})
        self.errors: list[str] = []
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read_answers, daemon=True).start()
        threading.Thread(target=self._read_errors, daemon=True).start()

    def ask(self, *words: str, seconds: float = 600, **values: object) -> str:
        """Send a command and wait for its answer."""
        self.send(*words, **values)
        return self.answer(seconds)

    def send(self, *words: str, **values: object) -> None:
        assert self.process.stdin is not None
        line = "\t".join([*words, *(f"{name}={value}" for name, value in values.items())])
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self, seconds: float = 600) -> str:
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError("\n".join(self.errors[-40:])) from None

    def log(self) -> str:
        """What ImageJ has logged; without windows it goes to the error stream."""
        return "\n".join(self.errors)

    def logged(self, text: str) -> bool:
        """True as soon as a text is in the log; False after ten seconds."""
        for _ in range(100):
            if text in self.log():
                return True
            time.sleep(0.1)
        return False

    def workers(self) -> list[int]:
        """Process ids of the Python workers that the process started."""
        children = Path(f"/proc/{self.process.pid}/task")
        ids = [int(number) for task in children.glob("*/children") for number in task.read_text().split()]
        return [number for number in ids
                if b"deepd3_ij.service.worker" in Path(f"/proc/{number}/cmdline").read_bytes()]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)

    def _read_answers(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("=> "):
                self._answers.put(line[3:].rstrip("\n"))
        self._answers.put("the process ended: " + " | ".join(self.errors[-10:]))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line.rstrip("\n"))
