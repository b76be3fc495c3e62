"""Checks of notes that code gives to the user."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from deepd3_ij.notes import collected_notes


@contextmanager
def told(pattern: str) -> Iterator[None]:
    """The block gives a note that matches, on one line."""
    with collected_notes() as notes:
        yield
    assert any(re.search(pattern, text) for text in notes), notes
    assert not any("\n" in text for text in notes)
