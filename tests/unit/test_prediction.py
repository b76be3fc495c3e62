"""From stacks to probability maps."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepd3_ij.errors import Cancelled, ModelError, ParameterError, StackError
from deepd3_ij.model import ModelCard, attach_card, load_model
from deepd3_ij.parameters import PredictionParameters
from deepd3_ij.segmentation import predict
from deepd3_ij.segmentation import prediction as module
from deepd3_ij.segmentation import tiling as tilings
from deepd3_ij.segmentation.normalisation import scale
from deepd3_ij.stack import label_stack, provenance_of, voxel_size_um
from tests.unit.random_models import save_random

ALL_TILINGS = ("seamless", "plane", "inset", "fourfold")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "random.keras"
    save_random(path, filters=2, layers=4)
    return load_model(path)


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "small.keras"
    save_random(path, filters=2, layers=2)
    return load_model(path)


def noise(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


def stack(array):
    return label_stack(array, xy_um=0.1, z_um=0.5, source="noise.tif")


def tiling(name, **values):
    return PredictionParameters(tiling=name, **values)


class TestNormalisation:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64])
    def test_the_whole_range_of_a_type_becomes_minus_one_to_one(self, dtype):
        info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.finfo(np.float32)
        scaled = scale(np.array([[info.min, info.max]], dtype))
        assert scaled.dtype == np.float32
        np.testing.assert_array_equal(scaled, [[-1, 1]])

    def test_signed_pixels_do_not_overflow(self):
        scaled = scale(np.array([[-32768, 0, 32767]], np.int16))
        np.testing.assert_allclose(scaled, [[-1, 1 / 65535, 1]], atol=1e-7)

    def test_equal_pixels_have_nothing_to_scale(self):
        assert scale(np.full((3, 3), 7)) is None

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_pixels_that_are_no_numbers_are_refused(self, value):
        with pytest.raises(StackError, match="NaN or infinite"):
            scale(np.array([[0, value, 1]]))


class TestSeamless:
    @settings(max_examples=12, deadline=None)
    @given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 10_000), st.integers(0, 3))
    def test_tiles_give_the_prediction_of_the_whole_plane(self, small_model, height, width, seed, budget):
        data = stack(noise(1, height, width, seed=seed))
        whole = predict(data, small_model, tiling("plane"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_ACTIVATION_BYTES", 36 * (64, 72, 96, 128)[budget] ** 2)
            tiled = predict(data, small_model, tiling("seamless"))
        for name in ("dendrite", "spine"):
            np.testing.assert_allclose(tiled[name], whole[name], atol=1e-5)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 10_000), st.sampled_from([64, 72, 96, 128]),
           st.sampled_from([1, 20_000]))
    def test_large_planes_are_predicted_without_copies_of_them(self, small_model, height, width, seed, side, batch):
        data = stack(noise(2, height, width, seed=seed))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_planes_at_once", lambda _: 1)
            patch.setattr(module, "_BATCH_PX", batch)
            patch.setattr(module, "make_tiling", lambda size, model, _: tilings.seamless(
                size, model.stride_px, model.halo_px, side * side))
            by_tiles = predict(data, small_model)
            patch.setattr(module._Plan, "is_tiled_plane", False)
            whole = predict(data, small_model)
        for name in ("dendrite", "spine"):
            np.testing.assert_array_equal(by_tiles[name], whole[name])

    def test_the_four_layer_network_has_no_seams(self, model, monkeypatch):
        data = stack(noise(2, 450, 600, dtype=np.uint16))
        whole = predict(data, model, tiling("plane"))
        monkeypatch.setattr(module, "_ACTIVATION_BYTES", 18 * model.filters * 320 * 320)
        tiled = predict(data, model)
        assert provenance_of(tiled)["tile_px"] < [330, 330]
        assert float(whole.spine.std()) > 0.01
        for name in ("dendrite", "spine"):
            np.testing.assert_allclose(tiled[name], whole[name], atol=1e-5)


@pytest.mark.parametrize("name", ALL_TILINGS)
class TestEveryTiling:
    def test_the_maps_are_labelled_like_the_stack(self, model, name):
        data = stack(noise(2, 70, 90))
        found = predict(data, model, tiling(name))
        for label in ("dendrite", "spine"):
            assert found[label].dtype == np.float32
            assert found[label].shape == (2, 70, 90)
            assert 0 <= float(found[label].min()) < float(found[label].max()) <= 1
        assert voxel_size_um(found) == (0.5, 0.1, 0.1)
        for dim in ("z", "y", "x"):
            np.testing.assert_array_equal(found[dim], data[dim])

    def test_a_single_plane_and_a_tiny_plane_work(self, model, name):
        for shape in ((1, 40, 33), (1, 1, 1), (1, 2, 5), (2, 1, 300)):
            found = predict(stack(noise(*shape)), model, tiling(name))
            assert found.spine.shape == shape
            assert np.isfinite(found.spine).all()

    def test_a_plane_of_equal_pixels_gets_probability_zero(self, model, name):
        data = noise(3, 40, 40)
        data[1] = 9
        found = predict(stack(data), model, tiling(name))
        for label in ("dendrite", "spine"):
            assert (found[label][1] == 0).all()
            assert (found[label][[0, 2]] > 0).all()

    def test_a_plane_does_not_depend_on_other_planes(self, model, name):
        data = noise(3, 60, 50, dtype=np.uint16)
        other = data.copy()
        other[0] *= 100
        before, after = (predict(stack(array), model, tiling(name)) for array in (data, other))
        np.testing.assert_allclose(before.spine[1:], after.spine[1:], atol=1e-5)
        np.testing.assert_allclose(before.spine[0], after.spine[0], atol=1e-5)

    def test_every_pixel_is_predicted_up_to_the_last_row_and_column(self, model, name):
        data = np.zeros((1, 300, 333), np.uint8)
        data[0, ::7, ::5] = 200
        found = predict(stack(data), model, tiling(name))
        assert (found.dendrite > 0).all()
        edge, inside = float(found.dendrite[0, 280:].mean()), float(found.dendrite[0, 100:200].mean())
        assert edge > 0.7 * inside

    def test_signed_pixels_give_what_shifted_unsigned_ones_give(self, model, name):
        unsigned = noise(1, 48, 48, dtype=np.uint16) * 262
        signed = (unsigned.astype(np.int32) - 32768).astype(np.int16)
        first, second = (predict(stack(array), model, tiling(name)) for array in (unsigned, signed))
        np.testing.assert_allclose(first.spine, second.spine, atol=1e-5)


def test_only_planes_of_the_range_are_predicted(model):
    data = stack(noise(5, 40, 40))
    everything = predict(data, model)
    part = predict(data, model, z_range=(0, 2))
    np.testing.assert_allclose(part.spine[:2], everything.spine[:2], atol=1e-5)
    assert (part.spine[2:] == 0).all()
    np.testing.assert_allclose(predict(data, model, z_range=(3, None)).spine[3:], everything.spine[3:], atol=1e-5)
    assert provenance_of(part)["z_range"] == [0, 2]


@pytest.mark.parametrize("z_range", [(2, 2), (-1, 3), (0, 6), (4, 1)])
def test_a_range_outside_of_the_stack_is_refused(model, z_range):
    with pytest.raises(ParameterError, match=r"within 0:5"):
        predict(stack(noise(5, 40, 40)), model, z_range=z_range)


def test_a_lazy_stack_is_read_plane_by_plane_into_the_given_files(model, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_GROUP_PX", 600 * 600)
    data = noise(4, 600, 600)
    read = []

    def plane(block_info=None):
        z = block_info[None]["array-location"][0][0]
        read.append(z)
        return data[z:z + 1]

    lazy = dask.array.map_blocks(plane, chunks=((1,) * 4, (600,), (600,)), dtype=np.uint8, meta=np.array((), np.uint8))
    files = tuple(np.memmap(tmp_path / name, np.float32, "w+", shape=data.shape) for name in ("d", "s"))
    reads = []
    found = predict(stack(lazy), model, out=files, progress=lambda *_: reads.append(len(read)))
    assert reads[0] == 0
    assert sorted(read) == [0, 1, 2, 3]
    assert reads[1] == 1
    assert found.dendrite.variable._data is files[0] or np.shares_memory(found.dendrite.values, files[0])
    np.testing.assert_allclose(files[1], predict(stack(data), model).spine, atol=1e-5)


def test_maps_to_fill_must_fit_the_stack(model):
    data = stack(noise(2, 40, 40))
    good, bad = np.zeros((2, 40, 40), np.float32), np.zeros((2, 40, 40))
    with pytest.raises(ParameterError, match="float64"):
        predict(data, model, out=(good, bad))


def test_progress_counts_up_to_the_end_and_can_cancel(model):
    data = stack(noise(3, 200, 200))
    for name in ALL_TILINGS:
        steps = []
        predict(data, model, tiling(name),
                progress=lambda done, total, message, steps=steps: steps.append((done, total)))
        assert steps[0][0] == 0
        assert steps[-1][0] == steps[-1][1] > 0
        assert steps == sorted(steps)

    def stop(done, total, message):
        if done:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        predict(data, model, progress=stop)


def test_the_provenance_tells_how_the_maps_were_made(model):
    found = predict(stack(noise(1, 40, 40)), model, tiling("inset", padding="min"))
    story = json.loads(found.attrs["provenance"])
    assert story["model"] == {"name": "random", "sha256": model.sha256, "recommended": {}, "confidence": {}}
    assert story["PredictionParameters"] == tiling("inset", padding="min").to_dict()
    assert story["voxel_size_um"] == [0.5, 0.1, 0.1]
    assert story["source"] == "noise.tif"
    assert story["version"]


def test_a_plane_with_pixels_that_are_no_numbers_is_named(model):
    data = noise(3, 40, 40).astype(np.float32)
    data[2, 5, 5] = np.nan
    with pytest.raises(StackError, match="Plane 2"):
        predict(stack(data), model)


def test_an_unlabelled_or_boolean_array_is_refused(model):
    with pytest.raises(StackError, match="label_stack"):
        predict(noise(2, 40, 40), model)
    with pytest.raises(StackError, match="bool"):
        predict(stack(noise(2, 40, 40) > 100), model)


def test_a_tile_size_that_the_network_cannot_take_is_refused(tmp_path):
    path = tmp_path / "deep.keras"
    save_random(path, filters=1, layers=5)
    with pytest.raises(ModelError, match="a multiple of 32"):
        predict(stack(noise(1, 40, 40)), path, tiling("inset", tile_px=48, inset_px=32))


class TestFixedInputSize:
    @pytest.fixture(scope="class")
    def fixed(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("models") / "fixed.keras"
        save_random(path, filters=2, layers=2, input_shape=(64, 64, 1))
        return load_model(path)

    def test_the_middle_of_its_tiles_equals_the_free_network(self, fixed, small_model):
        data = stack(noise(2, 150, 170))
        free = predict(data, small_model, tiling("plane"))
        for name in ("seamless", "plane"):
            found = predict(data, fixed, tiling(name))
            assert provenance_of(found)["tile_px"] == [64, 64]
            difference = np.abs(found.spine - free.spine)
            assert float(difference.median()) < 1e-5
            assert (found.spine > 0).all()

    def test_a_plane_smaller_than_its_size_works(self, fixed):
        assert predict(stack(noise(1, 20, 30)), fixed).spine.shape == (1, 20, 30)

    def test_the_originals_tilings_need_its_size(self, fixed):
        data = stack(noise(1, 100, 100))
        assert predict(data, fixed, tiling("inset", tile_px=64, inset_px=48)).spine.shape == (1, 100, 100)
        with pytest.raises(ModelError, match="accepts 64 × 64"):
            predict(data, fixed, tiling("fourfold"))


class TestResampling:
    @pytest.fixture(scope="class")
    def model_at_94nm(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("models") / "at_94nm.keras"
        save_random(path, filters=2, layers=2)
        attach_card(path, ModelCard(name="at 94 nm", resolution_um=0.094))
        return load_model(path)

    def test_planes_are_brought_to_the_models_pixel_size_and_the_maps_back(self, model_at_94nm):
        y, x = np.mgrid[:80, :96] / 12
        plane = (100 + 90 * np.sin(y) * np.sin(x)).astype(np.uint8)[np.newaxis]
        coarse = label_stack(plane, xy_um=0.188, z_um=0.5)
        found = predict(coarse, model_at_94nm)
        untouched = predict(coarse, model_at_94nm, PredictionParameters(resample=False))
        assert found.spine.shape == (1, 80, 96)
        assert provenance_of(found)["resampled_to_um"] == 0.094
        assert provenance_of(untouched)["resampled_to_um"] is None
        assert not np.allclose(found.spine, untouched.spine, atol=1e-3)
        fine = label_stack(np.kron(plane, np.ones((1, 2, 2), np.uint8)), xy_um=0.094, z_um=0.5)
        at_its_size = predict(fine, model_at_94nm).spine.values.reshape(1, 80, 2, 96, 2).mean(axis=(2, 4))
        assert np.corrcoef(found.spine.values.ravel(), at_its_size.ravel())[0, 1] > 0.9

    def test_a_stack_at_the_models_pixel_size_is_not_resampled(self, model_at_94nm):
        found = predict(label_stack(noise(1, 40, 40), xy_um=0.0945, z_um=0.5), model_at_94nm)
        assert provenance_of(found)["resampled_to_um"] is None


def test_predictions_from_several_threads_agree(model):
    data = stack(noise(2, 60, 60))
    expected = predict(data, model).spine.values
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: predict(data, model).spine.values, range(4)):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_predicting_writes_nothing_to_the_error_stream(model):
    code = ("import sys, numpy; from deepd3_ij import label_stack, predict;"
            f"predict(label_stack(numpy.eye(40), xy_um=.1, z_um=.5), {str(model.path)!r}); print('done')")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "done\n"
    assert result.stderr == ""


REGIONS = [(0, 0, 30, 20), (100, 60, 64, 50), (250, 150, 50, 50), (0, 0, 300, 200)]


class TestRegion:
    @pytest.mark.parametrize("region", REGIONS)
    def test_within_it_the_maps_are_those_of_the_whole_plane_and_outside_they_are_zero(self, small_model, region):
        image = stack(noise(2, 200, 300))
        whole, part = (predict(image, small_model, region=each) for each in (None, region))
        x, y, width, height = region
        inside = np.s_[:, y:y + height, x:x + width]
        for name in ("dendrite", "spine"):
            np.testing.assert_allclose(part[name].values[inside], whole[name].values[inside], atol=1e-5)
            rest = part[name].values.copy()
            rest[inside] = 0
            assert not rest.any()
        assert provenance_of(part)["region"] == list(region)
        assert "region" not in provenance_of(whole)

    def test_planes_that_are_resampled_for_the_model_give_the_same(self, small_model, tmp_path):
        path = tmp_path / "other.keras"
        save_random(path, filters=2, layers=2)
        attach_card(path, ModelCard(name="other", resolution_um=0.07))
        model = load_model(path)
        image = stack(noise(1, 200, 300))
        whole, part = (predict(image, model, region=each)["spine"].values for each in (None, (90, 50, 60, 70)))
        np.testing.assert_allclose(part[0, 50:120, 90:150], whole[0, 50:120, 90:150], atol=1e-5)

    def test_less_is_computed(self, small_model):
        totals = []
        for region in (None, (10, 10, 20, 20)):
            predict(stack(noise(1, 900, 900)), small_model, tiling("inset"), region=region,
                    progress=lambda done, total, message: totals.append(total))
        assert totals[-1] < totals[0] / 4

    @pytest.mark.parametrize("region", [(0, 0, 0, 5), (-1, 0, 5, 5), (290, 0, 11, 5), (0, 199, 1, 2)])
    def test_one_that_reaches_beyond_the_stack_is_refused(self, small_model, region):
        with pytest.raises(ParameterError, match="within the 300 × 200 pixels"):
            predict(stack(noise(1, 200, 300)), small_model, region=region)


def test_an_inverted_range_of_planes_is_called_inverted(small_model):
    with pytest.raises(ParameterError, match="3:1, which is inverted"):
        predict(stack(noise(4, 32, 32)), small_model, z_range=(3, 1))
