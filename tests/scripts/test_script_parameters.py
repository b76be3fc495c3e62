"""The scripts of the menu, as they are installed: their fields are those of the table of dialogs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import deepd3_ij
from deepd3_ij import colours, names
from deepd3_ij.fiji.scripts import script_folder
from deepd3_ij.outputs.registry import OUTPUTS
from deepd3_ij.parameters import (
    AnalysisParameters,
    CleaningParameters,
    MeasureParameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    describe,
)
from deepd3_ij.service import calls
from deepd3_ij.service.dialogs import DIALOGS, dialog_of
from deepd3_ij.service.menu import command_of, menu_folder
from tests.scripts.script_header import read_header

SCRIPTS = sorted((menu_folder() / "scripts" / "Plugins" / "DeepD3").rglob("*.py"))
SHARED = sorted((menu_folder() / "jars" / "Lib").glob("*.py"))
SOURCES = sorted(script_folder().rglob("*.py"))
MACROS = sorted((menu_folder() / "macros").glob("*.ijm"))


def ask(command: str, **values: Any) -> dict[str, Any]:
    """What the service says about a dialog."""
    text = json.dumps({"verb": "dialog", "version": deepd3_ij.__version__, "values": {"command": command, **values}})
    return calls.call(text, {}).values


def a_text_for(item: dict[str, Any]) -> str:
    """What a user could type into a field."""
    if item["name"] == "region":
        return "10,8,40,30"
    if item["value"] in (None, ""):
        return "/somewhere/a.file" if item["path"] else "a" if item["low"] is None else f"{item['low']:g}"
    return str(item["value"]).lower() if item["type"] == "bool" else str(item["value"])


def test_every_script_has_its_dialog_and_every_dialog_its_script() -> None:
    assert sorted(command_of(path) for path in SCRIPTS) == sorted(DIALOGS)


def test_fiji_sorts_the_menu_in_the_order_of_the_work() -> None:
    top = menu_folder() / "scripts" / "Plugins" / "DeepD3"
    shown = sorted(path.name.removesuffix(".py").replace("_", " ") for path in top.iterdir())  # as Fiji does
    steps = [f"DeepD3 {number} " for number in range(1, 9)]
    assert shown[0] == "Analyze Dendrites and Spines..."
    assert [name[:len("DeepD3 1 ")] for name in shown[1:9]] == steps
    assert shown[9] == "DeepD3 Batch..."


@pytest.mark.parametrize("path", SCRIPTS, ids=command_of)
def test_the_name_of_a_command_is_no_other_plugins(path: Path) -> None:
    assert re.search("DeepD3|Spine|Dendrite|[23]D ROIs", command_of(path))


@pytest.mark.parametrize("path", SCRIPTS, ids=command_of)
def test_the_fields_of_a_script_are_those_of_its_dialog(path: Path) -> None:
    fields = [field for field in read_header(path) if field.name not in ("context", "image")]
    assert [field.name for field in fields] == [field.name for field in dialog_of(command_of(path)).fields()]
    for field in fields:
        # A text without a value: absent is not typed, SciJava shows no dialog of its own, nothing is remembered.
        assert field.type == "java.lang.CharSequence"
        assert (field.attributes["required"], field.attributes["persist"]) == ("false", "false")
        assert "value" not in field.attributes


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_names_no_field_itself(path: Path) -> None:
    header = {field.name: field.attributes for field in read_header(path)}
    assert set(header) <= {"context", "image"}
    if "image" in header:  # what SciJava remembers of an image is an empty one
        assert header["image"]["persist"] == "false"


@pytest.mark.parametrize("command", DIALOGS)
def test_no_two_fields_of_a_dialog_have_the_same_name_or_label(command: str) -> None:
    fields = list(dialog_of(command).fields())
    assert len({field.name for field in fields}) == len(fields)
    labels = [(field.section.title, field.info.label) for field in fields]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("command", DIALOGS)
def test_what_a_dialog_shows_can_be_typed_into_it(command: str) -> None:
    required = {field.name: "/somewhere/a.file" for field in dialog_of(command).fields() if field.info.required}
    shown = ask(command, typed=required)
    assert shown["state"] == "done", shown
    texts = {item["name"]: a_text_for(item) for item in shown["fields"]}
    typed = ask(command, typed=texts)
    assert typed["state"] == "done", typed
    for before, after in zip(shown["fields"], typed["fields"], strict=True):
        if before["value"] not in (None, ""):
            assert after["value"] == before["value"], before["name"]
        if before["name"] != "model" or command == "DeepD3 Settings...":
            assert after["origin"] == "typed", before["name"]
    steps = {(item["class"], item["parameter"]) for item in typed["fields"] if item["step"]}
    assert {(kind, name) for kind, values in typed["choices"].items() for name in values} == steps


@pytest.mark.parametrize(("command", "classes"), [
    ("Segment Dendrites and Spines...", [PredictionParameters]),
    ("Clean DeepD3 Prediction...", [CleaningParameters]),
    ("Build 2D ROIs...", [Roi2DParameters]),
    ("Build 3D ROIs...", [Roi3DParameters]),
    ("Measure Dendrites and Spines...", [MeasureParameters]),
    ("Export All DeepD3 Results...", [MeasureParameters]),
    ("Analyze Dendrites and Spines...", [AnalysisParameters, PredictionParameters, CleaningParameters, Roi3DParameters,
                                         Roi2DParameters, MeasureParameters]),
    ("DeepD3 Batch...", [AnalysisParameters, PredictionParameters, CleaningParameters, Roi3DParameters,
                         Roi2DParameters, MeasureParameters])])
def test_a_dialog_shows_every_parameter_of_its_steps(command: str, classes: list[Any]) -> None:
    shown = {(field.section.cls, field.info.name) for field in dialog_of(command).fields()}
    assert {(cls, info.name) for cls in classes for info in describe(cls)} <= shown


def test_a_dialog_tells_units_ranges_and_help() -> None:
    items = {item["name"]: item for item in ask("Build 3D ROIs...")["fields"]}
    distance = items["distance_um"]
    assert (distance["label"], distance["unit"]) == ("Distance to seed", "µm")
    assert (distance["low"], distance["high"]) == (0, 1000)
    assert distance["accepted"] == "a number from 0 to 1000 (um)"
    assert items["min_planes"]["unit"] == ""  # its label says it
    assert items["mode"]["choices"] == ["floodfill", "connected"]
    assert all(item["help"] for item in items.values())


def test_a_dialog_tells_which_fields_count_at_which_values_of_others() -> None:
    alone = {item["name"]: item["needs"] for item in ask("Build 3D ROIs...")["fields"]}
    assert alone["seed_delta"] == [["mode", ["floodfill"]]]
    assert alone["dilation"] == [["mode", ["connected"]]]
    assert alone["area_threshold"] == []
    whole = {item["name"]: item["needs"] for item in ask("Analyze Dendrites and Spines...")["fields"]}
    assert whole["seed_delta"] == [["roi_dimensions", ["3d"]], ["mode", ["floodfill"]]]
    assert whole["roi2d_mask_size_px"] == [["roi_dimensions", ["2d"]], ["roi2d_watershed", [True]]]
    assert whole["closing_iterations"] == [["cleaning", [True]], ["closing", [True]]]


@pytest.mark.parametrize("command", DIALOGS)
def test_fields_need_fields_of_their_own_dialog_and_values_that_these_accept(command: str) -> None:
    fields = {field.name: field.info for field in dialog_of(command).fields()}
    for field in dialog_of(command).fields():
        for name, values in field.needs:
            assert set(values) <= (set(fields[name].choices) or {True, False})


@pytest.mark.parametrize("command", DIALOGS)
def test_labels_are_words(command: str) -> None:
    for field in dialog_of(command).fields():
        assert not re.search(r"\b(Xy|XY|Z sigma|PSF|Min|Max|Swc|SWC)\b", field.info.label), field.info.label


@pytest.mark.parametrize(("texts", "told"), [
    ({"first_plane": "4", "last_plane": "2"}, "inverted"), ({"region": "1,2,3"}, "accepted: x,y,width,height")])
def test_planes_and_regions_that_cannot_be_are_told_before_the_work(texts: dict[str, str], told: str) -> None:
    assert told in ask("Segment Dendrites and Spines...", typed=texts)["message"]


def test_dialogs_with_a_preview_name_the_verb_that_runs() -> None:
    assert {command: dialog.preview for command, dialog in DIALOGS.items() if dialog.preview} == {
        "Clean DeepD3 Prediction...": "clean", "Build 2D ROIs...": "build_rois_2d", "Build 3D ROIs...": "build_rois_3d"}


def test_values_come_from_typing_then_the_live_test_then_the_model_then_the_default() -> None:
    recommended = {"Roi3DParameters": {"area_threshold": 0.4, "peak_threshold": 0.5, "seed_delta": 0.6}}
    reply = ask("Build 3D ROIs...", typed={"area_threshold": "0.25"},
                kept={"kept": {"Roi3DParameters": {"area_threshold": 0.1, "peak_threshold": 0.7}}},
                provenance=json.dumps({"model": {"recommended": recommended}}))
    values = {item["name"]: (item["value"], item["origin"]) for item in reply["fields"]}
    assert values["area_threshold"] == (0.25, "typed")  # also where it is the table's default
    assert values["peak_threshold"] == (0.7, "kept")
    assert values["seed_delta"] == (0.6, "recommended")
    assert values["distance_um"] == (2.0, "default")
    assert reply["choices"] == {"Roi3DParameters": {"area_threshold": 0.25}}


@pytest.mark.parametrize(("texts", "told"), [
    ({"min_voxels": "many"}, "min_voxels is 'many'"), ({"watershed": "maybe"}, "accepted: true or false"),
    ({"min_voxels": ""}, "min_voxels is ''"), ({"seed_delta": "50"}, "from 0 to 1"),
    ({"speed": "1"}, "no field 'speed'"), ({"min_voxels": "50", "max_voxels": "40"}, "at most max_voxels")])
def test_a_text_that_is_no_value_is_named(texts: dict[str, str], told: str) -> None:
    assert told in ask("Build 3D ROIs...", typed=texts)["message"]


def test_a_volume_of_the_model_counts_for_each_stack_of_a_batch() -> None:
    folders = {"source": "/a", "target": "/b"}
    shown = {item["name"]: item for item in ask("DeepD3 Batch...", typed=folders)["fields"]}
    smallest = shown["min_voxels"]  # the shipped model recommends a volume
    assert (smallest["value"], smallest["origin"], smallest["optional"]) == (None, "recommended", True)
    assert "µm³" in smallest["help"]
    left_empty = ask("DeepD3 Batch...", typed={**folders, "min_voxels": "", "seed_delta": "0.3"})
    assert left_empty["choices"]["Roi3DParameters"] == {"seed_delta": 0.3}
    given = ask("DeepD3 Batch...", typed={**folders, "min_voxels": "7"})
    assert given["choices"]["Roi3DParameters"] == {"min_voxels": 7}


def test_a_preset_fills_the_dialogs_and_a_macro_records_its_name_alone() -> None:
    recommended = {"Roi3DParameters": {"min_voxels": 50, "area_threshold": 0.4}}
    reply = ask("Build 3D ROIs...", typed={"preset": "sensitive", "area_threshold": "0.3"},
                provenance=json.dumps({"model": {"recommended": recommended}}))
    values = {item["name"]: (item["value"], item["origin"]) for item in reply["fields"]}
    assert (values["min_voxels"], values["split_prominence"]) == ((40, "preset"), (4.0, "preset"))
    assert reply["choices"] == {"Roi3DParameters": {"preset": "sensitive", "area_threshold": 0.3}}
    assert reply["follows"] == ["preset"]
    batch = ask("DeepD3 Batch...", typed={"source": "/a", "target": "/b", "preset": "sensitive"})
    smallest = next(item for item in batch["fields"] if item["name"] == "min_voxels")
    assert (smallest["value"], smallest["origin"]) == (None, "preset")
    assert "the preset's 0.576 µm³" in smallest["help"]


def test_a_file_that_is_needed_and_not_given_is_named() -> None:
    assert "Image file is empty; accepted: a file" in ask("Open DeepD3 Stack...", typed={"path": " "})["message"]


def test_a_dialog_is_told_without_loading_tensorflow_or_java() -> None:
    values = {"verb": "dialog", "version": deepd3_ij.__version__,
              "values": {"command": "Analyze Dendrites and Spines..."}}
    code = (f"import sys; from deepd3_ij.service import calls; print(calls.call({json.dumps(values)!r}, {{}})"
            ".values['state'], [m for m in ('tensorflow', 'jpype') if m in sys.modules])")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "done []"


def test_there_is_an_export_command_per_kind_of_output() -> None:
    scripts = {command_of(path): path.read_text(encoding="ascii") for path in SCRIPTS}
    for output in OUTPUTS.values():
        source = scripts[f"Export DeepD3 {output.title}..."]
        assert f'export(fiji, "{output.name}", {output.needs!r})' in source
        assert "KIND_" not in source


def test_names_and_colours_of_the_scripts_are_those_of_the_package() -> None:
    for module, name in ((names, "deepd3_names"), (colours, "deepd3_colours")):
        written: dict[str, Any] = {}
        exec((menu_folder() / "jars" / "Lib" / f"{name}.py").read_text(encoding="ascii"), written)
        constants = {key: value for key, value in vars(module).items()
                     if key.isupper() and isinstance(value, str | tuple)}
        assert constants
        assert {key: written[key] for key in constants} == constants
    assert list(map(list, written["DISTINCT"])) == colours.distinct_colours().tolist()


@pytest.mark.parametrize("path", [*SCRIPTS, *SHARED], ids=lambda path: path.stem)
def test_scripts_are_plain_ascii_without_an_encoding_line(path: Path) -> None:
    text = path.read_text(encoding="ascii")  # Java reads scripts in the platform's encoding
    assert not re.search(r"coding[:=]", "\n".join(text.splitlines()[:2]))


@pytest.mark.parametrize("path", SCRIPTS, ids=command_of)
def test_every_script_runs_its_command_through_the_shared_runner(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="ascii").splitlines() if line]
    assert lines[-1].startswith(f'run(globals(), "{command_of(path)}", ')
    assert "globals()" not in "\n".join(lines[:-1])


@pytest.mark.parametrize("macro", MACROS, ids=lambda path: path.stem)
def test_the_macros_name_commands_and_fields_that_there_are(macro: Path) -> None:
    found = re.findall(r'step\("([^"]+)", ([^;]*)\);', macro.read_text(encoding="ascii"))
    assert found
    for command, options in found:
        assert set(re.findall(r"(\w+)=", options)) <= {field.name for field in dialog_of(command).fields()}


def test_an_undefined_name_in_a_script_is_found(tmp_path: Path) -> None:
    shutil.copy(script_folder() / "ruff.toml", tmp_path)
    script = tmp_path / "script.py"

    def problems(text: str) -> str:
        script.write_text(text)
        return subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", str(script)], capture_output=True,
                              text=True, check=False).stdout

    assert "All checks passed" in problems('#@ Context context\n"""Nothing."""\n\nname = unicode("a")\n')
    assert "F821" in problems('"""Something."""\n\nname = unicod("a")\n')
    assert "F401" in problems('"""Something."""\n\nfrom ij import IJ\n')


def test_the_scripts_are_linted() -> None:
    run = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", str(script_folder())],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
