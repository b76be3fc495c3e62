"""The tables of the docs say what the programs do."""

from __future__ import annotations

import argparse
import ast
import math
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from deepd3_ij.cli import original_batch
from deepd3_ij.cli.options import typed_values
from deepd3_ij.cli.parser import build_parser
from deepd3_ij.measurement.columns import DENDRITE_COLUMNS
from deepd3_ij.measurement.columns import spine_columns as measure_columns
from deepd3_ij.model.card import read_card
from deepd3_ij.model.zoo import find_model
from deepd3_ij.outputs.registry import OUTPUTS
from deepd3_ij.parameters import (
    EvaluationParameters,
    MeasureParameters,
    Parameters,
    SeriesParameters,
    SimulationParameters,
    TimelapseParameters,
    TimeSeriesParameters,
    TrainingDataParameters,
    TrainingParameters,
    describe,
    resolve,
    table,
)
from deepd3_ij.pipeline import STEPS
from deepd3_ij.service import programs
from deepd3_ij.service.dialogs import DIALOGS

CLASSES: dict[str, tuple[type[Parameters], ...]] = {
    "deepd3-ij analyze": STEPS,
    "deepd3-ij batch": STEPS,
    "deepd3-ij evaluate": (EvaluationParameters,),
    "deepd3-ij simulate": (SeriesParameters, TimeSeriesParameters, SimulationParameters),
    "deepd3-ij timelapse": (TimelapseParameters, *STEPS),
    "deepd3-ij data create": (TrainingDataParameters,),
    "deepd3-ij train": (TrainingParameters,),
}
VOXEL_UM = (0.5, 0.1, 0.1)


class Row(NamedTuple):
    """A row of the page: names of an option (none for an argument), its default, and what the model recommends."""

    names: tuple[str, ...]
    default: str
    recommended: str


@pytest.fixture(scope="module")
def page(generated_pages: ModuleType) -> dict[str, list[Row]]:
    """The page of commands as a reader sees it: rows by command."""
    sections = re.split(r"^## (.*)\n", generated_pages.command_line(), flags=re.MULTILINE)[1:]
    return {name: list(_rows(text)) for name, text in zip(sections[::2], sections[1::2], strict=True)}


def _rows(text: str) -> Iterator[Row]:
    for line in re.findall(r"^\| (`.*) \|$", text, re.MULTILINE):
        written, stated, _ = re.split(r" (?<!\\)\| ", line, maxsplit=2)
        default, _, recommended = stated.replace("\\*", "*").partition(" (bundled model: ")
        yield Row(tuple(re.findall(r"`(--?[\w-]+)`", written)), default, recommended.removesuffix(")"))


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Every command with the parser that runs it."""
    found = {parser.prog: parser for parser in (
        original_batch.build_parser(), programs.inference_parser(), programs.training_parser())}
    waiting = [build_parser()]
    while waiting:
        parser = waiting.pop()
        branches = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        waiting += [child for branch in branches for child in branch.choices.values()]
        if not branches:
            found.setdefault(parser.prog, parser)
    return found


def value_for(action: argparse.Action) -> list[str]:
    if action.nargs == 0:
        return []
    if action.choices:
        return [str(next(iter(action.choices)))]
    return [{"z_range": "1:2", "region": "0,0,1,1", "shard": "1/2"}.get(action.dest, "1")]


def needed_by(parser: argparse.ArgumentParser) -> list[str]:
    """The shortest line that a command accepts."""
    line: list[str] = []
    for action in parser._actions:
        if action.required and action.option_strings:
            line += [action.option_strings[0], *value_for(action)]
        elif not action.option_strings and action.nargs not in ("?", "*"):
            line.append("1")
    return line


def test_every_command_has_a_section(page: dict[str, list[Row]]) -> None:
    assert set(page) == set(parsers())


def test_every_option_that_the_page_names_is_accepted_by_its_command(page: dict[str, list[Row]]) -> None:
    for command, parser in parsers().items():
        actions = {name: action for action in parser._actions for name in action.option_strings}
        for name in [name for row in page[command] for name in row.names]:
            assert name in actions, f"{command} has no {name}"
            parser.parse_args([*needed_by(parser), name, *value_for(actions[name])])


def test_the_page_names_every_option_but_help(page: dict[str, list[Row]]) -> None:
    for command, parser in parsers().items():
        options = {name for action in parser._actions for name in action.option_strings}
        assert {name for row in page[command] for name in row.names} == options - {"-h", "--help"}


def test_the_page_says_which_options_are_needed(page: dict[str, list[Row]]) -> None:
    for command, parser in parsers().items():
        needed = {action.option_strings[0] for action in parser._actions if action.required and action.option_strings}
        assert {row.names[0] for row in page[command] if row.default == "needed"} == needed


@pytest.mark.parametrize("command", CLASSES)
def test_a_run_without_options_uses_the_defaults_and_recommendations_of_the_page(
    command: str, page: dict[str, list[Row]]
) -> None:
    parser = parsers()[command]
    rows = {name: row for row in page[command] for name in row.names}
    arguments = parser.parse_args(needed_by(parser))
    card = read_card(find_model())
    compared = 0
    for cls in CLASSES[command]:
        typed = typed_values(cls, arguments)
        plain = resolve(cls, typed).parameters
        with_model = resolve(cls, typed, recommended=card.recommended, voxel_size_um=VOXEL_UM).parameters
        for info in describe(cls):
            row = rows[info.option]
            assert same(row.default, getattr(plain, info.name)), info.name
            if cls in STEPS:
                assert same(row.recommended or row.default, getattr(with_model, info.name)), info.name
            compared += 1
    assert compared


def same(text: str, value: Any) -> bool:
    """Whether a cell of the page means a value."""
    if value is None or isinstance(value, bool):
        return text == {None: "none", True: "on", False: "off"}[value]
    if isinstance(value, str):
        return text == value
    number, _, unit = text.partition(" ")
    if unit == "µm³":
        return value == max(1, round(float(number) / math.prod(VOXEL_UM)))
    return float(number) == value


def test_other_options_have_the_default_of_the_page(page: dict[str, list[Row]]) -> None:
    names = {info.name for classes in CLASSES.values() for cls in classes for info in describe(cls)}
    for command, parser in parsers().items():
        arguments = vars(parser.parse_args(needed_by(parser)))
        for row in page[command]:
            action = next((each for each in parser._actions if set(row.names) & set(each.option_strings)), None)
            if action is None or action.dest in names or action.required or arguments[action.dest] is None:
                continue
            value = arguments[action.dest]
            assert same(row.default, bool(value) if value == [] else value), f"{command} {row.names}"


def test_python_parameters_have_the_defaults_of_the_page(generated_pages: ModuleType) -> None:
    sections = re.split(r"^## (.*)\n", generated_pages.python_parameters(), flags=re.MULTILINE)[1:]
    for name, text in zip(sections[::2], sections[1::2], strict=True):
        parameters = getattr(table, name)()
        defaults = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", text, re.MULTILINE))
        assert {key: ast.literal_eval(value) for key, value in defaults.items()} == parameters.to_dict()


def test_the_page_of_the_menu_lists_every_command_with_what_it_does(generated_pages: ModuleType) -> None:
    rows = re.findall(r"^\| (.*) \| (.*) \| (.+) \|$", generated_pages.fiji_menu(), re.MULTILINE)[2:]
    assert {command.replace("…", "...") for _, command, _ in rows} == set(DIALOGS)
    assert all(about.endswith(".") for _, _, about in rows)


def test_the_page_of_dialogs_names_every_field(generated_pages: ModuleType) -> None:
    sections = re.split(r"^## (.*)\n", generated_pages.fiji_dialogs(), flags=re.MULTILINE)[1:]
    named = {title.replace("…", "..."): set(re.findall(r"^\| [^|]* \| `(\w+)`", text, re.MULTILINE))
             for title, text in zip(sections[::2], sections[1::2], strict=True)}
    assert named == {command: {field.name for field in dialog.fields()} for command, dialog in DIALOGS.items()
                     if list(dialog.fields())}


def test_the_page_of_files_lists_every_kind_of_result(generated_pages: ModuleType) -> None:
    text = generated_pages.outputs()
    for output in OUTPUTS.values():
        assert output.option in text
        assert all(f"`neuron{ending}" in text for ending in output.endings)


def test_the_model_card_tells_how_far_confidences_hold(generated_pages: ModuleType) -> None:
    bins, stacks = generated_pages.reliability().split("\n\n</div>\n\n")
    counts = [int(count) for count in re.findall(r"^\| \d\.\d to \d\.\d \| (\d+) \|", bins, re.MULTILINE)]
    (everything,) = re.findall(r"^\| all \| (\d+) \|", stacks, re.MULTILINE)
    assert sum(counts) == int(everything)


def test_an_unknown_mark_on_a_page_is_an_error(generated_pages: ModuleType) -> None:
    with pytest.raises(KeyError, match="no-such-table"):
        generated_pages.on_page_markdown("# Page\n\n<!-- generated: no-such-table -->\n")


def test_the_page_of_columns_has_every_column_of_every_table(generated_pages: ModuleType) -> None:
    measured = measure_columns(MeasureParameters(spine_classes=True), with_image=True)
    page = generated_pages.columns()
    for name in [*measured, *DENDRITE_COLUMNS]:
        assert f"| `{name}` |" in page
