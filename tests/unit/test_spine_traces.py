"""Spines as twigs of traced dendrites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.annotation.tracing import ROOT, Tracing
from deepd3_ij.errors import OutputError
from deepd3_ij.files.swc import read_swc
from deepd3_ij.measurement.measurements import Measurements
from deepd3_ij.measurement.spine_traces import SPINE_TYPE, with_spines
from deepd3_ij.outputs.registry import Results, write_outputs


def two_dendrites() -> Tracing:
    """Along x, at y = 0 and y = 2, nodes every µm."""
    xyz = np.array([[x, y, 0.0] for y in (0.0, 2.0) for x in range(5)])
    parents = np.array([ROOT, 1, 2, 3, 4, ROOT, 6, 7, 8, 9])
    return Tracing(np.arange(1, 11), np.full(10, 3), xyz, np.full(10, 0.4), parents)


def spines(*rows: tuple[int, int, float, float]) -> pd.DataFrame:
    """Id, dendrite, and x and y of the base; the tip is 1 µm farther along y."""
    table = pd.DataFrame([{"id": identity, "dendrite_id": dendrite, "base_x_um": x, "base_y_um": y, "base_z_um": 0.5,
                           "tip_x_um": x, "tip_y_um": y + 1, "tip_z_um": 0.5} for identity, dendrite, x, y in rows])
    return table if rows else spines((1, 1, 0, 0)).iloc[:0]


def test_base_and_tip_grow_from_the_nearest_node_of_their_own_dendrite() -> None:
    traces = with_spines(two_dendrites(), spines((7, 1, 2.2, 1.2), (9, 2, 3.6, 1.6)))
    tree = traces.tracing
    assert tree.ids[10:].tolist() == [11, 12, 13, 14]
    assert tree.parents[10:].tolist() == [3, 11, 10, 13]
    assert set(tree.types[10:]) == {SPINE_TYPE}
    assert tree.xyz[10:].tolist() == [[2.2, 1.2, 0.5], [2.2, 2.2, 0.5], [3.6, 1.6, 0.5], [3.6, 2.6, 0.5]]
    assert (tree.radius[10:] == 0).all()
    assert traces.drawn.tolist() == [7, 9]


def test_the_dendrites_stay_as_they_were() -> None:
    before, after = two_dendrites(), with_spines(two_dendrites(), spines((1, 1, 0, 0))).tracing
    for name in ("ids", "types", "xyz", "radius", "parents"):
        np.testing.assert_array_equal(getattr(after, name)[:10], getattr(before, name))


def test_spines_without_dendrite_base_or_tip_are_left_out() -> None:
    table = spines((1, 0, 0, 0), (2, 1, 1, 0.3), (3, 1, np.nan, 0.3), (4, 5, 1, 0.3))
    traces = with_spines(two_dendrites(), table)
    assert (traces.drawn.tolist(), traces.left_out.tolist()) == ([2], [1, 3, 4])


@pytest.mark.parametrize("table", [spines(), spines((1, 0, 0, 0))])
def test_without_any_dendrite_there_is_nothing(table: pd.DataFrame) -> None:
    empty = Tracing(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.int64))
    assert len(with_spines(empty, table).tracing) == 0


def test_the_file_names_the_type_and_the_spines_and_is_read_again(tmp_path: Path) -> None:
    table = spines((7, 1, 2.2, 1.2), (9, 2, 3.6, 1.6), (11, 0, 0, 0))
    measurements = Measurements(table, pd.DataFrame(), two_dendrites())
    (path,) = write_outputs(Results(measurements=measurements), tmp_path, "cell", ("spine_traces",))
    assert path.name == "cell_spines.swc"
    text = path.read_text(encoding="utf-8")
    assert "# type 7 (custom): dendritic spine" in text
    assert "# 1 spines without base, tip or dendrite are left out\n# 2 spines, ids in their order: 7 9\n" in text
    assert read_swc(path).parents.tolist() == with_spines(two_dendrites(), table).tracing.parents.tolist()


def test_without_measured_shapes_the_error_tells_how_to_get_them(tmp_path: Path) -> None:
    measurements = Measurements(pd.DataFrame({"id": [1], "dendrite_id": [1]}), pd.DataFrame(), two_dendrites())
    with pytest.raises(OutputError, match="no bases and tips, which their traces need; measure them with their shapes"):
        write_outputs(Results(measurements=measurements), tmp_path, "cell", ("spine_traces",))
