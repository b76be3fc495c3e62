"""Scripts in the guide's style give the package's own results."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tifffile

from deepd3_ij import (
    CleaningParameters,
    PredictionParameters,
    Roi3DParameters,
    build_rois_3d,
    clean,
    open_stack,
    predict,
)
from deepd3_ij.cleaning import clean_dendrite, close_dendrite
from deepd3_ij.compat.core.analysis import ROI3D_Creator, Stack
from deepd3_ij.compat.core.export import (
    ExportCentroids,
    ExportFolder,
    ExportImageJ,
    ExportPredictions,
    ExportROIMap,
)
from deepd3_ij.errors import ParameterError, StackError
from deepd3_ij.files.contour_folder import write_contour_folder
from deepd3_ij.files.hdf5 import write_prediction
from deepd3_ij.files.roi_zip import write_roi_zip
from deepd3_ij.files.tables import write_centroids
from deepd3_ij.files.tiff import write_prediction_maps, write_stack
from deepd3_ij.stack import label_prediction
from tests.unit.random_models import save_random

PITCH = {"xy": 0.12, "z": 0.4}
SETTINGS = {"areaThreshold": 0.3, "peakThreshold": 0.6, "seedDelta": 0.5, "distanceToSeed": 1.5}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A stack without calibration and a small network."""
    folder = tmp_path_factory.mktemp("script")
    pixels = np.random.default_rng(3).integers(0, 4000, (3, 70, 90)).astype(np.uint16)
    tifffile.imwrite(folder / "a.tif", pixels, photometric="minisblack")
    save_random(folder / "model.keras", filters=2, layers=2)
    return SimpleNamespace(stack=folder / "a.tif", model=folder / "model.keras", pixels=pixels)


@pytest.fixture(scope="module")
def script(place):
    """A script as a reader of the guide writes it."""
    stack = Stack(str(place.stack), dimensions=PITCH)
    assert not stack.segmented
    assert stack.predictFourFold(str(place.model), tile_size=64, inset_size=48)
    raw = stack.prediction.copy()
    stack.prediction[..., 0] = stack.prediction[..., 2] = stack.cleanDendrite3D(dendrite_threshold=0.5,
                                                                                min_dendrite_size=30)
    stack.prediction[..., 1] = stack.cleanSpines(dendrite_threshold=0.5, dendrite_dilation_iterations=2)
    creator = ROI3D_Creator(stack.prediction[..., 0], stack.prediction[..., 1], "floodfill", **SETTINGS,
                            dimensions=PITCH)
    return SimpleNamespace(stack=stack, raw=raw, creator=creator, count=creator.create(3, 500, 1))


@pytest.fixture(scope="module")
def own(place, script):
    """The package's own steps; those after the network begin with the script's maps, so that they must agree exactly.

    Two runs of a network need not agree to the last bit.
    """
    stack = open_stack(place.stack, xy_um=PITCH["xy"], z_um=PITCH["z"])
    prediction = predict(stack, place.model, PredictionParameters(tiling="fourfold", tile_px=64, inset_px=48))
    start = label_prediction(script.raw[..., 0], script.raw[..., 1], stack, {})
    cleaned = clean(start, CleaningParameters(closing=False, dendrite_threshold=0.5, min_dendrite_voxels=30,
                                              spine_iterations=2))
    rois = build_rois_3d(cleaned, Roi3DParameters(area_threshold=0.3, peak_threshold=0.6, seed_delta=0.5,
                                                  distance_um=1.5, min_voxels=3, max_voxels=500))
    return SimpleNamespace(prediction=prediction, cleaned=cleaned, rois=rois)


def test_predictions_and_cleaned_maps_are_equal(script, own):
    for channel, name in enumerate(("dendrite", "spine", "dendrite")):
        np.testing.assert_allclose(script.raw[..., channel], own.prediction[name], atol=1e-5)
        np.testing.assert_array_equal(script.stack.prediction[..., channel], own.cleaned[name])
    assert (own.cleaned["spine"].values != script.raw[..., 1]).any()


def test_rois_are_equal(script, own):
    np.testing.assert_array_equal(script.creator.roi_map, own.rois.labels)
    assert script.count == len(own.rois) > 1


def test_every_export_is_equal(script, own, tmp_path):
    ours, theirs = tmp_path / "own", tmp_path / "script"
    for folder in (ours, theirs):
        folder.mkdir()
    rois, creator, maps = own.rois, script.creator, script.stack.prediction
    write_roi_zip(ours / "rois.zip", rois)
    write_contour_folder(ours, "a", rois)
    write_centroids(ours / "centroids.csv", rois)
    write_prediction_maps(ours, "a", own.cleaned, eight_bit=True)
    write_stack(ours / "map.tif", rois.labels)
    ExportImageJ(creator.rois).export(str(theirs / "rois.zip"))
    ExportFolder(creator.rois).export("a.tif", str(theirs))
    ExportCentroids(creator.roi_centroids).export(str(theirs / "centroids.csv"))
    assert ExportPredictions(maps[..., 1], maps[..., 0]).export("a.tif", str(theirs))[0]
    assert ExportROIMap(creator.roi_map).export(str(theirs / "map.tif"))[0]
    files = sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file())
    assert len(files) > 6
    for name in files:
        if name.suffix == ".tif":
            first, second = (open_stack(folder / name) for folder in (ours, theirs))
            np.testing.assert_array_equal(first, second)
            assert first.attrs["voxel_size_um"] == second.attrs["voxel_size_um"]
        elif name.name == "centroids.csv":
            first, second = (pd.read_csv(folder / name, index_col=0) for folder in (ours, theirs))
            np.testing.assert_allclose(first, second, rtol=1e-5)
            assert first.columns.equals(second.columns)
            assert first.index.equals(second.index)
        else:
            assert (ours / name).read_bytes() == (theirs / name).read_bytes(), name


def test_tiles_are_the_packages_own_and_the_dendrite_is_cleaned_as_documented(place):
    stack = Stack(place.stack, dimensions=PITCH)
    labelled = open_stack(place.stack, xy_um=PITCH["xy"], z_um=PITCH["z"])
    expected = predict(labelled, place.model, PredictionParameters(tiling="inset", tile_px=64, inset_px=48,
                                                                   padding="min"), z_range=(1, 3))
    arguments = {"tile_size": 64, "inset_size": 48, "pad_op": np.min, "zmin": 1, "zmax": 3}
    assert stack.predictInset(place.model, **arguments, clean_dendrite=False)
    np.testing.assert_allclose(stack.prediction[..., 0], expected["dendrite"], atol=1e-5)
    assert (stack.prediction[0] == 0).all()
    assert stack.predictInset(place.model, **arguments, dendrite_threshold=0.6)
    cleaned = clean_dendrite(expected["dendrite"].values, 0.6, 100, dimensions=2)
    # The last bits of a probability may put a pixel to the other side of the threshold.
    assert np.isclose(stack.prediction[..., 0], cleaned, atol=1e-5).mean() > 0.999
    assert np.isclose(expected["dendrite"], cleaned, atol=1e-5).mean() < 0.9
    np.testing.assert_allclose(stack.prediction[..., 1], expected["spine"], atol=1e-5)


def test_planes_are_the_packages_own_and_progress_is_told(place):
    stack, told = Stack(place.stack), []
    stack.tileSignal.connect(lambda done, total: told.append((done, total)))
    assert stack.predictWholeImage(place.model)
    expected = predict(open_stack(place.stack, xy_um=0.094, z_um=0.5), place.model,
                       PredictionParameters(tiling="plane"))
    np.testing.assert_allclose(stack.prediction[..., 1], expected["spine"], atol=1e-5)
    assert stack.segmented
    assert told[-1] == (3, 3)


def test_an_unknown_padding_is_refused(place):
    with pytest.raises(ParameterError, match=r"pad_op is .*; accepted: numpy.mean, numpy.min"):
        Stack(place.stack).predictInset(place.model, pad_op=np.median)


def test_indexing_gives_the_pixels_of_the_file(place):
    stack = Stack(place.stack)
    np.testing.assert_array_equal(stack[1], place.pixels[1])
    np.testing.assert_array_equal(stack[:, 2:4, 5], place.pixels[:, 2:4, 5])
    assert stack.stack.dtype == np.uint16
    assert stack.prediction.shape == stack.preview.shape == (3, 70, 90, 3)
    assert stack.prediction.dtype == np.float32


def test_dimensions_given_go_before_the_files_and_those_before_the_defaults(place, tmp_path):
    assert Stack(place.stack).dimensions == {"xy": 0.094, "z": 0.5}
    write_stack(tmp_path / "calibrated.tif", open_stack(place.stack, xy_um=0.2, z_um=1.0))
    assert Stack(tmp_path / "calibrated.tif").dimensions == pytest.approx({"xy": 0.2, "z": 1.0})
    assert Stack(tmp_path / "calibrated.tif", dimensions=PITCH).dimensions == PITCH


def test_changed_dimensions_are_those_of_exports(place, tmp_path):
    stack = Stack(place.stack)
    stack.dimensions = {"xy": 0.3, "z": 0.7}
    assert ExportPredictions(stack.prediction[..., 1], stack.prediction[..., 0]).export("a.tif", tmp_path)[0]
    assert open_stack(tmp_path / "a_spines.tif").attrs["voxel_size_um"] == pytest.approx((0.7, 0.3, 0.3))


def test_a_saved_prediction_is_loaded_and_a_missing_one_left_out(place, own, tmp_path):
    write_prediction(tmp_path / "a.prediction", own.cleaned)
    loaded = Stack(place.stack, tmp_path / "a.prediction")
    assert loaded.segmented
    np.testing.assert_array_equal(loaded.prediction[..., 1], own.cleaned["spine"])
    assert not Stack(place.stack, tmp_path / "missing.prediction").segmented


def test_several_channels_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((3, 2, 8, 8), np.uint8), imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(StackError, match="channel"):
        Stack(tmp_path / "c.tif")


def test_a_preview_leaves_the_prediction_as_it_is(script):
    stack = script.stack
    stack.preview[...] = 0
    stack.preview[1, 20:40, 20:60, 0] = 0.9
    before = stack.prediction.copy()
    assert stack.cleanDendrite3D(0.5, 10, preview=True).sum() == pytest.approx(800 * 0.9, rel=1e-5)
    assert (stack.cleanSpines(0.5, 1, preview=True) == 0).all()
    np.testing.assert_array_equal(stack.closing(2, preview=True), close_dendrite(stack.preview[..., 0].copy(), 2))
    np.testing.assert_array_equal(stack.prediction, before)


def test_more_iterations_of_closing_reach_farther(script):
    stack = script.stack
    stack.preview[...] = 0
    stack.preview[1, 30, [20, 26], 0] = 0.9
    assert stack.closing(1, preview=True)[1, 30, 23] == 0
    assert stack.closing(3, preview=True)[1, 30, 23] == np.float32(0.9)


def test_no_dilation_keeps_only_spines_in_the_dendrite(script):
    stack = script.stack
    stack.preview[...] = 0
    stack.preview[1, 30, 20:22, 1] = 0.9
    stack.preview[1, 30, 20, 0] = 0.9
    assert np.argwhere(stack.cleanSpines(0.7, 0, preview=True)).tolist() == [[1, 30, 20]]
