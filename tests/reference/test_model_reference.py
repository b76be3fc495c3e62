"""Predictions against those of the original, for a network with random weights."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from deepd3_ij.model import load_model
from deepd3_ij.parameters import PredictionParameters
from deepd3_ij.segmentation import predict
from deepd3_ij.segmentation.normalisation import scale
from deepd3_ij.segmentation.prediction import make_tiling
from deepd3_ij.stack import label_stack

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "reference" / "model"


@pytest.fixture(scope="module")
def model(folder):
    return load_model(folder / "DeepD3_8F_random.h5")


def reference(folder, name):
    with np.load(folder / name, allow_pickle=False) as arrays:
        return dict(arrays)


def test_the_original_model_file_has_the_published_size(model):
    assert (model.filters, model.layers, model.fixed_shape) == (8, 4, None)
    assert model.graph.parameter_count == 544_738


@pytest.mark.parametrize("name", ["noise", "tile"])
def test_the_network_computes_the_originals_values(folder, model, name):
    arrays = reference(folder, "forward.npz")
    dendrite, spine = model.predict_batch(arrays[f"{name}_x"][..., 0])
    np.testing.assert_allclose(dendrite, arrays[f"{name}_dendrites"][..., 0], atol=TOLERANCE)
    np.testing.assert_allclose(spine, arrays[f"{name}_spines"][..., 0], atol=TOLERANCE)


@pytest.mark.parametrize("tiling", ["plane", "seamless"])
@pytest.mark.parametrize("pixels", ["u8", "u16"])
def test_whole_planes_agree_with_the_original(folder, model, tiling, pixels):
    stack = label_stack(tifffile.imread(folder / f"stack_{pixels}.tif"), xy_um=0.1, z_um=0.5)
    found = predict(stack, model, PredictionParameters(tiling=tiling))
    expected = reference(folder, f"predictWholeImage_{pixels}.npz")
    np.testing.assert_allclose(found.dendrite, expected["dendrites"], atol=TOLERANCE)
    np.testing.assert_allclose(found.spine, expected["spines"], atol=TOLERANCE)


def predicted_in_columns(planes, model, name):
    """Predict in the package's tiles, scaled as the original does it in its tile modes.

    It scales a tile together with the same tile of all other planes, padding included; the padding is the mean of the
    whole stack, as a value of its type. The package scales each plane by itself instead, as the network was trained.
    """
    tiling = make_tiling(planes.shape[1:], model, PredictionParameters(tiling=name))
    padded = tiling.pad(planes, [planes.dtype.type(planes.mean())] * len(planes))
    sums = np.zeros((2, len(planes), *tiling.padded_px), dtype=np.float32)
    for tile in tiling.tiles:
        column = scale(tiling.cut(padded, tile))
        if column is not None:
            tiling.add(sums, tile, np.stack(model.predict_batch(column)))
    return tiling.finish(sums)


def test_inset_tiles_agree_with_the_original_when_scaled_as_there(folder, model):
    planes = tifffile.imread(folder / "stack_u8.tif")
    dendrite, spine = predicted_in_columns(planes, model, "inset")
    expected = reference(folder, "predictInset_u8.npz")
    np.testing.assert_allclose(dendrite, expected["dendrites"], atol=TOLERANCE)
    np.testing.assert_allclose(spine, expected["spines"], atol=TOLERANCE)


def test_fourfold_tiles_agree_where_the_originals_passes_all_cover_and_go_on_beyond(folder, model):
    planes = tifffile.imread(folder / "stack_u8.tif")
    dendrite, spine = predicted_in_columns(planes, model, "fourfold")
    expected = reference(folder, "predictFourFold_u8.npz")
    covered = np.broadcast_to(expected["covered_by_all_passes"], planes.shape)
    assert 0.5 < covered.mean() < 0.6
    np.testing.assert_allclose(dendrite[covered], expected["dendrites"][covered], atol=TOLERANCE)
    np.testing.assert_allclose(spine[covered], expected["spines"][covered], atol=TOLERANCE)
    assert (expected["dendrites"][..., 272:, :] == 0).all()
    assert (dendrite > 0.1).all()
