"""The service's table of verbs, called as a transport calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import deepd3_ij
from deepd3_ij.errors import Cancelled, VoxelSizeError
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.parameters import CleaningParameters, Roi3DParameters
from deepd3_ij.rois import build_rois_3d
from deepd3_ij.service import calls
from deepd3_ij.service.exchange import Image, Reply, rois_reply
from deepd3_ij.stack import label_prediction, label_stack
from tests.small_stack import write_small_stack

IMAGE = {"title": "a.tif", "pixel_size": [0.1, 0.1, 0.5], "units": ["micron", "um", "micron"]}


def ask(verb: str, arrays: dict[str, np.ndarray] | None = None, *, version: str = deepd3_ij.__version__,
        **values: Any) -> Reply:
    return calls.call(json.dumps({"verb": verb, "version": version, "values": values}), arrays or {})


def failure(reply: Reply) -> str:
    assert reply.values["state"] == "failed"
    assert "\n" not in reply.values["message"]
    assert "Traceback" in reply.values["trace"]
    return str(reply.values["message"])


@pytest.fixture
def maps() -> dict[str, np.ndarray]:
    spine = np.zeros((4, 40, 40), np.float32)
    spine[1:3, 10:15, 10:15] = 0.95
    spine[0:2, 30:33, 20:26] = 0.9
    dendrite = np.zeros_like(spine)
    dendrite[:, 18:24] = 0.9
    return {"dendrite": dendrite, "spine": spine}


def test_an_unknown_verb_is_named_with_the_known_ones() -> None:
    message = failure(ask("format_disk"))
    assert "'format_disk'" in message
    assert "segment" in message


def test_scripts_of_another_version_are_told_to_be_installed_again() -> None:
    message = failure(ask("about", version="0.0.1"))
    assert "0.0.1" in message
    assert "DeepD3 Setup..." in message


@pytest.mark.parametrize("text", ["", "[]", "{", '{"verb": "about"}', '{"verb": 3, "version": "x", "values": {}}'])
def test_a_request_that_is_no_request_is_refused(text: str) -> None:
    assert failure(calls.call(text, {}))


@pytest.mark.parametrize(("values", "named"), [
    ({"path": 5}, "path"), ({"path": "a", "xy_um": "wide"}, "xy_um"), ({"path": "a", "channel": 1.5}, "channel"),
    ({"path": "a", "channel": True}, "channel"), ({"path": "a", "speed": 1}, "speed"), ({}, "path")])
def test_a_value_of_another_type_or_name_is_named(values: dict[str, Any], named: str) -> None:
    assert named in failure(ask("open", **values))


@pytest.mark.parametrize("array", [
    np.zeros((2, 3), np.float32), np.zeros((1, 2, 3), np.float64), np.zeros((0, 2, 3), np.float32)])
def test_an_array_of_another_type_or_shape_is_named(array: np.ndarray, maps: dict[str, np.ndarray]) -> None:
    assert "spine" in failure(ask("clean", {**maps, "spine": array}, image=IMAGE))


def test_maps_of_different_shapes_are_refused(maps: dict[str, np.ndarray]) -> None:
    assert "shape" in failure(ask("clean", {**maps, "spine": maps["spine"][:2]}, image=IMAGE))


def test_an_unknown_parameter_is_named(maps: dict[str, np.ndarray]) -> None:
    choices = {"typed": {"CleaningParameters": {"closeness": 3}}}
    assert "closeness" in failure(ask("clean", maps, image=IMAGE, choices=choices))


def test_an_image_without_a_voxel_size_is_told_where_to_set_it(maps: dict[str, np.ndarray]) -> None:
    image = {**IMAGE, "units": ["pixel", "pixel", "pixel"]}
    assert "Set DeepD3 Voxel Size" in failure(ask("clean", maps, image=image))


def test_units_other_than_micron_are_converted() -> None:
    nanometres = Image("a", (100.0, 100.0, 500.0), ("nm", "nm", "nm"))
    assert nanometres.size_um() == pytest.approx((0.5, 0.1))


def test_the_exact_voxel_size_of_an_own_image_is_kept() -> None:
    image = Image("a", (0.09400000001, 0.09400000001, 0.5), ("micron",) * 3, voxel_size_um="0.5 0.094 0.094")
    assert image.size_um() == (0.5, 0.094)


def test_signed_pixels_are_read_as_signed() -> None:
    image = Image("a", (1.0, 1.0, 1.0), ("um",) * 3, signed=True)
    raw = np.array([[[0, 32768, 65535]]], np.uint16)
    assert image.stack(raw).values.tolist() == [[[-32768, 0, 32767]]]


def test_rois_come_back_as_the_same_labels(maps: dict[str, np.ndarray]) -> None:
    stack = label_stack(maps["spine"], xy_um=0.1, z_um=0.5)
    rois = build_rois_3d(label_prediction(maps["dendrite"], maps["spine"], stack, {}), Roi3DParameters())
    assert len(rois) == 2
    sent = rois_reply(rois)
    reply = ask("labels", sent.arrays, image=IMAGE, shape=[4, 40, 40],
                rois={"lengths": sent.values["lengths"], "names": [""] * len(sent.values["lengths"])})
    assert reply.values["count"] == 2
    np.testing.assert_array_equal(reply.arrays["labels"], rois.labels.values)


def test_the_model_fills_what_the_user_did_not_type(maps: dict[str, np.ndarray]) -> None:
    recommended = {"Roi3DParameters": {"area_threshold": 0.92}}
    provenance = json.dumps({"model": {"recommended": recommended}})
    one = ask("build_rois_3d", maps, image=IMAGE, provenance=provenance)
    two = ask("build_rois_3d", maps, image=IMAGE, provenance=provenance,
              choices={"typed": {"Roi3DParameters": {"area_threshold": 0.3}}})
    assert (one.values["count"], two.values["count"]) == (1, 2)


def test_cleaning_and_measuring_give_maps_and_tables(maps: dict[str, np.ndarray]) -> None:
    cleaned = ask("clean", maps, image=IMAGE, choices={"typed": {"CleaningParameters": {"spine_distance_um": 0.5}}})
    assert "CleaningParameters" in cleaned.values["provenance"]
    assert cleaned.arrays["spine"].max() < maps["spine"].max() + 1e-6
    rois = ask("build_rois_3d", maps, image=IMAGE)
    described = {"lengths": rois.values["lengths"], "names": ["x"] * len(rois.values["lengths"])}
    table = ask("measure", {**maps, "outlines": rois.arrays["outlines"]}, image=IMAGE, rois=described)
    headings = table.values["spines"]["headings"]
    assert headings[:4] == ["id", "z_um", "y_um", "x_um"]
    assert table.arrays["spine_values"].shape == (len(headings), 2)


def test_without_rois_the_tables_are_empty(maps: dict[str, np.ndarray]) -> None:
    table = ask("measure", maps, image=IMAGE, rois={"lengths": [], "names": []})
    assert table.values["state"] == "done"
    assert table.arrays["spine_values"].shape[1] == 0


def test_a_cancelled_verb_says_so(maps: dict[str, np.ndarray]) -> None:
    def stop(done: int, total: int, message: str, /) -> None:
        raise Cancelled("stopped")

    text = json.dumps({"verb": "clean", "version": deepd3_ij.__version__, "values": {"image": IMAGE}})
    assert calls.call(text, maps, stop).values == {"state": "cancelled"}


def test_the_parameters_verb_tells_what_the_classes_say() -> None:
    listed = ask("parameters", kind="CleaningParameters").values["parameters"]
    assert {item["name"]: item["default"] for item in listed} == CleaningParameters().to_dict()


def test_a_title_cannot_lead_out_of_the_folder(maps: dict[str, np.ndarray], tmp_path: Any) -> None:
    folder = tmp_path / "results"
    reply = ask("export", maps, what="maps", folder=str(folder), stem="../../a.tif", image=IMAGE)
    assert reply.values["state"] == "done"
    assert sorted(path.name for path in folder.glob("[!.]*")) == ["a_dendrites.tif", "a_spines.tif"]
    assert list(tmp_path.iterdir()) == [folder]


def test_importing_the_table_of_verbs_loads_no_tensorflow_no_java_and_nothing_that_measures() -> None:
    code = ("import sys, deepd3_ij.service.calls; "
            "print([m for m in ('tensorflow', 'jpype', 'deepd3_ij.measurement', 'scipy.stats') if m in sys.modules])")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.fixture
def small_stack(tmp_path: Path) -> tuple[np.ndarray, Path]:
    path = write_small_stack(tmp_path / "small.tif")
    return open_stack(path).values, path


def test_only_a_region_is_segmented_and_the_provenance_tells_it(small_stack: tuple[np.ndarray, Path]) -> None:
    whole, part = (ask("segment", {"stack": small_stack[0]}, image=IMAGE, region=region)
                   for region in (None, "10, 8,40,30"))
    inside = np.s_[:, 8:38, 10:50]
    np.testing.assert_allclose(part.arrays["spine"][inside], whole.arrays["spine"][inside], atol=1e-5)
    assert part.arrays["dendrite"].shape == small_stack[0].shape
    assert part.arrays["dendrite"].sum() == part.arrays["dendrite"][inside].sum()
    assert json.loads(part.values["provenance"])["region"] == [10, 8, 40, 30]
    analyzed = ask("analyze", {"stack": small_stack[0]}, image=IMAGE, region="10,8,40,30")
    assert json.loads(analyzed.values["provenance"])["region"] == [10, 8, 40, 30]


@pytest.mark.parametrize(("region", "told"), [
    ("10,8,40", "x,y,width,height"), ("a,b,c,d", "x,y,width,height"), ("90,0,40,10", "within the 96 × 64 pixels")])
def test_a_region_that_is_none_is_told(small_stack: tuple[np.ndarray, Path], region: str, told: str) -> None:
    assert told in failure(ask("segment", {"stack": small_stack[0]}, image=IMAGE, region=region))


@pytest.mark.parametrize(("first", "last", "told"), [
    (3, 2, "inverted: the first plane is 3 and the last one 2"), (2, 9, "accepted: planes from 1 to 4"),
    (9, None, "accepted: planes from 1 to 4")])
def test_planes_that_there_are_not_are_told(small_stack: tuple[np.ndarray, Path], first: int, last: int | None,
                                            told: str) -> None:
    assert told in failure(ask("segment", {"stack": small_stack[0]}, image=IMAGE, first_plane=first, last_plane=last))


@pytest.mark.parametrize("verb", ["analyze", "segment"])
def test_the_bar_of_a_verb_never_goes_back(small_stack: tuple[np.ndarray, Path], tmp_path: Path, verb: str) -> None:
    seen: list[tuple[float, str]] = []
    values = {"image": IMAGE, **({"folder": str(tmp_path / "out"), "stem": "a"} if verb == "analyze" else {})}
    request = json.dumps({"verb": verb, "version": deepd3_ij.__version__, "values": values})
    reply = calls.call(request, {"stack": small_stack[0]},
                       lambda done, total, message: seen.append((done / total, message)))
    assert reply.values["state"] == "done"
    parts = [part for part, _ in seen]
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert len(set(parts)) >= (5 if verb == "analyze" else 3)


def test_the_bar_of_a_batch_runs_through_all_stacks(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.tif", "b.tif"):
        write_small_stack(tmp_path / "in" / name)
    seen: list[tuple[float, str]] = []
    request = json.dumps({"verb": "batch", "version": deepd3_ij.__version__,
                          "values": {"source": str(tmp_path / "in"), "target": str(tmp_path / "out")}})
    reply = calls.call(request, {}, lambda done, total, message: seen.append((done / total, message)))
    assert len(reply.values["done"]) == 2
    parts = [part for part, _ in seen]
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert "Stack 2 of 2: Predicting" in {message for _, message in seen}


def test_a_file_is_looked_into(small_stack: tuple[np.ndarray, Path], tmp_path: Path) -> None:
    seen = ask("inspect", path=str(small_stack[1])).values
    assert any(line.startswith("voxel size from:") for line in seen["lines"])
    assert seen["problem"] == ""
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    assert ask("inspect", path=str(tmp_path / "a.tif")).values["problem"]


def test_remedies_name_what_the_interface_has(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((4, 32, 32), np.uint8), photometric="minisblack")
    path = str(tmp_path / "plain.tif")
    assert "give it in µm with Pixel size and Distance between planes." in failure(ask("open", path=path))
    with pytest.raises(VoxelSizeError, match="with --xy and --z"):
        open_stack(path)
    named = failure(ask("segment", {"stack": np.zeros((1, 32, 32), np.uint8)}, image=IMAGE, model="DeepD3_32F"))
    assert "DeepD3 Models..." in named
    assert "deepd3-ij" not in named
