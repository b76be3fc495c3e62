from __future__ import annotations

import tracemalloc
from pathlib import Path

import dask.array
import numpy as np
import pytest

from deepd3_ij.errors import Cancelled
from deepd3_ij.files.hdf5 import read_prediction
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.outputs.streamed_maps import predict_to_files
from deepd3_ij.parameters import PredictionParameters
from deepd3_ij.stack import label_stack
from tests.unit.random_models import save_random


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DeepD3Model:
    path = tmp_path_factory.mktemp("model") / "random.keras"
    save_random(path)
    return load_model(path)


@pytest.mark.parametrize("eight_bit", [False, True])
def test_memory_does_not_grow_with_the_number_of_planes(eight_bit: bool, model: DeepD3Model, tmp_path: Path) -> None:
    # Planes of equal pixels cost no computing, but all of the reading and writing.
    stack = label_stack(dask.array.zeros((120, 512, 512), np.uint8, chunks=(1, 512, 512)), xy_um=0.1, z_um=0.5)
    one_map_bytes = 120 * 512 * 512 * 4
    tracemalloc.start()
    files = predict_to_files(stack, model, PredictionParameters(), tmp_path, "large", eight_bit=eight_bit)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < one_map_bytes / 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    assert read_prediction(files[2])["spine"].shape == (120, 512, 512)


def test_cancelling_leaves_nothing_behind(model: DeepD3Model, tmp_path: Path) -> None:
    stack = label_stack(np.zeros((3, 32, 32), np.uint8), xy_um=0.1, z_um=0.5)
    (tmp_path / "a_spines.tif").write_text("earlier")

    def stop_while_writing(done: int, total: int, message: str) -> None:
        if message.startswith("Writing"):
            raise Cancelled

    with pytest.raises(Cancelled):
        predict_to_files(stack, model, PredictionParameters(), tmp_path, "a", progress=stop_while_writing)
    assert [path.name for path in tmp_path.iterdir()] == ["a_spines.tif"]
    assert (tmp_path / "a_spines.tif").read_text() == "earlier"
