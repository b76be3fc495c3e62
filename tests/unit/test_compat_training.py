"""The guide's network, sample stream and windows for training data."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
import tifffile

from deepd3_ij.compat.training import generator
from deepd3_ij.compat.training.generator import Arrange, Selector, Viewer, addStackWidget, askSpacing
from deepd3_ij.errors import AnnotationError, FijiError, FileFormatError, ParameterError, VoxelSizeError
from deepd3_ij.files.d3data import D3Data, read_d3data, write_d3data
from deepd3_ij.files.d3set import read_d3set, write_d3set
from deepd3_ij.service import programs


def data(shape=(4, 60, 50), dtype=np.int16, resolution=0.1):
    rng = np.random.default_rng(5)
    masks = rng.random((2, *shape)) > 0.8
    return D3Data(rng.integers(-500, 500, shape).astype(dtype), masks[0], masks[1],
                  {"Resolution_XY": resolution, "Resolution_Z": 0.5, "crop": True, "Generated_from": "a.tif"})


@pytest.fixture
def training_set(tmp_path):
    write_d3set(tmp_path / "a.d3set", [data(), data((6, 70, 80), np.uint8, 0.2)])
    return tmp_path / "a.d3set"


@pytest.fixture
def stream():
    from deepd3_ij.compat.training.stream import DataGeneratorStream

    return DataGeneratorStream


@pytest.fixture
def annotated(tmp_path):
    rng = np.random.default_rng(1)
    for name in ("stack", "dendrite", "spines"):
        pixels = rng.integers(0, 200, (5, 150, 160)).astype(np.uint8) * (1 if name == "stack" else 255)
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, photometric="minisblack")
    widget = Selector().createTrainingData()
    widget.selectStack(tmp_path / "stack.tif")
    widget.selectDendrite(tmp_path / "dendrite.tif")
    widget.selectSpines(tmp_path / "spines.tif")
    widget.resolution_xy, widget.resolution_z = 0.1, 0.4
    return widget


@pytest.mark.parametrize(("size", "shape"), [((1, 32, 24), (3, 32, 24, 1)), ((2, 32, 32), (3, 2, 32, 32, 1))])
def test_augmented_batches_of_any_pixel_type_and_depth_have_the_documented_shape(stream, training_set, size, shape):
    generator = stream(training_set, 3, samples_per_epoch=30, size=size)
    assert len(generator) == 10
    image, (dendrite, spine) = generator[0]
    assert image.shape == dendrite.shape == spine.shape == shape
    assert image.dtype == dendrite.dtype == np.float32
    assert image.min() == -1
    assert image.max() == pytest.approx(1, abs=1e-4)
    assert set(np.unique(dendrite)) == {0, 1}


def test_a_batch_depends_on_its_index_alone_also_with_augmentation(stream, training_set):
    first, again = (stream(training_set, 2, size=(1, 32, 32), shuffle=False) for _ in range(2))
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the one of the whole process
    expected = [first[i] for i in (0, 1)]
    for index in (1, 0):
        image, (dendrite, _) = again[index]
        np.testing.assert_array_equal(image, expected[index][0])
        np.testing.assert_array_equal(dendrite, expected[index][1][0])
    assert not np.array_equal(expected[0][0], expected[1][0])
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_shuffled_batches_go_on_from_the_seed(stream, training_set):
    first, again = (stream(training_set, 2, size=(1, 32, 32), seed=7) for _ in range(2))
    batches = [first[0][0], first[0][0]]
    assert not np.array_equal(*batches)
    for batch in batches:
        np.testing.assert_array_equal(again[0][0], batch)


def test_a_sample_is_squeezed_on_request_and_rescaled_to_its_height_and_width(stream, training_set):
    generator = stream(training_set, 2, size=(1, 24, 16), target_resolution=0.15, augment=False)
    assert [part.shape for part in generator.getSample()] == [(24, 16)] * 3
    assert [part.shape for part in generator._getSample(squeeze=False)] == [(1, 24, 16)] * 3
    assert generator._get_augmenter().rotation_deg == 10


def test_a_sample_larger_than_every_stack_is_an_error_instead_of_an_endless_loop(stream, training_set, monkeypatch):
    monkeypatch.setattr("deepd3_ij.training.original_draws.MAX_TRIES", 50)
    with pytest.raises(AnnotationError, match="in 50 tries"):
        stream(training_set, 2, size=(1, 200, 200))[0]
    with pytest.raises(ParameterError, match="batch_size is 0"):
        stream(training_set, 0)


def test_keras_takes_the_stream_as_data(stream):
    import keras

    assert issubclass(stream, keras.utils.PyDataset)


def test_the_network_is_the_packages_own_and_its_parts_can_be_used_alone():
    import keras

    from deepd3_ij.compat.model import builder
    from deepd3_ij.model.network import build_network

    network = builder.DeepD3_Model(filters=2, layers=2, input_shape=(32, 32, 1))
    expected = build_network(2, 2, input_shape=(32, 32, 1))
    # Keras counts the layers of a process that have no name of their own.
    assert [re.sub(r"_\d+$", "", layer.name) for layer in network.layers] == [
        re.sub(r"_\d+$", "", layer.name) for layer in expected.layers]
    assert network.count_params() == expected.count_params()
    assert inspect.signature(builder.DeepD3_Model).parameters["input_shape"].default == (128, 128, 1)

    image = keras.Input((16, 16, 1))
    residual = builder.identity(image, 4, "same")
    block = builder.convlayer(image, 4, "relu", "block", residual=residual, use_batchnorm=False)
    deep = builder.convlayer(keras.layers.MaxPooling2D(2)(block), 8, "relu", "deep")
    out = builder.decoder(deep, 4, 1, [block], "up", "relu")
    assert out.shape == (None, 16, 16, 4)
    names = {layer.name for layer in keras.Model(image, out).layers}
    assert {"same", "block", "block_residual_connection", "block_activation", "deep_BN", "up_dec_layer1_conv2"} <= names
    assert "block_BN" not in names
    with pytest.raises(ParameterError, match="to_concat has 1 blocks"):
        builder.decoder(deep, 4, 2, [block], "up", "relu")


def test_a_box_is_cut_to_the_stack_and_saved_with_its_last_row_and_column(annotated, tmp_path):
    assert annotated.updateROI() == (100, 100, 60, 50)
    path = annotated.save(tmp_path / "a.d3data")
    saved = read_d3data(path)
    np.testing.assert_array_equal(saved.stack, annotated.imageView.image[:, 100:150, 100:160])
    assert (saved.meta["X"], saved.meta["Width"], saved.meta["Height"], saved.meta["Z_end"]) == (100, 60, 50, 4)
    assert saved.meta["Resolution_Z"] == 0.4


def test_whole_planes_are_saved_with_their_own_size(annotated, tmp_path):
    annotated.crop = False
    annotated.updateZ(1, 3)
    meta = read_d3data(annotated.save(tmp_path / "a.d3data")).meta
    assert (meta["Width"], meta["Height"], meta["Depth"], meta["Z_begin"]) == (160, 150, 3, 1)


def test_keys_set_the_first_and_the_last_plane(annotated):
    annotated.imageView.setCurrentIndex(1)
    annotated.keyPressEvent("B")
    annotated.imageView.keyPressEvent("Right")
    annotated.keyPressEvent(0x45)  # E in Qt
    assert (annotated.z_begin, annotated.z_end) == (1, 2)
    with pytest.raises(AnnotationError, match="Planes 3 to 2"):
        annotated.updateZ(3, 2)
    assert (annotated.z_begin, annotated.z_end) == (1, 2)


def test_what_is_missing_for_saving_is_named(annotated, tmp_path):
    annotated.resolution_xy = None
    with pytest.raises(VoxelSizeError, match="resolution"):
        annotated.save(tmp_path / "a.d3data")
    annotated.x = 500
    with pytest.raises(AnnotationError, match="holds no pixel"):
        annotated.updateROI()
    fresh = addStackWidget()
    with pytest.raises(AnnotationError, match="no stack yet"):
        fresh.updateROI()
    assert not (tmp_path / "a.d3data").exists()


def test_a_tracing_is_drawn_stored_and_kept_on_request(annotated, tmp_path):
    (tmp_path / "t.swc").write_text("1 3 20 20 2 3 -1\n2 3 90 60 2 3 1\n")
    annotated.selectDendrite(tmp_path / "t.swc", spacing=(1, 1, 1))
    drawn = tmp_path / "t_dendrite.tif"
    assert tifffile.imread(drawn)[2, 20, 20] == 255
    assert annotated.progress == (1, 1)
    before = drawn.stat().st_mtime_ns
    annotated.selectDendrite(tmp_path / "t.swc", keep=True)
    assert drawn.stat().st_mtime_ns == before
    assert askSpacing(0.1, 0.1, 0.5).spacing() == (0.1, 0.1, 0.5)


def test_the_overlay_shows_both_annotations(annotated):
    picture = annotated.changeOverlay()
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert annotated.picture is picture


def test_metadata_are_looked_at_and_changed(tmp_path):
    write_d3data(tmp_path / "a.d3data", data())
    viewer = Selector().viewTrainingData(tmp_path / "a.d3data")
    viewer.imageView.setCurrentIndex(99)
    assert viewer.imageView.currentIndex == 3
    assert viewer.plane().shape[2] == 3
    viewer.meta["Resolution_XY"] = 0.25
    viewer.save()
    assert read_d3data(tmp_path / "a.d3data").meta["Resolution_XY"] == 0.25
    assert viewer.meta["Changed"]
    viewer.meta["Width"] = 3
    with pytest.raises(AnnotationError, match="Width"):
        viewer.save()
    with pytest.raises(FileFormatError):
        Viewer(tmp_path / "missing.d3data")


def test_files_are_arranged_to_a_set(tmp_path):
    for name in "abc":
        write_d3data(tmp_path / f"{name}.d3data", data())
    window = Arrange()
    window.addData(*(tmp_path / f"{name}.d3data" for name in "abc"))
    window.selected = [1]
    window.keyPressEvent("Delete")
    assert [path.name for path in window.files] == ["a.d3data", "c.d3data"]
    assert len(read_d3set(window.createSet(tmp_path / "set.d3set"))) == 2
    (tmp_path / "bad.d3data").write_bytes(b"no")
    with pytest.raises(FileFormatError):
        window.addData(tmp_path / "bad.d3data")
    window.selected = [7]
    with pytest.raises(ParameterError, match="no row 7"):
        window.removeSelection()


def test_the_program_without_a_display_ends_with_one_line(monkeypatch, capsys):
    def refuse(*_, **__):
        raise FijiError("A visible ImageJ needs a display.")

    monkeypatch.setattr(programs, "connect", refuse)
    with pytest.raises(SystemExit) as end:
        generator.main([])
    assert end.value.code == 1
    assert capsys.readouterr().err == "deepd3-training: A visible ImageJ needs a display.\n"
