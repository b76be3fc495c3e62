"""The one line that an exception becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepd3_ij.errors import StackError, one_line


@pytest.mark.parametrize(("error", "line"), [
    (ValueError("two\n  lines\tand a tab "), "two lines and a tab"),
    (FileNotFoundError(2, "No such file or directory", "/secret/place"), "No such file or directory"),
    (OSError("Unable to open file"), "Unable to open file"),
    (MemoryError(), "MemoryError"),
    (KeyError("name"), "'name'"),
])
def test_an_exception_is_told_without_number_and_line_ends(error: Exception, line: str) -> None:
    assert one_line(error) == line


def test_only_texts_of_others_are_cut() -> None:
    assert one_line(ValueError("a" * 500)) == "a" * 299 + "…"
    assert one_line(ValueError("abcdef"), limit=4) == "abc…"
    assert one_line(StackError("a" * 500)) == "a" * 500


@given(st.text(), st.integers(2, 50))
def test_the_line_is_never_empty_longer_than_its_limit_or_broken(text: str, limit: int) -> None:
    line = one_line(RuntimeError(text), limit=limit)
    assert 0 < len(line) <= limit
    assert len(line.splitlines()) == 1
    assert line == line.strip()
