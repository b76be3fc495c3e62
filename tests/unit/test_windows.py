import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deepd3_ij.training.windows import all_windows, windows_with_content

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7))


@given(shape=SHAPES, size=SHAPES)
def test_every_position_is_listed_once_with_the_last_of_each_axis(shape, size):
    windows = all_windows(shape, size)
    listed = [windows[rank] for rank in range(len(windows))]
    expected = [(z, y, x) for z in range(shape[0] - size[0] + 1) for y in range(shape[1] - size[1] + 1)
                for x in range(shape[2] - size[2] + 1)]
    assert listed == expected


@settings(deadline=None)
@given(data=st.data(), shape=SHAPES, size=SHAPES, wanted=st.integers(0, 6))
def test_windows_with_content_are_those_that_counting_finds(data, shape, size, wanted):
    masks = tuple(data.draw(arrays(bool, shape)) for _ in range(2))
    windows = windows_with_content(masks, size, wanted)
    depth, height, width = size
    expected = [
        (z, y, x) for z, y, x in np.ndindex(*(max(0, full - part + 1) for full, part in zip(shape, size, strict=True)))
        if any(mask[z:z + depth, y:y + height, x:x + width].sum() > wanted for mask in masks)
    ]
    assert [windows[rank] for rank in range(len(windows))] == expected


def test_a_window_beyond_the_last_is_an_index_error():
    windows = all_windows((1, 3, 3), (1, 2, 2))
    assert len(windows) == 4
    with pytest.raises(IndexError):
        windows[4]
    with pytest.raises(IndexError):
        windows[-1]
