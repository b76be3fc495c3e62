"""The macro recorder.

Jython 2.7.
"""

from contextlib import contextmanager

from deepd3_texts import text_of
from java.awt import GraphicsEnvironment
from java.lang import Class


def record(command, fields):
    """Let the macro recorder write the command that does the same; fields: (name, value)."""
    recorder = _recorder()
    if recorder is None:
        return
    options = " ".join("%s=%s" % (name, "[%s]" % text_of(value) if " " in text_of(value) else text_of(value))
                       for name, value in fields)
    recorder.recordString('%srun("%s", "%s");\n' % ("IJ." if recorder.scriptMode() else "", command, options))


@contextmanager
def nothing_recorded():
    """What is done in the ROI Manager meanwhile is not the user's work and is not recorded."""
    recorder = _recorder()
    recording = None if recorder is None else Class.getField(recorder, "record")  # a method has the same name
    recorded = recording is not None and recording.getBoolean(None)
    if recorded:
        recording.setBoolean(None, False)
    try:
        yield
    finally:
        if recorded:
            recording.setBoolean(None, True)


def _recorder():
    """The recorder's class if it is open; its state is the class's."""
    if GraphicsEnvironment.isHeadless():
        return None
    from ij.plugin.frame import Recorder  # without windows, its class cannot be loaded
    return Recorder if Recorder.getInstance() is not None else None
