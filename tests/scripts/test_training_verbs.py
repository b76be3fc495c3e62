"""The verbs of training, called as a transport calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deepd3_ij
from deepd3_ij.errors import Cancelled
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.service import calls
from deepd3_ij.service.exchange import Reply
from deepd3_ij.simulation import simulate

SCENE = {"planes": 2, "height_px": 128, "width_px": 128, "dendrites": 1, "blob_clusters": 1}
NETWORK = {"filters": 2, "steps": 4, "batch_size": 2, "tile_px": 64, "validate_every": 2, "averaging": 0.0}


def ask(verb: str, progress: Progress = no_progress, **values: Any) -> Reply:
    return calls.call(json.dumps({"verb": verb, "version": deepd3_ij.__version__, "values": values}), {}, progress)


def scene(**series: int) -> dict[str, Any]:
    """What a user typed for small simulated stacks."""
    return {"typed": {"SimulationParameters": SCENE, "SeriesParameters": series}}


def done(reply: Reply) -> dict[str, Any]:
    assert reply.values["state"] == "done", reply.values
    json.dumps(reply.values)  # all of it can be sent
    return reply.values


def message(reply: Reply) -> str:
    assert reply.values["state"] == "failed"
    return str(reply.values["message"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated stacks with their training data and the set of both."""
    folder = tmp_path_factory.mktemp("training")
    done(ask("simulate", choices=scene(seed=5, count=2), folder=str(folder)))
    for stem in ("simulated_0005", "simulated_0006"):
        done(ask("create_training_data", stack=str(folder / f"{stem}.tif"), dendrites=str(folder / f"{stem}_true.swc"),
                 spines=str(folder / f"{stem}_true_spines.tif"), out=str(folder / "data" / stem)))
    done(ask("arrange_training_data", source=str(folder), out=str(folder / "both.d3set")))
    return folder


def test_a_simulated_stack_is_that_of_the_package() -> None:
    reply = ask("simulate", choices=scene(seed=5))
    expected = simulate(SimulationParameters(**SCENE), 5)
    np.testing.assert_array_equal(reply.arrays["stack"], expected.stack.values)
    np.testing.assert_array_equal(reply.arrays["labels"], expected.spine.values)
    assert done(reply)["image"]["voxel_size_um"] == [1.0, 0.12, 0.12]
    assert reply.values["files"] == []


def test_several_stacks_without_a_folder_are_refused() -> None:
    assert "count is 3" in message(ask("simulate", choices=scene(count=3)))


def test_every_stack_of_a_series_has_its_own_seed_and_files(folder: Path) -> None:
    assert (folder / "simulated_0005.tif").read_bytes() != (folder / "simulated_0006.tif").read_bytes()
    assert len(list(folder.glob("simulated_0006*"))) == 5


def test_training_data_are_shown_as_a_picture_with_masks(folder: Path) -> None:
    reply = ask("describe_training_data", path=str(folder / "data" / "simulated_0005.d3data"))
    picture = reply.arrays["picture"]
    assert (picture.dtype, picture.shape[0]) == (np.uint8, 3)
    assert (picture[0] != picture[1]).any()  # grey levels alone would be equal
    assert len(done(reply)["stacks"]) == 1


def test_a_set_holds_the_data_of_a_folder_in_the_order_of_their_names(folder: Path) -> None:
    stacks = done(ask("describe_training_data", path=str(folder / "both.d3set")))["stacks"]
    voxels = [done(ask("describe_training_data", path=str(folder / "data" / f"{name}.d3data")))["stacks"][0]
              for name in ("simulated_0005", "simulated_0006")]
    assert [stack["spine_voxels"] for stack in stacks] == [stack["spine_voxels"] for stack in voxels]


def test_a_folder_without_training_data_says_how_to_make_them(tmp_path: Path) -> None:
    assert "Create DeepD3 Training Data" in message(ask("arrange_training_data", source=str(tmp_path),
                                                 out=str(tmp_path / "a.d3set")))


def test_a_file_without_a_folder_is_refused(folder: Path) -> None:
    assert "names no folder" in message(ask("arrange_training_data", source=str(folder), out="set.d3set"))


def test_a_box_outside_of_the_stack_is_named(folder: Path) -> None:
    stem = folder / "simulated_0005"
    text = message(ask("create_training_data", stack=f"{stem}.tif", dendrites=f"{stem}_true.swc",
                       spines=f"{stem}_true_spines.tif", out=str(folder / "box"),
                       choices={"typed": {"TrainingDataParameters": {"x_px": 500}}}))
    assert "columns 0 to 127" in text


@pytest.mark.slow
def test_a_stopped_training_goes_on_where_it_was_and_its_model_is_listed(folder: Path, monkeypatch: Any) -> None:
    from deepd3_ij.model import zoo

    models = folder / "models"
    monkeypatch.setattr(zoo, "models_folder", lambda cache=None: models)
    seen: list[int] = []
    steps = [50, 288, 525, 762, 1000]  # of the whole bar, before each step and at the end

    def stop(at: int, total: int, text: str, /) -> None:
        if at == steps[3]:
            raise Cancelled("stopped")

    def see(at: int, total: int, text: str, /) -> None:
        if at in steps and at not in seen:
            seen.append(at)

    values: dict[str, Any] = {"training": str(folder / "both.d3set"),
                              "choices": {"typed": {"TrainingParameters": NETWORK}}}
    assert ask("train", stop, **values).values == {"state": "cancelled"}
    assert not (models / "both.keras").exists()
    trained = done(ask("train", see, **values, resume=True))
    assert seen == steps[2:]  # goes on at the checkpoint of the last validation
    assert Path(trained["model"]) == models / "both.keras"
    assert all(Path(path).is_file() for path in trained["files"])
    assert trained["scores"]["measured_on"] == "training stacks"
    listed = {entry["name"]: entry["origin"] for entry in done(ask("models"))["models"]}
    assert listed["both"] == "own"
    for name in ("both", trained["model"]):
        assert done(ask("health", model=name))["model"] == "both"
    (models / "both.keras").write_bytes(b"no model")
    damaged = next(entry for entry in done(ask("models"))["models"] if entry["name"] == "both")
    assert "cannot be used" in damaged["description"]


def test_detections_are_compared_with_annotated_spines(folder: Path) -> None:
    table = str(folder / "simulated_0005_true_spines.csv")
    reply = done(ask("evaluate", detected=table, truth=table, report=str(folder / "scores.json")))
    assert (reply["scores"]["recall"], reply["scores"]["false_positives"]) == (1.0, 0)
    assert json.loads((folder / "scores.json").read_text())["parameters"]["match_xy_um"] == 1.2


@pytest.mark.parametrize("kind", ["TrainingParameters", "SimulationParameters", "SeriesParameters",
                                  "TrainingDataParameters", "EvaluationParameters"])
def test_dialogs_can_ask_for_the_parameters_of_training(kind: str) -> None:
    assert done(ask("parameters", kind=kind))["parameters"]


def train_dialog(**typed: str) -> dict[str, Any]:
    reply = done(ask("dialog", command="Train DeepD3 Model...", typed=typed))
    return {"follows": reply["follows"], "choices": reply["choices"],
            **{item["name"]: item for item in reply["fields"]}}


def test_the_length_of_a_training_sets_what_nobody_typed() -> None:
    quick, thorough = train_dialog(), train_dialog(length="thorough", filters="16")
    assert quick["follows"] == ["length"]
    assert [name for name, item in quick.items() if name not in ("follows", "choices") and not item["advanced"]] == [
        "training", "length", "start"]
    assert (quick["steps"]["value"], quick["steps"]["origin"]) == (3000, "default")
    assert (thorough["steps"]["value"], thorough["steps"]["origin"]) == (20_000, "preset")
    assert thorough["choices"] == {"TrainingParameters": {"filters": 16}}
    assert "deepd3_ij_8F" in quick["start"]["suggestions"]
    assert "accepted: quick, thorough, own" in message(ask("train", training="a.d3set", length="long"))
