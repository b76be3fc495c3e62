"""Menu commands and macros without a display."""

from collections.abc import Iterator

import numpy as np
import pytest

from deepd3_ij import fiji, label_stack
from deepd3_ij.fiji.java import java_class


@pytest.fixture(scope="session")
def session() -> Iterator[fiji.Session]:
    session = fiji.connect("embedded", commands=True)
    yield session
    session.close()


def stack() -> object:
    return label_stack(np.arange(600, dtype=np.float32).reshape(3, 10, 20), xy_um=0.1, z_um=0.5, source="cell.tif")


def test_a_menu_command_works_on_a_pushed_stack(session: fiji.Session) -> None:
    image = session.push(stack())
    java_class("ij.IJ").run(image, "Add...", "value=7 stack")
    np.testing.assert_array_equal(session.pull(image).values, stack().values + 7)  # type: ignore[attr-defined]


def test_a_macro_finds_the_image_that_is_shown_and_it_can_be_pulled_by_name(session: fiji.Session) -> None:
    session.push(stack()).show()
    assert str(java_class("ij.IJ").runMacro("run('Multiply...', 'value=2 stack'); return getTitle();")) == "cell"
    expected = stack().values * 2  # type: ignore[attr-defined]
    np.testing.assert_array_equal(session.pull("cell").values, expected)
    np.testing.assert_array_equal(session.pull().values, expected)
