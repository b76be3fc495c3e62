"""The dialogs of the Fiji scripts show what the parameter classes say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deepd3_ij.fiji.scripts import script_folder
from deepd3_ij.model.zoo import ZOO_NAMES, available
from deepd3_ij.parameters import (
    CleaningParameters,
    EvaluationParameters,
    MeasureParameters,
    ParameterInfo,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    SeriesParameters,
    SimulationParameters,
    TrainingDataParameters,
    TrainingParameters,
    describe,
)
from tests.scripts.script_header import ScriptParameter, read_header

SCRIPTS = sorted((script_folder() / "scripts" / "Plugins" / "DeepD3").rglob("*.py"))
SHARED = sorted((script_folder() / "jars" / "Lib").glob("*.py"))
CLASSES: dict[str, list[type[Parameters]]] = {
    "Segment_Dendrites_and_Spines....py": [PredictionParameters],
    "Clean_Predictions....py": [CleaningParameters],
    "Build_2D_ROIs....py": [Roi2DParameters],
    "Build_3D_ROIs....py": [Roi3DParameters],
    "Measure_Spines....py": [MeasureParameters],
    "Export_Tables....py": [MeasureParameters],
    "Export_All_Results....py": [MeasureParameters],
    "Analyze_Dendrites_and_Spines....py": [PredictionParameters, CleaningParameters, Roi3DParameters],
    "Batch_Folder....py": [PredictionParameters, CleaningParameters, Roi3DParameters],
    "Simulate_Stack....py": [SimulationParameters, SeriesParameters],
    "Train_Model....py": [TrainingParameters],
    "Evaluate_Spines....py": [EvaluationParameters],
    "Create_Training_Data....py": [TrainingDataParameters],
}
BOTH_KINDS = ["Analyze_Dendrites_and_Spines....py", "Batch_Folder....py"]
"""Dialogs with the fields of 3-D and of 2-D ROIs; the latter have a prefix."""
PREFIX_2D = "roi2d_"
COUNTED_FROM_1 = {"z_begin", "z_end"}
"""Planes: a dialog has first_plane and last_plane instead."""
TYPES = {int: "Integer", float: "Double", bool: "Boolean", str: "String"}


def script(name: str) -> Path:
    return next(path for path in SCRIPTS if path.name == name)


def expected_label(info: ParameterInfo) -> str:
    unit = info.unit.replace("um", "micron")
    label = info.label.removesuffix(" um").removesuffix(" px")
    return f"{label} ({unit})" if unit and not label.endswith(unit) else label


def compared(name: str) -> list[tuple[ScriptParameter, ParameterInfo, str]]:
    """Fields of a dialog with their parameters and what comes before their label."""
    infos = {info.name: (info, "3D: " if name in BOTH_KINDS and cls is Roi3DParameters else "")
             for cls in CLASSES[name] for info in describe(cls)}
    if name in BOTH_KINDS:
        infos.update({PREFIX_2D + info.name: (info, "2D: ") for info in describe(Roi2DParameters)})
    return [(field, *infos[field.name]) for field in read_header(script(name)) if field.name in infos]


@pytest.mark.parametrize("name", CLASSES)
def test_a_dialog_has_the_defaults_ranges_labels_and_units_of_the_parameters(name: str) -> None:
    fields = compared(name)
    assert fields
    for field, info, kind in fields:
        given = field.attributes
        assert field.type == TYPES[info.type], field.name
        if info.optional:  # 0 stands for none
            assert given["value"] == given["min"] == "0"
            assert "0: " in given["label"]
            assert float(given["max"]) == info.high
            continue
        assert given["label"] == kind + expected_label(info)
        assert field.choices == info.choices
        if info.type in (int, float):
            assert float(given["value"]) == info.default, field.name
            assert (float(given["min"]), float(given["max"])) == (info.low, info.high), field.name
        elif info.type is bool:
            assert given["value"] == str(info.default).lower(), field.name
        else:
            assert given["value"] == info.default, field.name


@pytest.mark.parametrize("name", [*sorted(set(CLASSES) - set(BOTH_KINDS))])
def test_a_dialog_shows_every_parameter_that_always_has_a_value(name: str) -> None:
    shown = {field.name for field in read_header(script(name))}
    needed = {info.name for cls in CLASSES[name] for info in describe(cls) if not info.optional}
    assert needed - COUNTED_FROM_1 <= shown


@pytest.mark.parametrize("name", BOTH_KINDS)
def test_a_dialog_for_both_kinds_of_rois_shows_every_field_of_both(name: str) -> None:
    shown = {field.name for field in read_header(script(name))}
    assert {info.name for info in describe(Roi3DParameters)} <= shown
    assert {PREFIX_2D + info.name for info in describe(Roi2DParameters)} <= shown


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_values_are_remembered_per_script_or_not_at_all(path: Path) -> None:
    for field in read_header(path):
        if field.type in ("Context", "ImagePlus"):
            continue
        assert field.attributes.get("persist") == "false" or field.attributes["persistKey"].startswith("deepd3."), \
            field.name


def test_a_remembered_value_belongs_to_parameters_of_one_kind() -> None:
    kinds: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    for path in SCRIPTS:
        for field in read_header(path):
            if "persistKey" in field.attributes:
                kinds.setdefault(field.attributes["persistKey"], set()).add((field.type, field.choices))
    assert all(len(kind) == 1 for kind in kinds.values())


def test_the_model_list_names_the_bundled_models_and_those_of_the_zoo() -> None:
    names = {"default", *ZOO_NAMES, *(entry.name for entry in available() if entry.origin == "bundled")}
    fields = [field for path in SCRIPTS for field in read_header(path) if field.name == "model" and field.choices]
    assert len(fields) == 3
    assert all(set(field.choices) == names for field in fields)


def test_no_two_commands_have_the_same_name() -> None:
    names = [path.name for path in SCRIPTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", [*SCRIPTS, *SHARED], ids=lambda path: path.stem)
def test_scripts_are_plain_ascii_without_an_encoding_line(path: Path) -> None:
    text = path.read_text(encoding="ascii")  # Java reads scripts in the platform's encoding
    assert not re.search(r"coding[:=]", "\n".join(text.splitlines()[:2]))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_starts_its_work_through_the_shared_runner(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="ascii").splitlines() if line]
    assert re.fullmatch(r'deepd3\.run\(context, "[^"]+", \w+\)', lines[-1])


def test_the_macros_name_every_field_with_its_default_so_that_fiji_asks_for_none() -> None:
    for macro in (script_folder() / "macros").glob("*.ijm"):
        text = re.sub(r'" \+\s*"', "", macro.read_text(encoding="ascii"))
        variables = dict(re.findall(r'^var (\w+) = "([^"]*)";', text, re.MULTILINE))
        calls = re.findall(r'step\("([^"]+)", ([^;]+)\);', text)
        assert calls
        for command, options in calls:
            given = " ".join(variables.get(part.strip(), part.strip('" ')) for part in options.split(" + "))
            fields = [field for field in read_header(script(command.replace(" ", "_") + ".py"))
                      if field.type not in ("Context", "ImagePlus")]
            for field in fields:
                value = re.search(rf"\b{field.name}=(\[[^\]]*\]?|\S+)", given)
                assert value, f"{macro.name}: {command} {field.name}"
                if options in variables:
                    assert value[1].strip("[]") == field.attributes.get("value", "").strip('"'), field.name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_an_optional_file_is_asked_for_as_text(path: Path) -> None:
    # Fiji opens a file chooser, and cancels without windows, if a file is all that a macro left out; an empty text
    # is recorded and does not ask.
    for field in read_header(path):
        if field.attributes.get("required") == "false" and field.type != "ImagePlus":
            assert (field.type, field.attributes.get("value", "")) == ("String", ""), field.name
