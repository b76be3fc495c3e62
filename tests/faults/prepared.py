"""Workers of a batch that are forks of a process that has imported everything, so that fifty of them cost little.

To the pool each is a process of its own that it starts with a command, with streams of its own and an exit code; the
command hands its streams to the prepared process and ends as its fork ends.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deepd3_ij.batch import worker
from tests.faults.little_worker import make_work

_COMMAND = """
import os, resource, socket, sys
with socket.socket(socket.AF_UNIX) as prepared:
    prepared.connect(sys.argv[1])
    socket.send_fds(prepared, [b"-"], [0, 1, 2])
    code = int(prepared.recv(16) or 1)
if code < 0:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def prepared_workers(folder: Path) -> Iterator[list[str]]:
    """A prepared process, while the block runs; the command that starts a worker.

    Parameters
    ----------
    folder
        An empty folder.
    """
    place = folder / "socket"
    with subprocess.Popen([sys.executable, "-m", "tests.faults.prepared", str(place)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE) as prepared:
        try:
            assert prepared.stdout is not None
            assert prepared.stdout.readline() == b"ready\n"
            yield [sys.executable, "-I", "-S", "-c", _COMMAND, str(place)]
        finally:
            prepared.kill()


def _serve(place: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what ends is not waited for
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                os.write(connection.fileno(), b"%d" % _work(connection))
                os._exit(0)
            connection.close()


def _work(connection: socket.socket) -> int:
    """The exit code of a fork that works with the streams that come."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w")
        worker.main(make_work)
    for stream in streams:
        os.close(stream)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    _serve(sys.argv[1])
