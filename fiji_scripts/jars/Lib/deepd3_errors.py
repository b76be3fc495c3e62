"""What ends a command before it is done.

Jython 2.7.
"""


class DeepD3Error(Exception):
    """One sentence for the user; the trace, if any, is for the Log."""

    def __init__(self, message, trace=None):
        Exception.__init__(self, message)
        self.message = message
        self.trace = trace


class Cancelled(Exception):  # noqa: N818 - no error
    """The user stopped the work."""


class WorkerEndedError(DeepD3Error):
    """The Python that did the work ended before it had answered."""
