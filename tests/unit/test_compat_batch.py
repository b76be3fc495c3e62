"""The original's command line, with all of its combinations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tifffile

from deepd3_ij import CleaningParameters, PredictionParameters, Roi3DParameters, build_rois_3d, clean, predict
from deepd3_ij.cli import original_batch as batch
from deepd3_ij.files.hdf5 import read_prediction, read_rois
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.stack import label_stack
from tests.unit.random_models import save_random

TILES = ["--tile_size", "64", "--inset_size", "48"]
ROI_OPTIONS = ["--roi_areaThreshold", "0.3", "--roi_peakThreshold", "0.6", "--roi_seedDelta", "0.5",
               "--min_roi_size", "3"]
LOOSE = ["--dendrite_threshold", "0.5", "--min_dendrite_size", "2", "--dendrite_dilation", "4"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.h5"
    save_random(path, filters=2, layers=2)
    return str(path)


@pytest.fixture
def stack(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 4000, (3, 70, 90)).astype(np.uint16)
    write_stack(tmp_path / "a.tif", label_stack(pixels, xy_um=0.12, z_um=0.4))
    return tmp_path / "a.tif"


def run(stack, model, *options):
    return batch.main([str(stack), model, "--quiet", *TILES, *LOOSE, *ROI_OPTIONS, *options])


@pytest.mark.parametrize(("mode", "dendrite", "rois"), list(itertools.product(
    ([], ["--average"], ["--plane"]), ([], ["--clean_dendrite"]),
    (["--build_rois_3d"], ["--build_rois_2d", "--clean_rois"]))))
def test_every_combination_of_mode_cleaning_and_rois_works(stack, model, mode, dendrite, rois):
    assert run(stack, model, *mode, *dendrite, *rois, "--watershed") == 0
    found = read_rois(stack.with_suffix(".rois"))
    assert found.dimensions == (3 if "--build_rois_3d" in rois else 2)
    assert len(found) > 0
    assert read_prediction(stack.with_suffix(".prediction")).attrs["voxel_size_um"] == pytest.approx((0.4, 0.12, 0.12))


def test_the_files_hold_what_the_packages_own_steps_give(stack, model):
    assert run(stack, model, "--build_rois_3d") == 0
    opened = label_stack(tifffile.imread(stack), xy_um=0.12, z_um=0.4)
    prediction = predict(opened, model, PredictionParameters(tiling="inset", tile_px=64, inset_px=48))
    cleaned = clean(prediction, CleaningParameters(closing=False, dendrite_threshold=0.5, min_dendrite_voxels=2,
                                                   spine_iterations=4))
    saved = read_prediction(stack.with_suffix(".prediction"))
    for name in ("dendrite", "spine"):
        # The last bits of a probability may put a voxel to the other side of a threshold.
        assert np.isclose(saved[name], cleaned[name], atol=1e-5).mean() > 0.999
        assert np.isclose(saved[name], prediction[name], atol=1e-5).mean() < 0.99
    rois = build_rois_3d(saved, Roi3DParameters(area_threshold=0.3, peak_threshold=0.6, seed_delta=0.5,
                                                  distance_um=10, min_voxels=3))
    np.testing.assert_array_equal(read_rois(stack.with_suffix(".rois")).labels, rois.labels)


def test_both_kinds_of_rois_get_files_of_their_own(stack, model, capsys):
    assert run(stack, model, "--build_rois_2d", "--build_rois_3d") == 0
    assert read_rois(stack.with_suffix(".rois")).dimensions == 3
    assert read_rois(stack.with_name("a_2d.rois")).dimensions == 2
    assert capsys.readouterr().out.split() == [str(stack.with_name(name)) for name in (
        "a.prediction", "a.rois", "a_2d.rois")]


def test_cleaning_can_be_switched_off_and_without_rois_there_is_a_prediction_alone(stack, model):
    assert run(stack, model, "--no-clean_dendrite_3d", "--no-clean_spines") == 0
    opened = label_stack(tifffile.imread(stack), xy_um=0.12, z_um=0.4)
    prediction = predict(opened, model, PredictionParameters(tiling="inset", tile_px=64, inset_px=48))
    np.testing.assert_allclose(read_prediction(stack.with_suffix(".prediction")).spine, prediction.spine, atol=1e-5)
    assert not stack.with_suffix(".rois").exists()


def test_a_voxel_size_that_is_given_goes_before_the_files(stack, model):
    assert run(stack, model, "--xy", "0.3") == 0
    size = read_prediction(stack.with_suffix(".prediction")).attrs["voxel_size_um"]
    assert size == pytest.approx((0.4, 0.3, 0.3))


def test_the_options_have_the_originals_names_and_defaults():
    options = vars(batch.build_parser().parse_args(["s.tif", "m.h5"]))
    for own in ("xy", "z", "quiet", "debug", "overwrite"):
        options.pop(own)
    assert options == {
        "stack": "s.tif", "neuralnetwork": "m.h5", "tile_size": 128, "inset_size": 96, "average": False, "plane": False,
        "clean_dendrite": False, "clean_dendrite_3d": True, "min_dendrite_size": 100, "dendrite_threshold": 0.7,
        "dendrite_dilation": 11, "clean_spines": True, "build_rois_2d": False, "build_rois_3d": False,
        "roi_method": "floodfill", "roi_areaThreshold": 0.25, "roi_peakThreshold": 0.8, "roi_seedDelta": 0.2,
        "roi_distanceToSeed": 10, "watershed": False, "clean_rois": False, "min_roi_size": 10, "max_roi_size": 1000,
        "min_planes": 1}


@pytest.mark.parametrize(("options", "words"), [
    (["--roi_method", "flood"], "accepted: floodfill, connected components"),
    (["--tile_size", "100"], "tile_px is 100"),
    (["--dendrite_dilation", "2.5"], "--dendrite_dilation is 2.5"),
    (["--max_roi_size", "1"], "min_voxels is 3"),
])
def test_a_wrong_value_is_one_line_before_anything_is_computed(stack, model, options, words, capsys):
    assert run(stack, model, *options) == 1
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert not stack.with_suffix(".prediction").exists()


def test_a_missing_stack_is_one_line(tmp_path, model, capsys):
    assert batch.main([str(tmp_path / "no.tif"), model, "--quiet"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
