"""What the user should know although the work goes on: one line for each doubt about a file or its values.

A note goes through Python's logging (logger ``deepd3_ij.notes``, level WARNING), so that nobody has to hand it on: the
command line prints it on stderr, a service collects it for its answer, and in Python it is seen unless logging is
configured otherwise.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOGGER = logging.getLogger("deepd3_ij.notes")


def note(text: str) -> None:
    """Tell the user one line: what was seen, what was done with it, and what to do if that is wrong."""
    LOGGER.warning("%s", " ".join(text.split()))


class _Collector(logging.Handler):
    """Keeps the notes of the thread that made it, each once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.thread == self._thread and text not in self.texts:
            self.texts.append(text)


@contextmanager
def collected_notes() -> Iterator[list[str]]:
    """Collect the notes that this thread gives in the block.

    Yields
    ------
    list of str
        The notes so far; each text once.
    """
    collector = _Collector()
    LOGGER.addHandler(collector)
    try:
        yield collector.texts
    finally:
        LOGGER.removeHandler(collector)
