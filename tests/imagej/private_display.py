"""An X server with a window manager of our own."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROGRAMS = ("Xvfb", "openbox", "xdotool", "xprop")


@contextmanager
def private_display() -> Iterator[str]:
    """Name of a fresh display; skips the test where its programs are not installed.

    The programs that use it must end first: Java ends at once when its display goes.
    """
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: xvfb, openbox, xdotool, x11-utils)")
    with subprocess.Popen(["Xvfb", "-displayfd", "1", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        name = ":" + server.stdout.readline().strip()
        with subprocess.Popen(["openbox"], env={"DISPLAY": name, "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as manager:
            try:
                _wait_for_manager(name)
                yield name
            finally:
                manager.terminate()
                server.terminate()


def _wait_for_manager(name: str) -> None:
    for _ in range(300):
        said = subprocess.run(["xprop", "-display", name, "-root", "_NET_SUPPORTING_WM_CHECK"], capture_output=True,
                              text=True, check=False).stdout
        if "window id" in said:
            return
        time.sleep(0.1)
    raise AssertionError(f"no window manager on {name}")
