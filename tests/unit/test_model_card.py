"""Cards inside model files, and the parameters they recommend."""

from __future__ import annotations

import zipfile

import h5py
import pytest

from deepd3_ij.errors import ModelError
from deepd3_ij.model.card import ModelCard, attach_card, read_card

CARD = ModelCard(
    name="Test", description="µm – a test", resolution_um=0.094, z_um=0.5, filters=8, licence="BSD-3-Clause",
    created="2026-01-02", training={"steps": 3}, scores={"f1": 0.7},
    recommended={"Roi3DParameters": {"area_threshold": 0.3, "mode": "connected"}, "min_volume_um3": 0.1,
                 "max_volume_um3": 10.0, "PredictionParameters": {"tiling": "plane"}})


def write_model(path):
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = "{}"
            file["model_weights/a"] = [1.0, 2.0]
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("model.weights.h5", b"\x00" * 5000)


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_card_comes_back_as_it_was_attached_and_replaces_an_earlier_one(tmp_path, name):
    path = tmp_path / name
    write_model(path)
    attach_card(path, ModelCard(name="earlier"))
    attach_card(path, CARD)
    assert read_card(path) == CARD
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_the_rest_of_a_model_file_stays_as_it_was(tmp_path):
    path = tmp_path / "model.keras"
    write_model(path)
    attach_card(path, CARD)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["config.json", "model.weights.h5", "deepd3_card.json"]
        assert archive.read("model.weights.h5") == b"\x00" * 5000
    other = tmp_path / "model.h5"
    write_model(other)
    attach_card(other, CARD)
    with h5py.File(other) as file:
        assert file["model_weights/a"][()].tolist() == [1, 2]


def test_keras_still_opens_a_model_with_a_card(tmp_path):
    import keras

    from tests.unit.random_models import save_random

    for name in ("model.keras", "model.h5"):
        save_random(tmp_path / name, filters=1, layers=1)
        attach_card(tmp_path / name, CARD)
        assert keras.saving.load_model(tmp_path / name, compile=False).output_names == ["dendrites", "spines"]


@pytest.mark.parametrize("name", ["some_model.keras", "some_model.h5"])
def test_a_model_without_a_card_is_named_after_its_file(tmp_path, name):
    write_model(tmp_path / name)
    assert read_card(tmp_path / name) == ModelCard(name="some_model")


def test_a_failed_attachment_leaves_the_model_as_it_was(tmp_path):
    path = tmp_path / "model.h5"
    write_model(path)
    before = path.read_bytes()
    with pytest.raises(ModelError, match="at most"):
        attach_card(path, ModelCard(description="x" * 100_000))
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["[1]", "no json", '{"resolution_um": -1}', '{"resolution_um": "0.1"}',
                                  '{"recommended": [1]}', '{"z_um": NaN}'])
def test_an_unusable_card_is_one_clear_line(tmp_path, text):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deepd3_card.json", text)
    with pytest.raises(ModelError, match="card") as caught:
        read_card(path)
    assert "\n" not in str(caught.value)


def test_names_of_a_newer_version_are_passed_over():
    assert ModelCard.from_json('{"name": "a", "invented_later": 1}') == ModelCard(name="a")
