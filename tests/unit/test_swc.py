"""Reading and writing of tracings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepd3_ij.annotation.tracing import Tracing
from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.swc import format_swc, parse_swc, read_swc, write_swc
from tests.tracings import length_of, tree_count

PLAIN = "1 3 0 0 0 1 -1\n2 3 4 3 0 1 1\n3 3 4 3 2 0.5 2\n"


def test_columns_become_arrays() -> None:
    tracing = parse_swc(PLAIN, "a.swc")
    assert tracing.ids.tolist() == [1, 2, 3]
    assert tracing.types.tolist() == [3, 3, 3]
    np.testing.assert_array_equal(tracing.xyz, [[0, 0, 0], [4, 3, 0], [4, 3, 2]])
    assert tracing.radius.tolist() == [1, 1, 0.5]
    assert tracing.parents.tolist() == [-1, 1, 2]
    assert length_of(tracing) == pytest.approx(7)


@pytest.mark.parametrize("text", [
    PLAIN.replace(" ", "\t"),
    PLAIN.replace(" ", "   "),
    "   " + PLAIN.replace("\n", "  \r\n  "),
    "# a comment\n\n" + PLAIN.replace("\n", " # remark\n# more\n"),
    PLAIN.replace("-1", "-1 a column more"),
    PLAIN.replace("1 3 0", "1.0 3.0 0", 1),
])
def test_white_space_comments_and_further_columns_do_not_matter(text: str) -> None:
    assert format_swc(parse_swc(text, "a.swc")) == format_swc(parse_swc(PLAIN, "a.swc"))


def test_ids_may_have_gaps_and_children_may_come_first() -> None:
    tracing = parse_swc("30 3 2 0 0 1 20\n20 3 1 0 0 1 7\n7 3 0 0 0 1 -1\n", "a.swc")
    assert tracing.parent_rows.tolist() == [1, 2, -1]
    assert tracing.segments.tolist() == [[1, 0], [2, 1]]


def test_several_roots_stay_apart() -> None:
    tracing = parse_swc("1 3 0 0 0 1 -1\n2 3 1 0 0 1 1\n3 3 9 9 9 1 -2\n4 3 9 9 8 1 3\n", "a.swc")
    assert tree_count(tracing) == 2
    assert length_of(tracing) == pytest.approx(2)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_files_of_any_encoding_are_read(tmp_path, encoding: str) -> None:
    path = tmp_path / "a.swc"
    path.write_bytes(("# µm\n" + PLAIN).encode(encoding))
    assert len(read_swc(path)) == 3


@pytest.mark.parametrize(("text", "line", "words"), [
    ("1 3 0 0 0 1 -1\n2 3 0 0 0 1 5\n", 2, "parent 5"),
    ("# c\n1 3 0 0 0 1 2\n2 3 0 0 0 1 1\n", 2, "ancestor"),
    ("1 3 0 0 0 1 -1\n2 3 0 0 0 1 2\n", 2, "ancestor"),
    ("1 3 0 0 0 1 -1\n1 3 0 0 1 1 -1\n", 2, "line 1"),
    ("1 3 0 zero 0 1 -1\n", 1, "'zero'"),
    ("1 3 0 nan 0 1 -1\n", 1, "'nan'"),
    ("1 3 0,5 0 0 1 -1\n", 1, "'0,5'"),
    ("1.5 3 0 0 0 1 -1\n", 1, "whole number"),
    ("1 3 0 0 0 -2 -1\n", 1, "radius is -2"),
    ("1 3 0 0 0 1\n", 1, "6 columns"),
])
def test_a_damaged_line_is_named(text: str, line: int, words: str) -> None:
    with pytest.raises(AnnotationError, match=rf"a\.swc, line {line}: .*{words}") as caught:
        parse_swc(text, "a.swc")
    assert "\n" not in str(caught.value)


def test_a_file_without_nodes_is_an_error(tmp_path) -> None:
    (tmp_path / "empty.swc").write_text("# nothing\n\n")
    with pytest.raises(AnnotationError, match="no nodes"):
        read_swc(tmp_path / "empty.swc")


def test_a_missing_or_binary_file_is_an_error(tmp_path) -> None:
    with pytest.raises(AnnotationError, match="does not exist"):
        read_swc(tmp_path / "missing.swc")
    (tmp_path / "image.swc").write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(AnnotationError, match="no text file"):
        read_swc(tmp_path / "image.swc")


def test_pixels_become_micrometres_and_radii_stay() -> None:
    converted = parse_swc(PLAIN, "a.swc").pixels_to_um(xy_um=0.1, z_um=0.5)
    np.testing.assert_allclose(converted.xyz[2], [0.4, 0.3, 1.0])
    assert converted.radius.tolist() == [1, 1, 0.5]


numbers = st.integers(-10_000, 10_000).map(lambda value: value / 16)


@given(st.data(), st.integers(1, 30))
def test_what_is_written_is_read_again(data: st.DataObject, count: int) -> None:
    ids = data.draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count, unique=True))
    parents = [-1] + [data.draw(st.sampled_from([-1, *ids[:row]])) for row in range(1, count)]
    order = data.draw(st.permutations(range(count)))
    values = np.array(data.draw(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=count,
                                         max_size=count)))
    tracing = Tracing(np.array(ids)[order], np.full(count, 3), values[:, :3], np.abs(values[:, 3]),
                      np.array(parents)[order])
    again = parse_swc(format_swc(tracing, comment="two\nlines"), "a.swc")
    for name in ("ids", "types", "xyz", "radius", "parents"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tracing, name))


def test_writing_replaces_a_file(tmp_path) -> None:
    path = tmp_path / "a.swc"
    path.write_text("old")
    write_swc(path, parse_swc(PLAIN, "a.swc"), comment="made by a test")
    assert path.read_text().startswith("# made by a test\n")
    assert len(read_swc(path)) == 3


@pytest.mark.parametrize("comment", [b"# traced \x85 second session\n", b"# page 1\x0cpage 2\n",
                                     "# a\u2028b\n".encode(), "# a\x1cb\u2029c\x0bd\n".encode(), b"# mac\r"])
def test_only_line_feeds_and_carriage_returns_end_a_line(tmp_path, comment: bytes) -> None:
    (tmp_path / "a.swc").write_bytes(comment + PLAIN.encode())
    assert len(read_swc(tmp_path / "a.swc")) == 3


@pytest.mark.parametrize("text", ['<?xml version="1.0"?><tracings/>', '("CellBody" (Color Red))', "; V3 text file",
                                  "{}"])
def test_a_tracing_of_another_format_is_named(tmp_path, text: str) -> None:
    (tmp_path / "a.swc").write_text(text)
    with pytest.raises(AnnotationError, match=r"of another format .* export the tracing as SWC"):
        read_swc(tmp_path / "a.swc")
