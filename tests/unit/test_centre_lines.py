import numpy as np

from deepd3_ij.files.swc import read_swc, write_swc
from deepd3_ij.measurement.centre_lines import tracing_of
from deepd3_ij.measurement.dendrites import find_dendrites
from deepd3_ij.parameters import MeasureParameters
from deepd3_ij.stack import label_stack
from tests.tracings import length_of, tree_count


def branched_dendrites() -> object:
    """A T and a bar, as probabilities on a crop that starts away from the origin."""
    maps = np.zeros((14, 90, 140), np.float32)
    maps[3:8, 30:36, 10:130] = 1
    maps[3:8, 36:80, 70:76] = 1
    maps[11:13, 8:12, 5:135] = 1
    stack = label_stack(maps, xy_um=0.1, z_um=0.3)
    return find_dendrites(stack.isel(z=slice(1, None), x=slice(2, None)), MeasureParameters())


def test_every_dendrite_becomes_one_tree_of_its_length(tmp_path: object) -> None:
    dendrites = branched_dendrites()
    tracing = tracing_of(dendrites)
    assert tree_count(tracing) == len(dendrites.centre_lines) == 2
    np.testing.assert_allclose(length_of(tracing), sum(line.total_um for line in dendrites.centre_lines), rtol=1e-6)
    write_swc(f"{tmp_path}/d.swc", tracing)
    back = read_swc(f"{tmp_path}/d.swc")
    np.testing.assert_allclose(back.xyz, tracing.xyz, atol=1e-3)
    np.testing.assert_array_equal(back.parents, tracing.parents)


def test_nodes_lie_inside_of_the_dendrite_on_the_coordinates_of_the_stack() -> None:
    tracing = tracing_of(branched_dendrites())
    x, y, z = tracing.xyz.T
    bar = z > 2.5
    assert bar.any()
    assert (np.abs(y[bar] - 0.95) < 0.15).all()
    assert x[bar].min() < 1.0
    assert x[bar].max() > 13.0
    assert (np.abs(z[~bar] - 1.5) < 0.61).all()  # planes 3 to 7


def test_without_dendrites_the_tracing_is_empty() -> None:
    empty = find_dendrites(label_stack(np.zeros((3, 20, 20), np.float32), xy_um=0.1, z_um=0.3), MeasureParameters())
    assert len(tracing_of(empty)) == 0
