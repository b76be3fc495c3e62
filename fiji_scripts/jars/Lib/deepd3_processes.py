"""Programs that are run from Fiji: without a shell, line by line, ended with all that they started.

Jython 2.7.
"""

import threading
from contextlib import contextmanager

from deepd3_errors import Cancelled
from java.io import BufferedReader, File, InputStreamReader
from java.lang import IllegalStateException, ProcessBuilder, Runtime, System, Thread
from java.util.concurrent import LinkedBlockingQueue, TimeUnit

_WAIT_MS = 50
_END_SECONDS = 10


def run(words, line_read, stopped, variables=None, seconds=None, folder=None):
    """Run a program; its exit code, None if it took longer than given.

    line_read: gets each line that it writes.
    stopped: asked all the time; if true, the program ends and Cancelled is raised.
    variables: what it finds in its surroundings besides ours; None takes one away.
    Raises java.io.IOException if it cannot be started.
    """
    builder = ProcessBuilder(list(words))
    builder.directory(File(folder or System.getProperty("user.home")))
    builder.redirectErrorStream(True)
    surroundings = builder.environment()
    for name, value in (variables or {}).items():
        if value is None:
            surroundings.remove(name)
        else:
            surroundings.put(name, value)
    process = builder.start()
    with _ends_with_fiji(process):
        process.getOutputStream().close()
        lines = LinkedBlockingQueue()
        reader = threading.Thread(target=_read, args=(process.getInputStream(), lines))
        reader.setDaemon(True)
        reader.start()
        until = None if seconds is None else System.nanoTime() + seconds * 10**9
        try:
            while True:
                line = lines.poll(_WAIT_MS, TimeUnit.MILLISECONDS)
                if line is not None:
                    line_read(line)
                elif not process.isAlive() and not reader.isAlive():
                    break
                if stopped():
                    raise Cancelled()
                if until is not None and System.nanoTime() > until:
                    return None
                if line is None and not process.isAlive():
                    reader.join(2)  # what it started may keep its output open
                    if lines.isEmpty():
                        break
            return process.exitValue()
        finally:
            end(process)


def end(process):
    """End a program and all that it started."""
    if hasattr(process, "descendants"):  # Java 8 does not know them
        for child in list(process.descendants().iterator()):
            child.destroyForcibly()
    if process.isAlive():
        process.destroyForcibly()
        process.waitFor(_END_SECONDS, TimeUnit.SECONDS)


def started():
    """All programs that this Java has started and that still run; none can be told in Java 8."""
    try:
        from java.lang import ProcessHandle
    except ImportError:
        return []
    return list(ProcessHandle.current().descendants().iterator())


def _read(stream, lines):
    reader = BufferedReader(InputStreamReader(stream, "UTF-8"))
    try:
        line = reader.readLine()
        while line is not None:
            lines.add(line)
            line = reader.readLine()
    except BaseException:  # noqa: B036 - the stream was closed with the program; Java's exceptions are no Exception
        pass


@contextmanager
def _ends_with_fiji(process):
    """Let the program end when Fiji does."""

    class Ending(Thread):
        def run(self):
            end(process)

    ending = Ending()
    try:
        Runtime.getRuntime().addShutdownHook(ending)
    except IllegalStateException:  # Fiji ends just now
        end(process)
    try:
        yield
    finally:
        try:
            Runtime.getRuntime().removeShutdownHook(ending)
        except IllegalStateException:
            pass
