"""What a new parameter, output or menu command needs: one entry in its table; every interface follows."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import deepd3_ij
from deepd3_ij.cli.parser import build_parser
from deepd3_ij.outputs import registry
from deepd3_ij.outputs.registry import Output, Results, with_extras
from deepd3_ij.parameters import Parameters, Roi3DParameters, describe, parameter
from deepd3_ij.progress import Progress
from deepd3_ij.service import calls
from deepd3_ij.service.dialogs import DIALOGS, Section, add_dialog, dialog_of
from deepd3_ij.service.exchange import Reply
from deepd3_ij.service.menu import with_header
from deepd3_ij.service.registry import NOTHING_CHOSEN, VERBS, Choices, verb


def ask(name: str, **values: object) -> dict[str, object]:
    return calls.call(json.dumps({"verb": name, "version": deepd3_ij.__version__, "values": values}), {}).values


def test_every_parameter_of_the_table_is_an_option_a_field_of_a_dialog_and_a_name_for_macros() -> None:
    infos = describe(Roi3DParameters)
    options = {action.dest: action.option_strings for action in _parser("analyze")._actions}
    fields = {field.name for field in dialog_of("Build 3D ROIs...").fields()}
    for info in infos:
        assert info.option in options[info.name]
    assert {info.name for info in infos} == fields - {"corrections"}


def test_a_new_output_is_an_option_a_menu_command_and_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write(results: Results, folder: Path, stem: str) -> None:
        (folder / f"{stem}_count.txt").write_text("7", encoding="utf-8")

    count = Output("count", "Count", "Also the number of ROIs.", (), ("_count.txt",), write, option="--count")
    monkeypatch.setitem(registry.OUTPUTS, "count", count)
    arguments = build_parser().parse_args(["analyze", "a.tif", "--out", "o", "--count"])
    kinds = with_extras(arguments.outputs)
    assert "count" in kinds
    files = registry.write_outputs(Results(), tmp_path, "a", ("count",))
    assert [file.name for file in files] == ["a_count.txt"]
    assert files[0].read_text(encoding="utf-8") == "7"


def test_a_new_menu_command_is_a_verb_with_its_dialog_and_a_script() -> None:
    @dataclasses.dataclass(frozen=True)
    class CountParameters(Parameters):
        """How ROIs are counted."""

        least: int = parameter(3, "Smallest number.", low=0, high=9)

    add_dialog("Count ROIs...", Section(CountParameters))

    @verb("count_rois")
    def count(progress: Progress, *, choices: Choices = NOTHING_CHOSEN) -> Reply:
        return Reply({"least": choices.resolve(CountParameters).parameters.least})

    try:
        header = with_header("#@ Context context\nwork()", dialog_of("Count ROIs..."))
        assert header.splitlines()[1].endswith(" least")
        (field,) = ask("dialog", command="Count ROIs...")["fields"]
        assert (field["name"], field["value"], field["origin"]) == ("least", 3, "default")
        assert ask("count_rois", choices={"typed": {"CountParameters": {"least": 5}}})["least"] == 5
        refused = ask("count_rois", choices={"typed": {"CountParameters": {"least": 12}}})
        assert refused["state"] == "failed"
        assert "least is 12; accepted: a whole number from 0 to 9" in str(refused["message"])
    finally:
        del DIALOGS["Count ROIs..."], VERBS["count_rois"]


def _parser(command: str):  # type: ignore[no-untyped-def]  # argparse names no type for it
    (commands,) = (action for action in build_parser()._actions if action.dest == "==SUPPRESS==")
    return commands.choices[command]
