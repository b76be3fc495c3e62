import numpy as np
import pytest

from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.d3data import D3Data
from deepd3_ij.files.d3set import read_d3set
from deepd3_ij.training.original_draws import TabulatedStack, original_batch

CASES = {
    "noscale": {},
    "res094": {"target_resolution": 0.094},
    "norm01": {"size": (1, 96, 64), "normalize": (0.0, 1.0)},
}


def tabulated(data: D3Data) -> TabulatedStack:
    """A stack of a set with the sizes that its metadata tell."""
    depth, height, width = (int(data.meta[name]) for name in ("Depth", "Height", "Width"))
    return TabulatedStack(data.stack, data.dendrite, data.spines, (depth, height, width), data.xy_um)


@pytest.fixture(scope="module")
def stacks(shared):
    return [tabulated(data) for data in read_d3set(shared / "reference" / "files" / "set.d3set")]


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_batches_are_those_of_the_original_bit_for_bit(shared, stacks, case, index):
    expected = np.load(shared / "reference" / "files" / "batches.npz", allow_pickle=False)
    batch = original_batch(stacks, index, batch_size=4, **CASES[case])
    for name, part in zip(("X", "Y0", "Y1"), batch, strict=True):
        np.testing.assert_array_equal(part[..., None], expected[f"{case}_b{index}_{name}"])


def test_a_sample_that_fits_nowhere_is_an_error(stacks, monkeypatch):
    monkeypatch.setattr("deepd3_ij.training.original_draws.MAX_TRIES", 50)
    with pytest.raises(AnnotationError, match="in 50 tries"):
        original_batch(stacks, 0, batch_size=1, size=(1, 500, 500))
    with pytest.raises(AnnotationError, match="more than 16384 foreground pixels"):
        original_batch(stacks, 0, batch_size=1, min_content=128 * 128)
