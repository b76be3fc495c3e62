from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepd3_ij.errors import StackError
from deepd3_ij.printing import printable, storable
from deepd3_ij.stack import label_stack

NAMES = {
    "line\nbreak.tif": r"line\nbreak.tif",
    "bell\x07 \x1b[31mred": r"bell\x07 \x1b[31mred",
    "gr\udcfcn.tif": r"gr\xfcn.tif",
    "turned\u202egnp.tif": r"turned\u202egnp.tif",
    "two\u2028lines": r"two\u2028lines",
    "µm ä 日本.tif": "µm ä 日本.tif",
}


@pytest.mark.parametrize(("name", "shown"), NAMES.items(), ids=range(len(NAMES)))
def test_what_controls_a_terminal_is_escaped_and_letters_stay(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text())
def test_any_text_is_one_line_that_can_be_encoded(text: str) -> None:
    for shown in (printable(text), storable(text)):
        shown.encode("utf-8")
        assert len(shown.splitlines()) <= 1
        assert not any(unicodedata.category(letter) == "Cc" for letter in shown)


@given(st.binary(max_size=30))
def test_names_of_any_bytes_can_be_shown(name: bytes) -> None:
    printable(name.decode("utf-8", errors="surrogateescape")).encode("utf-8")


def test_an_error_is_one_line_whatever_is_in_it() -> None:
    assert str(StackError("a\nb\x1b.tif is damaged.")) == r"a\nb\x1b.tif is damaged."


def test_the_source_of_a_stack_can_be_stored_in_every_format() -> None:
    stack = label_stack(np.zeros((1, 2, 2)), xy_um=1, z_um=1, source="gr\udcfcn\n.tif")
    assert stack.attrs["source"] == "gr\ufffdn\ufffd.tif"
