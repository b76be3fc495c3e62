"""Model files: what loads, what is refused, and that nothing in them is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import h5py
import numpy as np
import pytest

from deepd3_ij.errors import ModelError
from deepd3_ij.model import load_model
from tests.unit.random_models import as_keras2, edit_legacy_config, edit_zip_config, random_network, save_random

IMAGE = np.random.default_rng(5).uniform(-1, 1, (2, 24, 40)).astype(np.float32)


def keras_prediction(network, image=IMAGE):
    return [np.asarray(output)[..., 0] for output in network(image[..., np.newaxis], training=False)]


def assert_predicts_like(path, network, image=IMAGE):
    for ours, theirs in zip(load_model(path).predict_batch(image), keras_prediction(network, image), strict=True):
        assert theirs.std() > 0.01
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def assert_refused(path, *words):
    with pytest.raises(ModelError) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_saved_network_predicts_as_in_keras(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    network = save_random(path, filters=3, layers=2)
    model = load_model(path)
    assert (model.name, model.filters, model.layers, model.stride_px, model.fixed_shape) == ("model", 3, 2, 4, None)
    assert model.graph.parameter_count == network.count_params()
    assert_predicts_like(path, network)


@pytest.mark.parametrize("activation", ["relu", "elu", "tanh"])
def test_other_activations_predict_as_in_keras(tmp_path, activation):
    path = tmp_path / "model.keras"
    assert_predicts_like(path, save_random(path, activation=activation))


@pytest.mark.parametrize("class_name", ["Functional", "Model"])
def test_a_file_of_keras_2_predicts_as_the_network_it_was_made_from(tmp_path, class_name):
    path = tmp_path / "model.h5"
    network = save_random(path, layers=3)
    edit_legacy_config(path, as_keras2)
    edit_legacy_config(path, lambda config: config.update(class_name=class_name))
    assert_predicts_like(path, network)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_saved_during_training_loads_without_its_optimiser(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    network = random_network()
    network.compile(optimizer="adam", loss="mse")
    target = np.zeros((*IMAGE.shape, 1), np.float32)
    network.train_on_batch(IMAGE[..., np.newaxis], [target, target])
    network.save(path)
    assert_predicts_like(path, network)


def test_layers_are_found_by_their_connections_not_by_their_names(tmp_path):
    path = tmp_path / "model.keras"
    network = save_random(path)

    def rename(config):
        text = json.dumps(config["config"])
        for layer in config["config"]["layers"]:
            text = text.replace(f'"{layer["name"]}"', f'"other_{layer["name"]}"')
        config["config"] = json.loads(text)

    edit_zip_config(path, rename)
    assert_predicts_like(path, network)


def test_a_fixed_input_size_is_kept_and_other_sizes_are_refused(tmp_path):
    path = tmp_path / "model.keras"
    network = save_random(path, input_shape=(32, 32, 1))
    image = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32)).astype(np.float32)
    assert load_model(path).fixed_shape == (32, 32)
    assert_predicts_like(path, network, image)
    with pytest.raises(ModelError, match=r"accepts only \(32, 32\)"):
        load_model(path).predict_batch(IMAGE)


def test_a_tile_size_off_the_pooling_grid_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    save_random(path)
    with pytest.raises(ModelError, match="multiples of 4"):
        load_model(path).predict_batch(IMAGE[:, :23])


def test_the_margin_is_what_a_pixel_of_the_four_layer_network_can_depend_on(tmp_path):
    path = tmp_path / "model.keras"
    save_random(path, filters=1, layers=4)
    model = load_model(path)
    image = np.random.default_rng(1).uniform(-1, 1, (1, 288, 288)).astype(np.float32)
    changed = image.copy()
    changed[0, :16] = 1
    changed[0, :, :16] = 1
    before, after = model.predict_batch(image)[0][0], model.predict_batch(changed)[0][0]
    assert model.halo_px == 80
    far = slice(16 + model.halo_px, None)
    np.testing.assert_array_equal(before[far, far], after[far, far])
    near = slice(model.halo_px - 16, 16 + model.halo_px)
    assert (before[near, near] != after[near, near]).any()


def test_the_same_file_is_loaded_once_and_again_after_it_has_changed(tmp_path):
    path = tmp_path / "model.keras"
    save_random(path, seed=1)
    first = load_model(path)
    assert load_model(path) is first
    save_random(path, seed=2, filters=3)
    assert load_model(path).sha256 != first.sha256


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_truncated_model_is_damaged(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    save_random(path)
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
    assert_refused(path, "model" + suffix, "damaged")


@pytest.mark.parametrize("content", [b"", b"just text", b"\x00" * 3000, b"II*\x00" + b"\x01" * 500])
def test_another_kind_of_file_is_no_model(tmp_path, content):
    path = tmp_path / "model.h5"
    path.write_bytes(content)
    assert_refused(path, "no model file", ".keras or .h5")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert_refused(tmp_path / "none.keras", "no model file", "none.keras")
    assert_refused(tmp_path, "folder")


def test_a_zip_without_a_network_is_no_model(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert_refused(path, "without config.json")


def test_weights_alone_are_no_model(tmp_path):
    path = tmp_path / "model.weights.h5"
    random_network().save_weights(path)
    assert_refused(path, "weights alone")


def foreign(kind):
    import keras

    image = keras.Input((None, None, 2 if kind == "two channels" else 1))
    one = keras.layers.Conv2D(1, 3, padding="same")(image)
    two = keras.layers.Conv2D(3 if kind == "wide output" else 1, 3, padding="same")(image)
    if kind == "pooled output":
        two = keras.layers.MaxPooling2D(2)(two)
    if kind == "one output":
        return keras.Model(image, one)
    if kind == "two inputs":
        other = keras.Input((None, None, 1))
        return keras.Model([image, other], [one, keras.layers.Add()([two, other])])
    if kind == "strides":
        two = keras.layers.Conv2D(1, 3, strides=2, padding="same")(image)
    if kind == "sequence":
        return keras.Sequential([image, keras.layers.Conv2D(1, 3)])
    return keras.Model(image, [one, two])


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(("kind", "words"), [
    ("two channels", "2 channels"), ("one output", "1 outputs"), ("two inputs", "2 inputs"),
    ("wide output", "3 channels"), ("pooled output", "1/2"), ("strides", "strides"), ("sequence", "Sequential")])
def test_a_foreign_model_is_refused_with_what_is_wrong(tmp_path, kind, words, suffix):
    path = tmp_path / f"foreign{suffix}"
    foreign(kind).save(path)
    assert_refused(path, "foreign" + suffix, words)


class TestHostileFiles:
    """Each file tries to make the loader touch ``marker``."""

    @pytest.fixture
    def marker(self, tmp_path):
        return tmp_path / "marker"

    def payload(self, marker):
        class Touch:
            def __reduce__(self):
                return os.system, (f"touch {marker}",)

        return pickle.dumps(Touch())

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    def test_a_lambda_layer_is_refused_and_not_run(self, tmp_path, marker, suffix):
        import keras

        def touch(x, place=str(marker)):
            open(place, "w").close()
            return x

        image = keras.Input((None, None, 1))
        image_after = keras.layers.Lambda(touch, output_shape=(None, None, 1))(image)
        outputs = [keras.layers.Conv2D(1, 1, padding="same", name=name)(image_after) for name in "ab"]
        path = tmp_path / f"model{suffix}"
        keras.Model(image, outputs).save(path)
        marker.unlink(missing_ok=True)
        assert_refused(path, "Lambda", "could run code")
        assert not marker.exists()

    @pytest.mark.parametrize("change", [
        {"module": "os", "class_name": "system", "config": {"command": "touch {marker}", "name": "x"}},
        {"module": "builtins", "class_name": "Conv2D"},
        {"class_name": "TFOpLambda"},
        {"registered_name": "package>Conv2D"},
        {"class_name": "Functional"},
    ])
    def test_a_class_from_elsewhere_is_refused_and_not_looked_up(self, tmp_path, marker, change):
        path = tmp_path / "model.keras"
        save_random(path)
        change = json.loads(json.dumps(change).replace("{marker}", str(marker)))
        edit_zip_config(path, lambda config: config["config"]["layers"][2].update(change))
        assert_refused(path, "refused")
        assert not marker.exists()

    @pytest.mark.parametrize("place", ["kernel_initializer", "activation", "kernel_regularizer", "dtype"])
    def test_objects_in_a_layers_options_are_never_looked_up(self, tmp_path, marker, place):
        path = tmp_path / "model.keras"
        save_random(path)
        hostile = {"module": "builtins", "class_name": "function", "registered_name": "function",
                   "config": {"module": "os", "name": f"touch {marker}"}}
        edit_zip_config(path, lambda config: config["config"]["layers"][1]["config"].update({place: hostile}))
        if place == "activation":
            assert_refused(path, "activation")
        else:
            load_model(path)
        assert not marker.exists()

    def test_a_pickle_named_as_a_model_is_not_unpickled(self, tmp_path, marker):
        for name in ("model.keras", "model.h5"):
            (tmp_path / name).write_bytes(self.payload(marker))
            assert_refused(tmp_path / name, "no model file")
        assert not marker.exists()

    def test_pickled_weights_inside_a_model_are_not_unpickled(self, tmp_path, marker):
        path = tmp_path / "model.h5"
        save_random(path)
        with h5py.File(path, "r+") as file:
            place = "model_weights/enc_layer0_conv1/enc_layer0_conv1/kernel"
            del file[place]
            file[place] = np.frombuffer(self.payload(marker), np.uint8)
        assert_refused(path, "damaged", "enc_layer0_conv1")
        assert not marker.exists()

    def test_members_that_point_out_of_the_zip_are_written_nowhere(self, tmp_path):
        folder = tmp_path / "inner"
        folder.mkdir()
        path = folder / "model.keras"
        network = save_random(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("../escaped.txt", "x")
            archive.writestr(str(tmp_path / "absolute.txt"), "x")
            archive.writestr("assets/../../../escaped.py", "x")
        assert_predicts_like(path, network)
        assert sorted(item.name for item in tmp_path.iterdir()) == ["inner"]
        assert [item.name for item in folder.iterdir()] == ["model.keras"]

    @pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/secret"), h5py.SoftLink("/elsewhere")])
    def test_weights_that_lie_in_another_file_are_refused(self, tmp_path, link):
        path = tmp_path / "model.h5"
        save_random(path)
        with h5py.File(path, "r+") as file:
            place = "model_weights/enc_layer0_conv1/enc_layer0_conv1/kernel"
            shape = file[place].shape
            del file[place]
            file[place] = link
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["secret"] = np.zeros(shape, np.float32)
        assert_refused(path, "refused", "link")

    def test_weights_stored_in_an_external_raw_file_are_refused(self, tmp_path):
        path = tmp_path / "model.h5"
        save_random(path)
        with h5py.File(path, "r+") as file:
            place = "model_weights/enc_layer0_conv1/enc_layer0_conv1/kernel"
            shape = file[place].shape
            del file[place]
            file.create_dataset(place, shape, np.float32, external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
        assert_refused(path, "another file")

    def test_a_configuration_that_claims_huge_weights_is_refused_before_they_are_read(self, tmp_path):
        path = tmp_path / "model.keras"
        save_random(path)

        def enlarge(config):
            for layer in config["config"]["layers"]:
                if layer["class_name"] == "Conv2D" and layer["name"] not in ("dendrites", "spines"):
                    layer["config"]["filters"] = 60_000

        edit_zip_config(path, enlarge)
        assert_refused(path, "parameters")

    @pytest.mark.parametrize("text", ["[", "[]", '{"class_name": "Functional"}', "[" * 100_000,
                                      '{"class_name": "Functional", "config": {"layers": [1]}}'])
    def test_a_damaged_configuration_is_one_clear_line(self, tmp_path, text):
        path = tmp_path / "model.keras"
        save_random(path)
        with zipfile.ZipFile(path) as archive:
            weights = archive.read("model.weights.h5")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", text)
            archive.writestr("model.weights.h5", weights)
        assert_refused(path, "model.keras")

    def test_a_circle_of_layers_is_refused(self, tmp_path):
        path = tmp_path / "model.h5"
        save_random(path)
        edit_legacy_config(path, as_keras2)

        def bend(config):
            layers = {layer["name"]: layer for layer in config["config"]["layers"]}
            layers["enc_layer0_conv1"]["inbound_nodes"] = [[["spines_dec_layer1_conv2", 0, 0, {}]]]

        edit_legacy_config(path, bend)
        assert_refused(path, "circle")


def test_weights_that_do_not_fit_the_configuration_are_damaged(tmp_path):
    path = tmp_path / "model.keras"
    save_random(path, filters=2)
    other = tmp_path / "other.keras"
    save_random(other, filters=3)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(other) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
    assert_refused(path, "damaged", "asks for floats")


def test_weights_that_are_no_numbers_are_damaged(tmp_path):
    path = tmp_path / "model.keras"
    network = random_network()
    network.get_layer("spines").set_weights([np.full((1, 1, 2, 1), np.nan), np.zeros(1)])
    network.save(path)
    assert_refused(path, "damaged", "spines")


def test_missing_weights_are_damaged(tmp_path):
    path = tmp_path / "model.keras"
    save_random(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO(members["model.weights.h5"])
    with h5py.File(buffer, "r+") as file:
        del file["layers/conv2d_3"]
    members["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert_refused(path, "damaged", "missing")
