"""Files that try to run code or to reach other folders do neither."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from roifile import ImagejRoi

from deepd3_ij.compat.core.analysis import Stack
from deepd3_ij.compat.core.export import ExportFolder
from deepd3_ij.compat.training.generator import Arrange, Viewer
from deepd3_ij.errors import DeepD3Error, FileFormatError, ModelError
from deepd3_ij.files.d3data import D3Data, read_d3data, write_d3data
from deepd3_ij.files.d3set import read_d3set, write_d3set
from deepd3_ij.files.hdf5 import read_prediction, read_rois, write_prediction, write_rois
from deepd3_ij.files.roi_settings import read_roi_settings
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.rois import RoiSet
from deepd3_ij.stack import label_prediction, label_stack
from tests.unit.random_models import save_random

SIZE = {"xy_um": 0.1, "z_um": 0.5}


class Trap:
    """A payload that makes a file when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.marker = folder / "code-was-run"

    @property
    def payload(self) -> bytes:
        marker = str(self.marker)

        class Touch:
            def __reduce__(self) -> tuple[Callable, tuple]:
                return os.system, (f"touch {marker}",)

        return pickle.dumps(Touch(), 0)

    def set_array(self, file: h5py.File, name: str) -> None:
        """Put the payload where PyTables keeps objects: an array of variable length."""
        if name in file:
            del file[name]
        node = file.create_dataset(name, (1,), dtype=h5py.vlen_dtype(np.uint8))
        node[0] = np.frombuffer(self.payload, np.uint8)
        for key, text in (("CLASS", "VLARRAY"), ("PSEUDOATOM", "object"), ("VERSION", "1.4"), ("TITLE", "")):
            node.attrs[key] = np.bytes_(text)

    def set_attributes(self, file: h5py.File) -> None:
        """Put the payload into attributes that PyTables unpickles."""
        def add(_: str, node: h5py.HLObject) -> None:
            node.attrs["name"] = np.bytes_(self.payload)
            node.attrs["TITLE"] = np.bytes_(self.payload)

        file.visititems(add)
        file.attrs["TITLE"] = np.bytes_(self.payload)


@pytest.fixture
def trap(tmp_path):
    """Checks before that the payload would be noticed, and afterwards that it was not run."""
    made = Trap(tmp_path)
    pickle.loads(made.payload)
    assert made.marker.exists()
    made.marker.unlink()
    yield made
    assert not made.marker.exists()


@pytest.fixture
def stack(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.arange(2 * 32 * 32, dtype=np.uint16).reshape(2, 32, 32),
                     photometric="minisblack")
    return tmp_path / "a.tif"


def labels():
    values = np.zeros((2, 32, 32), np.int32)
    values[0, 3:6, 3:9] = 1
    return RoiSet(label_stack(values, **SIZE))


def training_data():
    mask = np.ones((2, 32, 32), bool)
    return D3Data(mask.astype(np.uint8), mask, mask, {"Resolution_XY": 0.1, "Resolution_Z": 0.5,
                                                      "Generated_from": "../../secret/a.tif"})


def test_pickled_outlines_and_attributes_of_a_rois_file_are_not_unpickled(trap, tmp_path):
    write_rois(tmp_path / "a.rois", labels())
    with h5py.File(tmp_path / "a.rois", "r+") as file:
        trap.set_array(file, "rois")
        trap.set_array(file, "deepd3")
        trap.set_attributes(file)
    assert len(read_rois(tmp_path / "a.rois", **SIZE)) == 1


def test_a_pickle_in_place_of_the_roi_map_is_refused(trap, tmp_path):
    write_rois(tmp_path / "a.rois", labels())
    with h5py.File(tmp_path / "a.rois", "r+") as file:
        trap.set_array(file, "roi_map")
    with pytest.raises(FileFormatError, match="roi_map"):
        read_rois(tmp_path / "a.rois", **SIZE)


def test_a_pickle_in_place_of_a_probability_map_is_refused(trap, stack, tmp_path):
    maps = np.zeros((2, 32, 32), np.float32)
    write_prediction(tmp_path / "a.prediction", label_prediction(maps, maps, label_stack(maps, **SIZE), {}))
    with h5py.File(tmp_path / "a.prediction", "r+") as file:
        trap.set_attributes(file)
        trap.set_array(file, "spines")
    for read in (lambda path: read_prediction(path, **SIZE), lambda path: Stack(stack, path)):
        with pytest.raises(FileFormatError, match="spines"):
            read(tmp_path / "a.prediction")


def test_a_pickle_under_any_of_the_originals_suffixes_is_no_such_file(trap, stack, tmp_path):
    readers: dict[str, Callable] = {
        "a.rois": read_rois, "a.prediction": lambda path: Stack(stack, path), "a.d3data": Viewer,
        "a.d3set": read_d3set, "a.roi3d_settings": read_roi_settings,
        "b.d3data": lambda path: Arrange().addData(path),
        "a.zip": lambda path: read_roi_zip(path, label_stack(np.zeros((1, 5, 5)), **SIZE)),
    }
    for name, read in readers.items():
        (tmp_path / name).write_bytes(trap.payload)
        with pytest.raises(DeepD3Error):
            read(tmp_path / name)


@pytest.mark.parametrize("blocks", [(3,), (0, 1, 2, 3)])
def test_pickled_blocks_of_a_training_set_are_not_unpickled(trap, tmp_path, blocks):
    write_d3set(tmp_path / "a.d3set", [training_data()])
    with h5py.File(tmp_path / "a.d3set", "r+") as file:
        for block in blocks:
            trap.set_array(file, f"meta/block{block}_values")
        trap.set_attributes(file)
    if len(blocks) == 1:
        assert read_d3set(tmp_path / "a.d3set")[0].meta["Width"] == 32
    else:
        with pytest.raises(FileFormatError):
            read_d3set(tmp_path / "a.d3set")


def test_pickled_columns_and_arrays_of_a_training_set_are_refused(trap, tmp_path):
    from deepd3_ij.compat.training.stream import DataGeneratorStream

    for name in ("meta/block1_items", "data/stacks/x0"):
        write_d3set(tmp_path / "a.d3set", [training_data()])
        with h5py.File(tmp_path / "a.d3set", "r+") as file:
            trap.set_array(file, name)
        with pytest.raises(FileFormatError):
            DataGeneratorStream(tmp_path / "a.d3set", 1)


def test_pickled_metadata_of_training_data_are_not_unpickled(trap, tmp_path):
    write_d3data(tmp_path / "a.d3data", training_data())
    with h5py.File(tmp_path / "a.d3data", "r+") as file:
        trap.set_attributes(file)
        file["meta"].attrs["Timestamp"] = np.bytes_(trap.payload)
        file["meta"].attrs["Generated_from"] = np.bytes_(trap.payload)
    viewer = Viewer(tmp_path / "a.d3data")
    assert isinstance(viewer.meta["Timestamp"], str)
    with h5py.File(tmp_path / "a.d3data", "r+") as file:
        file["meta"].attrs["Resolution_XY"] = np.bytes_(trap.payload)
    with pytest.raises(FileFormatError):
        read_d3data(tmp_path / "a.d3data")


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_a_model_with_a_layer_of_code_is_refused(trap, stack, tmp_path, suffix):
    import keras

    marker = str(trap.marker)

    def touch(x):
        open(marker, "w").close()
        return x

    image = keras.Input((None, None, 1))
    after = keras.layers.Lambda(touch, output_shape=(None, None, 1))(image)
    outputs = [keras.layers.Conv2D(1, 1, name=name)(after) for name in ("dendrites", "spines")]
    path = tmp_path / f"model{suffix}"
    keras.Model(image, outputs).save(path)
    trap.marker.unlink(missing_ok=True)
    with pytest.raises(ModelError, match="Lambda"):
        Stack(stack).predictWholeImage(path)


def test_a_pickle_named_as_a_model_is_refused(trap, stack, tmp_path):
    for name in ("model.h5", "model.keras"):
        (tmp_path / name).write_bytes(trap.payload)
        with pytest.raises(ModelError):
            Stack(stack).predictFourFold(tmp_path / name)


def test_pickled_weights_of_a_model_are_refused(trap, stack, tmp_path):
    save_random(tmp_path / "model.h5")
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        trap.set_array(file, "model_weights/enc_layer0_conv1/enc_layer0_conv1/kernel")
    with pytest.raises(ModelError, match="enc_layer0_conv1"):
        Stack(stack).predictInset(tmp_path / "model.h5")


def test_names_inside_archives_are_written_nowhere(stack, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    save_random(inner / "model.keras")
    outline = ImagejRoi.frompoints(np.array([[1, 1], [9, 1], [9, 9], [1, 9]]))
    with zipfile.ZipFile(inner / "rois.zip", "w") as archive:
        archive.writestr("../../escaped.roi", outline.tobytes())
    with zipfile.ZipFile(inner / "model.keras", "a") as archive:
        archive.writestr("../escaped.py", "x")
        archive.writestr(str(tmp_path / "absolute.py"), "x")
    before = sorted(tmp_path.rglob("*"))
    assert len(read_roi_zip(inner / "rois.zip", label_stack(np.zeros((2, 32, 32)), **SIZE))) == 1
    assert Stack(stack).predictWholeImage(inner / "model.keras")
    assert sorted(tmp_path.rglob("*")) == before


def test_names_from_files_do_not_leave_the_target_folder(tmp_path):
    target = tmp_path / "target"
    square = np.array([[0.5, 0.5], [0.5, 3.5], [3.5, 3.5], [3.5, 0.5]])
    rois = {0: [{"ROI_id": 1, "contour": square, "centroid": [0, 2, 2]}]}
    ExportFolder(rois).export("../../a.tif", target)
    with pytest.raises(DeepD3Error):
        ExportFolder(rois).export("..", target)
    assert sorted(path.name for path in tmp_path.rglob("*.csv")) == ["1.csv"]
    assert (target / "a" / "0" / "1.csv").is_file()
    write_d3data(tmp_path / "a.d3data", training_data())
    assert read_d3data(tmp_path / "a.d3data").meta["Generated_from"] == "a.tif"


def test_links_to_other_files_show_nothing(tmp_path):
    write_rois(tmp_path / "secret.rois", labels())
    write_d3set(tmp_path / "secret.d3set", [training_data()])
    with h5py.File(tmp_path / "a.rois", "w") as file:
        file["roi_map"] = h5py.ExternalLink("secret.rois", "/roi_map")
    write_d3set(tmp_path / "a.d3set", [training_data()])
    with h5py.File(tmp_path / "a.d3set", "r+") as file:
        del file["data/stacks/x0"]
        file["data/stacks/x0"] = h5py.ExternalLink("secret.d3set", "/data/stacks/x0")
    with pytest.raises(FileFormatError):
        read_rois(tmp_path / "a.rois", **SIZE)
    with pytest.raises(FileFormatError):
        read_d3set(tmp_path / "a.d3set")


@pytest.mark.parametrize("text", ["__import__('os').getpid()", "[1, 2]", '{"method": "eval"}', '{"minPx": "1"}',
                                  '{"unknown": 1}', "\x00"])
def test_settings_that_are_no_settings_are_refused(tmp_path, text):
    (tmp_path / "a.roi3d_settings").write_text(text)
    with pytest.raises(FileFormatError, match="holds no settings of 3-D ROIs"):
        read_roi_settings(tmp_path / "a.roi3d_settings")
