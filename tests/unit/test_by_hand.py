"""What a person decided about spines in ImageJ, on its way to the measurement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.errors import FijiError
from deepd3_ij.measurement.geometry import Placed
from deepd3_ij.service.by_hand import NOTHING_BY_HAND, ByHand
from deepd3_ij.service.exchange import table_values


def test_decisions_are_read_by_number() -> None:
    read = ByHand.from_values({"placed": {"7": [1, 2, 3, 4, 5, 6.5]}, "reviewed": {"3": "kept"}})
    assert read == ByHand({7: Placed((1.0, 2.0, 3.0), (4.0, 5.0, 6.5))}, {3: "kept"})
    assert ByHand.from_values({"placed": {}, "reviewed": {}}) == NOTHING_BY_HAND


@pytest.mark.parametrize(("values", "said"), [
    ({}, "not understood"),
    ({"placed": [], "reviewed": {}}, "not understood"),
    ({"placed": {"one": [1, 2, 3, 4, 5, 6]}, "reviewed": {}}, "not understood"),
    ({"placed": {"1": None}, "reviewed": {}}, "not understood"),
    ({"placed": {"1": [1, 2, 3]}, "reviewed": {}}, "accepted: z, y and x of both"),
    ({"placed": {"1": [1, 2, 3, 4, 5, float("nan")]}, "reviewed": {}}, "accepted: z, y and x of both"),
    ({"placed": {}, "reviewed": {"1": "liked"}}, "accepted: kept or redrawn"),
])
def test_what_is_no_decision_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(FijiError, match=said):
        ByHand.from_values(values)


def test_texts_of_a_table_travel_beside_its_numbers() -> None:
    table = pd.DataFrame({"id": [1, 2], "side": np.array(["left", None], dtype=object), "length_um": [0.5, np.nan],
                          "seen": [True, False]})
    description, values = table_values(table)
    assert description == {"headings": ["id", "side", "length_um", "seen"], "whole": [True, False, False, True],
                           "texts": {"side": ["left", ""]}}
    np.testing.assert_array_equal(values, [[1, 2], [np.nan, np.nan], [0.5, np.nan], [1, 0]])
    empty, none = table_values(table.iloc[:0])
    assert empty["texts"] == {"side": []}
    assert none.shape == (4, 0)
