"""Results as OME-Zarr: valid by the specification, and the same when they are read again."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ome_zarr_models import v04, v05

from deepd3_ij import build_rois_3d, measure
from deepd3_ij.cli import main
from deepd3_ij.errors import Cancelled, OutputError
from deepd3_ij.files.ome_zarr_writing import write_ome_zarr
from deepd3_ij.files.opening import read_maps, read_rois_of_any_kind
from deepd3_ij.files.stack_search import search_stacks
from deepd3_ij.outputs.registry import Results, write_outputs
from deepd3_ij.rois import RoiSet
from deepd3_ij.stack import label_like, label_prediction, label_stack, voxel_size_um
from tests.small_stack import write_small_stack


def prediction_of(shape: tuple[int, int, int], *, seed: int = 0, xy_um: float = 0.1, z_um: float = 0.5):
    rng = np.random.default_rng(seed)
    maps = rng.random((2, *shape), dtype=np.float32)
    stack = label_stack(np.zeros(shape, np.uint8), xy_um=xy_um, z_um=z_um, source="a.tif")
    return label_prediction(maps[0], maps[1], stack, {"model": {"name": "m"}})


def found_in_a_scene():
    """A dendrite along x with two spines: prediction, ROIs and measurements."""
    dendrite, spine = np.zeros((2, 8, 40, 300), np.float32)
    dendrite[3:5, 18:22] = 0.9
    spine[2:6, 23:28, 100:105] = spine[2:6, 12:17, 200:205] = 0.9
    stack = label_stack(np.zeros(dendrite.shape, np.uint8), xy_um=0.1, z_um=0.5, source="a.tif")
    prediction = label_prediction(dendrite, spine, stack, {})
    rois = build_rois_3d(prediction)
    return prediction, rois, measure(rois, prediction)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_is_written_is_valid_and_read_again(tmp_path: Path, version: str) -> None:
    prediction, rois, measurements = found_in_a_scene()
    kind = {"0.4": "ome_zarr", "0.5": "ome_zarr_05"}[version]
    (path,) = write_outputs(Results(None, prediction, rois, measurements), tmp_path, "a", [kind])
    assert path == tmp_path / "a.ome.zarr"
    group = zarr.open_group(path, mode="r")
    model = v04 if version == "0.4" else v05
    image = model.Image.from_zarr(group)
    assert image.ome_attributes.multiscales[0].datasets[0].path == "probabilities/0"
    model.Image.from_zarr(group["probabilities"])
    for name in ("spines", "dendrites"):
        label = model.ImageLabel.from_zarr(group[f"labels/{name}"])
        told = label.ome_attributes.image_label
        numbers = np.unique(group[f"labels/{name}/0"])[1:].tolist()
        assert [int(item.label_value) for item in told.colors] == numbers
        assert group[f"labels/{name}/0"].dtype == np.uint32
    properties = json.loads(json.dumps(told.model_dump()))["properties"]
    assert properties[0]["length_um"] == pytest.approx(float(measurements.dendrites["length_um"][0]))
    again = read_maps([path])
    for name in ("dendrite", "spine"):
        np.testing.assert_array_equal(again[name], prediction[name])
    assert voxel_size_um(again) == voxel_size_um(prediction)
    np.testing.assert_array_equal(read_rois_of_any_kind(path, again).labels, rois.labels)
    np.testing.assert_array_equal(read_rois_of_any_kind(path / "labels" / "spines", again).labels, rois.labels)
    assert search_stacks(tmp_path)[0] == []


@given(shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 99),
       version=st.sampled_from(["0.4", "0.5"]), xy_um=st.floats(0.01, 3), z_um=st.floats(0.01, 3))
@settings(max_examples=12, deadline=None)
def test_written_and_read_maps_and_labels_are_equal(
        shape: tuple[int, int, int], seed: int, version: str, xy_um: float, z_um: float) -> None:
    prediction = prediction_of(shape, seed=seed, xy_um=xy_um, z_um=z_um)
    labels = np.random.default_rng(seed).integers(0, 5, shape).astype(np.int32)
    labels[0, 0, 0] = 0
    rois = RoiSet(label_like(labels, prediction))
    with tempfile.TemporaryDirectory() as folder:
        path = write_ome_zarr(Path(folder) / "a.ome.zarr", prediction, rois, version=version)
        again = read_maps([path])
        np.testing.assert_array_equal(again["spine"], prediction["spine"])
        assert voxel_size_um(again) == pytest.approx((z_um, xy_um, xy_um), rel=1e-12)
        np.testing.assert_array_equal(read_rois_of_any_kind(path, again).labels, labels)


@pytest.mark.parametrize(("z_um", "depths"), [(0.5, [5, 5, 3]), (0.2, [5, 3, 2])])
def test_the_pyramid_keeps_means_and_labels(tmp_path: Path, z_um: float, depths: list[int]) -> None:
    prediction = prediction_of((5, 601, 30), z_um=z_um)
    labels = np.random.default_rng(1).integers(0, 9, (5, 601, 30)).astype(np.int32)
    path = write_ome_zarr(tmp_path / "a.ome.zarr", prediction, RoiSet(label_like(labels, prediction)),
                          origin_um=(1, 2, 3))
    group = zarr.open_group(path, mode="r")
    levels = [group[f"probabilities/{number}"] for number in range(3)]
    assert [level.shape[1] for level in levels] == depths
    fine, coarse = levels[0][1], levels[1][1]
    step = 1 if depths[1] == 5 else 2
    np.testing.assert_allclose(coarse[0, 3, 4], fine[:step, 6:8, 8:10].mean(), rtol=1e-6)
    np.testing.assert_array_equal(group["labels/spines/1"][...], labels[::step, ::2, ::2])
    datasets = group.attrs["multiscales"][0]["datasets"]
    assert datasets[0]["coordinateTransformations"][1]["translation"] == [0, 1, 2, 3]
    assert datasets[1]["coordinateTransformations"][1]["translation"] == pytest.approx(
        [0, 1 + (step - 1) * z_um / 2, 2.05, 3.05])


def test_a_shard_is_written_once_and_is_as_high_as_a_slab(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", prediction_of((20, 40, 50)), version="0.5")
    array = zarr.open_group(path, mode="r")["probabilities/0"]
    assert array.shards == (1, 16, 40, 50)
    assert len([file for file in (path / "probabilities" / "0" / "c").rglob("*") if file.is_file()]) == 4


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", prediction_of((2, 8, 8)))

    def stop(done: int, total: int, step: str) -> None:
        if done:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        write_ome_zarr(path, prediction_of((2, 8, 8), seed=1), progress=stop)
    broken = prediction_of((2, 8, 8))
    broken["spine"][1, 2, 3] = np.nan
    with pytest.raises(OutputError, match="NaN"):
        write_ome_zarr(path, broken)
    np.testing.assert_array_equal(read_maps([path])["spine"], prediction_of((2, 8, 8))["spine"])
    assert [file.name for file in tmp_path.iterdir()] == ["a.ome.zarr"]
    (tmp_path / "b.ome.zarr").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").touch()
    with pytest.raises(OutputError, match="no OME-Zarr"):
        write_ome_zarr(tmp_path / "c", prediction_of((2, 8, 8)))


def test_commands_read_and_write_it(tmp_path: Path) -> None:
    from deepd3_ij import open_stack

    stack = open_stack(write_small_stack(tmp_path / "a.tif"))
    source = tmp_path / "in" / "s.ome.zarr"
    group = zarr.open_group(source, mode="w", zarr_format=2)
    group.create_array("0", shape=stack.shape, dtype=stack.dtype, chunks=(2, 32, 32))[...] = stack.values
    group.attrs["multiscales"] = [{"version": "0.4", "axes": [
        {"name": axis, "type": "space", "unit": "micrometer"} for axis in "zyx"], "datasets": [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.1, 0.1]}]}]}]
    out = tmp_path / "out"
    options = ["--out", str(out), "--quiet"]
    assert main(["segment", str(source), "--ome-zarr", *options]) == 0
    made = out / "s.ome.zarr"
    maps = read_maps([out / "s.prediction"])
    np.testing.assert_array_equal(read_maps([made])["spine"], maps["spine"])
    assert main(["rois", "--prediction", str(made), "--ome-zarr-version", "0.5", "--overwrite", *options]) == 1
    again = [*options[2:], "--out", str(tmp_path / "again")]
    assert main(["rois", "--prediction", str(made), "--ome-zarr-version", "0.5", *again]) == 0
    assert main(["measure", str(tmp_path / "again" / "s.ome.zarr"), "--prediction", str(made), "--stack", str(source),
                 "--out", str(tmp_path / "measured"), "--quiet"]) == 0
    assert (tmp_path / "measured" / "s_spines.csv").is_file()
    assert main(["segment", str(source), "--ome-zarr", "--out", str(source.parent), "--quiet"]) == 1
    assert open_stack(source).shape == stack.shape
