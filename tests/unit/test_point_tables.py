"""Positions of spines in tables of many programs."""

from __future__ import annotations

import numpy as np
import pytest

from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.point_tables import read_evaluation_points, read_positions
from deepd3_ij.measurement.points import SpinePoints

SIZE = {"xy_um": 0.1, "z_um": 0.5}


def read_spine_points(path, **size: float) -> SpinePoints:
    return read_evaluation_points(path, path, **size)[0]


def saved(folder, text: str, name: str = "a.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_positions_with_a_comma_at_the_end_of_each_line_keep_their_columns(tmp_path):
    points = read_spine_points(saved(tmp_path, "z_px,y_px,x_px,volume\n5,20,30,1.5,\n6,60,80,1.5,\n"), **SIZE)
    np.testing.assert_array_equal(points.zyx_px, [[5, 20, 30], [6, 60, 80]])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_same_table_with_other_separators_gives_the_same_positions(tmp_path, separator):
    text = "id,z_px,y_px,x_px,z_um,y_um,x_um\n1,5,20,30,2.5,2.0,3.0\n2,6,60,80,3.0,6.0,8.0\n"
    decimal = text.replace(",", separator)
    decimal = decimal if separator == "," else decimal.replace(".", ",")
    found, truth = read_evaluation_points(saved(tmp_path, decimal), saved(tmp_path, text, "b.csv"))
    np.testing.assert_allclose(found.zyx_um, truth.zyx_um)
    assert found.ids.tolist() == [1, 2]


@pytest.mark.parametrize("identity", ["inf", "-inf", "12345678901234567890123456", "1e300", "1.5"])
def test_an_id_that_is_no_whole_number_of_moderate_size_is_named_with_its_line(tmp_path, identity):
    path = saved(tmp_path, f"id,z_px,y_px,x_px\n1,1,2,3\n\n{identity},1,2,3\n")
    with pytest.raises(AnnotationError, match=r"a\.csv, line 4: id is .* whole number"):
        read_spine_points(path, **SIZE)


def test_names_instead_of_ids_become_row_numbers(tmp_path):
    points = read_spine_points(saved(tmp_path, "id,z_px,y_px,x_px\na,1,2,3\nb,4,5,6\n"), **SIZE)
    assert points.ids.tolist() == [0, 1]


def test_the_line_of_a_bad_value_counts_empty_lines_and_rows_that_are_left_out(tmp_path):
    path = saved(tmp_path, "isBad;z_px;y_px;x_px\n\n1;1;2;3\n0;1;two;3\n")
    with pytest.raises(AnnotationError, match="line 4: y_px is 'two'"):
        read_spine_points(path, **SIZE)


@pytest.mark.parametrize("text", ["X,Y,Z\n1,2,3\n4,5.5,6\n", "x;y;Pos\n1;2;3\n4;5,5;6\n",
                                  " ,X,Y,Pos\n1,1,2,3\n2,4,5.5,6\n"])
def test_positions_to_show_are_read_like_any_table(tmp_path, text):
    np.testing.assert_array_equal(read_positions(saved(tmp_path, text)), [[3, 2, 1], [6, 5.5, 4]])


@pytest.mark.parametrize(("text", "words"), [
    ("X,Y\n1,2\n", "accepted: X, Y and Z or Pos"), ("X,Y,Z\n1,,3\n", "line 2: Y is"),
    ("X,Y,Z\n1,inf,3\n", "line 2: Y is inf")])
def test_positions_that_cannot_be_shown_are_named(tmp_path, text, words):
    with pytest.raises(AnnotationError, match=words):
        read_positions(saved(tmp_path, text))
