import numpy as np
import pandas as pd
import pytest

from deepd3_ij.errors import FijiError
from deepd3_ij.fiji import Session
from deepd3_ij.fiji.table_windows import pull_table, push_table


def table() -> pd.DataFrame:
    return pd.DataFrame({"id": [1, 2, 12], "volume_um3": [0.25, 1e-3, np.nan], "planes": np.array([3, 1, 2], np.int32),
                         "remark": ["", "dim", "µ"]})


def test_a_table_returns_with_its_headings_and_values(session: Session) -> None:
    back = pull_table(session, push_table(session, table(), "Spines"))
    pd.testing.assert_frame_equal(back, table(), check_dtype=False)
    assert [str(dtype) for dtype in back.dtypes[:3]] == ["int64", "float64", "int64"]


def test_imagej_reads_the_columns_by_name_and_shows_missing_numbers_as_nan(session: Session) -> None:
    results = push_table(session, table(), "Spines")
    assert results.size() == 3
    assert results.getValue("volume_um3", 0) == 0.25
    assert str(results.getStringValue("remark", 1)) == "dim"
    assert str(results.getRowAsString(0)).split("\t")[:3] == ["1", "0.2500", "3"]
    assert str(results.getRowAsString(2)).split("\t")[1] == "NaN"


def test_an_empty_table_keeps_its_headings(session: Session) -> None:
    results = push_table(session, table().iloc[:0], "Spines")
    assert list(pull_table(session, results).columns) == list(table().columns)


def test_a_table_that_is_not_open_is_named(session: Session) -> None:
    with pytest.raises(FijiError, match="no table 'Nothing'"):
        session.pull_table("Nothing")
