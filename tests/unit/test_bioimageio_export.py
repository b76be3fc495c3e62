"""BioImage.IO packages of models."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from deepd3_ij.errors import ModelError, OutputError, StackError
from deepd3_ij.model.card import ModelCard, read_card
from deepd3_ij.model.loading import DeepD3Model, load_model
from deepd3_ij.model.rebuilding import keras_network
from deepd3_ij.model.saving import save_network
from deepd3_ij.outputs.bioimageio import export_package, sizes_of
from tests.unit.random_models import random_network

CARD = ModelCard(name="my spines: 8F", description="For tests.", resolution_um=0.1, licence="BSD-3-Clause",
                 training={"steps": 10}, scores={"spine": {"f1": 0.5}})


@pytest.fixture(scope="module")
def plane() -> np.ndarray:
    return np.random.default_rng(3).integers(100, 4000, (64, 48)).astype(np.uint16)


@pytest.fixture(scope="module", params=[".keras", ".h5"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DeepD3Model:
    path = tmp_path_factory.mktemp("model") / f"small{request.param}"
    save_network(random_network(), path, CARD)
    return load_model(path)


@pytest.fixture(scope="module")
def package(model: DeepD3Model, plane: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("package") / "small.zip"
    export_package(model, path, plane, authors=["Ada Example"])
    return path


def members(package: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(package) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return yaml.safe_load(files["rdf.yaml"]), files


def array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)


def sources(value: Any) -> list[dict[str, str]]:
    if isinstance(value, dict):
        return ([value] if "source" in value else []) + [found for item in value.values() for found in sources(item)]
    return [found for item in value for found in sources(item)] if isinstance(value, list) else []


def test_a_rebuilt_network_computes_what_the_engine_computes(model: DeepD3Model):
    tiles = np.random.default_rng(0).uniform(-1, 1, (2, 32, 48)).astype(np.float32)
    computed = keras_network(model.graph).predict(tiles[..., None], verbose=0)
    for ours, theirs in zip(model.predict_batch(tiles), computed, strict=True):
        np.testing.assert_allclose(theirs[..., 0], ours, atol=2e-5)


def test_every_named_file_is_in_the_package_with_its_hash(package: Path):
    description, files = members(package)
    named = {entry["source"]: entry["sha256"] for entry in sources(description)}
    assert set(named) == set(files) - {"rdf.yaml"}
    assert named == {name: hashlib.sha256(files[name]).hexdigest() for name in named}


def test_the_described_preprocessing_and_weights_give_the_test_outputs(package: Path, tmp_path: Path):
    description, files = members(package)
    image = array(files["test_image.npy"]).astype(np.float32)
    assert image.shape == (1, 64, 48, 1)
    for step in description["inputs"][0]["preprocessing"]:
        options = step["kwargs"]
        if step["id"] == "scale_range":
            low, high = (np.percentile(image, options[f"{end}_percentile"], axis=(1, 2), keepdims=True)
                         for end in ("min", "max"))
            image = (image - low) / (high - low + options["eps"])
        elif step["id"] == "scale_linear":
            image = image * options["gain"] + options["offset"]
    for weights in ("weights.keras", "weights.h5"):
        (tmp_path / weights).write_bytes(files[weights])
        computed = load_model(tmp_path / weights).predict_batch(image[..., 0].astype(np.float32))
        for output, values in zip(description["outputs"], computed, strict=True):
            expected = array(files[f"test_{output['id']}.npy"])[..., 0]
            np.testing.assert_allclose(values, expected, atol=1e-5)
            assert np.ptp(expected) > 0.01


def test_axes_tell_sizes_and_resolution_and_outputs_have_the_input_s_size(package: Path):
    description, _ = members(package)
    batch, y, x, channel = description["inputs"][0]["axes"]
    assert (batch["type"], channel["type"]) == ("batch", "channel")
    assert [axis["size"] for axis in (y, x)] == [{"min": 32, "step": 4}] * 2
    assert {(axis["unit"], axis["scale"]) for axis in (y, x)} == {("micrometer", float(np.float32(0.1)))}
    assert [output["id"] for output in description["outputs"]] == ["dendrite", "spine"]
    for output in description["outputs"]:
        assert [axis["size"] for axis in output["axes"][1:3]] == [
            {"tensor_id": "image", "axis_id": name} for name in "yx"]


def test_the_card_travels_in_description_documentation_and_weights(package: Path, tmp_path: Path):
    description, files = members(package)
    assert description["name"] == "DeepD3 my spines_ 8F"
    assert (description["license"], description["authors"]) == ("BSD-3-Clause", [{"name": "Ada Example"}])
    assert description["cite"][0]["doi"] == "10.1371/journal.pcbi.1011774"
    assert description["config"]["deepd3_ij"]["scores"] == {"spine": {"f1": 0.5}}
    readme = files["README.md"].decode()
    assert "f1: 0.5" in readme
    assert "0.1 µm per pixel" in readme
    (tmp_path / "weights.keras").write_bytes(files["weights.keras"])
    assert read_card(tmp_path / "weights.keras") == CARD


def test_the_original_weights_are_those_of_the_model_s_own_kind(package: Path, model: DeepD3Model):
    weights = members(package)[0]["weights"]
    own = {".keras": "keras_v3", ".h5": "keras_hdf5"}[model.path.suffix]
    assert [kind for kind, entry in weights.items() if "parent" not in entry] == [own]


def test_the_cover_is_twice_as_wide_as_high_and_shows_probabilities(package: Path):
    from matplotlib.image import imread

    content = members(package)[1]["cover.png"]
    picture = imread(io.BytesIO(content))[..., :3]
    assert picture.shape[1] == 2 * picture.shape[0]
    assert len(content) < 500_000
    left, right = np.split(picture, 2, axis=1)
    assert (left[..., 0] == left[..., 1]).all()
    assert (right[..., 0] != right[..., 1]).any()


def test_a_network_of_fixed_size_accepts_this_size_alone(tmp_path: Path, plane: np.ndarray):
    save_network(random_network(input_shape=(64, 48, 1)), tmp_path / "fixed.keras")
    fixed = load_model(tmp_path / "fixed.keras")
    assert sizes_of(fixed) == (64, 48)
    export_package(fixed, tmp_path / "fixed.zip", plane)
    description, _ = members(tmp_path / "fixed.zip")
    assert [axis["size"] for axis in description["inputs"][0]["axes"][1:3]] == [64, 48]
    assert "authors" not in description
    with pytest.raises(StackError, match="accepts"):
        export_package(fixed, tmp_path / "other.zip", plane[:32])


@pytest.mark.parametrize("bad", [np.zeros((64, 64)), np.ones((2, 64, 64)), np.eye(30), np.eye(28)])
def test_a_test_image_that_tests_nothing_is_refused(bad: np.ndarray, model: DeepD3Model, tmp_path: Path):
    with pytest.raises(StackError):
        export_package(model, tmp_path / "p.zip", bad)
    assert not list(tmp_path.iterdir())


def test_a_licence_or_name_that_cannot_be_is_refused(model: DeepD3Model, plane: np.ndarray, tmp_path: Path):
    with pytest.raises(ModelError, match="SPDX"):
        export_package(model, tmp_path / "p.zip", plane, licence="do what you like")
    with pytest.raises(ModelError, match=r"\.zip"):
        export_package(model, tmp_path / "p.tar", plane)
    with pytest.raises(OutputError):
        export_package(model, tmp_path / "missing" / "p.zip", plane)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_bioimageio_accepts_the_package(package: Path):
    core = pytest.importorskip("bioimageio.core", reason="bioimageio.core is not installed (extra 'bioimageio')")
    summary = core.test_description(package)
    assert summary.status == "passed", summary.format()
