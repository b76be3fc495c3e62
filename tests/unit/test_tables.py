"""CSV tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.errors import FileFormatError, OutputError
from deepd3_ij.files.tables import read_table, write_centroids, write_table
from deepd3_ij.rois.roiset import RoiSet
from deepd3_ij.stack import label_stack


def test_table_has_stable_numbers_and_empty_fields_for_missing_values(tmp_path):
    table = pd.DataFrame({"id": [1, 20], "x_um": [0.1 + 0.2, -0.0], "mean_intensity": [np.nan, 1234567.0],
                          "note": ["a,b", "µ"]})
    write_table(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_bytes() == 'id,x_um,mean_intensity,note\n1,0.3,,"a,b"\n20,0,1234567,µ\n'.encode()


def test_writing_changes_nothing_in_the_table(tmp_path):
    table = pd.DataFrame({"x_um": [-0.0, 2.0]})
    write_table(tmp_path / "a.csv", table)
    assert np.signbit(table["x_um"][0])


def test_table_comes_back(tmp_path):
    table = pd.DataFrame({"id": [1, 2], "x_um": [0.25, np.nan], "planes": [3, 4]})
    write_table(tmp_path / "a.csv", table)
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv"), table)


def test_empty_table_keeps_its_columns(tmp_path):
    write_table(tmp_path / "a.csv", pd.DataFrame({"id": pd.Series(dtype=int), "x_um": pd.Series(dtype=float)}))
    assert list(read_table(tmp_path / "a.csv").columns) == ["id", "x_um"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_tables_saved_by_spreadsheets_are_read(tmp_path, separator):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + f"id{separator}x_um\r\n1{separator}2.5\r\n".encode())
    assert read_table(tmp_path / "a.csv").to_dict("list") == {"id": [1], "x_um": [2.5]}


@pytest.mark.parametrize("content", [b"", b"\n\n", b"a,b\n1,2\n3,4,5\n", b"a,b\x00\n", b"\xff\xfe\x80,\x81\n1,2\n"])
def test_what_is_no_table_is_one_clear_line(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(FileFormatError) as error:
        read_table(tmp_path / "a.csv")
    assert "\n" not in str(error.value)


def test_missing_table_and_missing_folder_are_clear_errors(tmp_path):
    with pytest.raises(FileFormatError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(OutputError, match="does not exist"):
        write_table(tmp_path / "none" / "a.csv", pd.DataFrame({"a": [1]}))


def test_centroids_have_ids_voxels_and_um_and_no_row_for_the_background(tmp_path):
    labels = np.zeros((3, 6, 6), np.int32)
    labels[1:3, 2, 2:4] = 5
    labels[0, 0, 0] = 2
    write_centroids(tmp_path / "a.csv", RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5)))
    assert (tmp_path / "a.csv").read_text() == (",Pos,Y,X,Z_um,Y_um,X_um\n2,0,0,0,0,0,0\n"
                                                "5,1.5,2,2.5,0.75,0.2,0.25\n")


def test_centroids_without_rois_are_a_header(tmp_path):
    write_centroids(tmp_path / "a.csv", RoiSet(label_stack(np.zeros((1, 2, 2), np.int32), xy_um=0.1, z_um=0.5)))
    assert (tmp_path / "a.csv").read_text() == ",Pos,Y,X,Z_um,Y_um,X_um\n"


PLACES = pd.DataFrame({"id": [1, 2], "x_um": [2.5, 3.25], "y_um": [0.5, 1e-3]})


@pytest.mark.parametrize("text", [
    "id;x_um;y_um\n1;2,5;0,5\n2;3,25;1e-3\n", "id\tx_um\ty_um\n1\t2,5\t,5\n2\t3,25\t1,0e-3\n",
    "\ufeffid;x_um;y_um\r\n1;2.5;0.5\r\n2;3.25;0.001\r\n", "sep=;\nid;x_um;y_um\n1;2,5;0,5\n2;3,25;0,001\n",
    'id,x_um,y_um\n1,"2,5",0.5\n2,"3,25",0.001\n', "id,x_um,y_um\n1,2.5,0.5,\n2,3.25,0.001,,\n",
    "id,x_um,y_um,\n1,2.5,0.5,\n2,3.25,0.001,\n", "\n\nid,x_um,y_um\n\n1,2.5,0.5\n,,\n2,3.25,0.001\n\n",
    "id, x_um , y_um\n1, 2.5, 0.5\n2, 3.25 ,0.001\n", "id,x_um,y_um\r1,2.5,0.5\r2,3.25,0.001\r",
])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_means_the_same_however_a_program_writes_it(tmp_path, text, encoding):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.csv"), PLACES)


@pytest.mark.parametrize(("text", "line"), [("a,b\n1,2\n\n3,4,5\n", 4), ("a,b\n1,5,2,5\n", 2), ("a\n1,2\n", 2)])
def test_a_line_with_more_values_than_columns_is_named(tmp_path, text, line):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FileFormatError, match=rf"a\.csv, line {line}: \d values for \d column"):
        read_table(tmp_path / "a.csv")


def test_a_line_with_fewer_values_than_columns_lacks_the_last_ones(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,c\n1,2\n3,4,5\n")
    assert read_table(tmp_path / "a.csv").isna().to_numpy().tolist() == [[False, False, True], [False] * 3]


def test_rows_know_their_lines(tmp_path):
    (tmp_path / "a.csv").write_text('\na,b\n\n1,"two\nlines"\n\n3,4\n')
    assert read_table(tmp_path / "a.csv").attrs["lines"] == [5, 7]


def test_text_that_contains_a_comma_stays_text(tmp_path):
    (tmp_path / "a.csv").write_text("name;x\na,b;1\n1,2,3;2\n")
    assert read_table(tmp_path / "a.csv")["name"].tolist() == ["a,b", "1,2,3"]
