from __future__ import annotations

import argparse
import importlib

import pytest

from deepd3_ij.cli.options import describe_value, typed_parameters
from deepd3_ij.cli.parser import build_parser
from deepd3_ij.parameters import (
    CleaningParameters,
    EvaluationParameters,
    MeasureParameters,
    ParameterInfo,
    Parameters,
    PredictionParameters,
    Roi2DParameters,
    Roi3DParameters,
    describe,
)

ANALYSIS = (PredictionParameters, CleaningParameters, Roi3DParameters, Roi2DParameters, MeasureParameters)
CLASSES: dict[str, tuple[type[Parameters], ...]] = {
    "analyze": ANALYSIS,
    "batch": ANALYSIS,
    "segment": (PredictionParameters,),
    "clean": (CleaningParameters,),
    "rois": (Roi3DParameters, Roi2DParameters, MeasureParameters),
    "measure": (MeasureParameters,),
    "evaluate": (EvaluationParameters,),
}
PLACES = {"analyze": ["s.tif", "--out", "o"], "rois": ["--out", "o"], "clean": ["--out", "o"]}


def _command(name: str) -> argparse.ArgumentParser:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            parser = action.choices[name]
            assert isinstance(parser, argparse.ArgumentParser)
            return parser
    raise AssertionError(name)


def _parameters() -> list[tuple[str, ParameterInfo]]:
    return [(name, info) for name, classes in CLASSES.items() for cls in classes for info in describe(cls)]


@pytest.fixture(scope="module")
def commands() -> dict[str, argparse.ArgumentParser]:
    return {name: _command(name) for name in CLASSES}


def test_every_parameter_has_exactly_one_option_with_its_default_in_the_help(
        commands: dict[str, argparse.ArgumentParser]) -> None:
    for command, info in _parameters():
        options = [action for action in commands[command]._actions if action.dest == info.name]
        if len(options) != 1:
            pytest.fail(f"{command}: {len(options)} options for {info.name}")
        (option,) = options
        assert info.option in option.option_strings
        assert option.default is None  # so that a model's recommendation can take its place
        assert describe_value(info) in str(option.help)


def test_every_command_finds_the_function_that_runs_it() -> None:
    handlers = [parser.get_default("handler") for parser in leaves(build_parser()) if parser.get_default("handler")]
    assert len(handlers) > 15
    for handler in handlers:
        module, function = handler.split(":")
        assert callable(getattr(importlib.import_module(f"deepd3_ij.cli.{module}"), function))


def leaves(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """A parser and all parsers of its commands."""
    below = [child for action in parser._actions if isinstance(action, argparse._SubParsersAction)
             for child in action.choices.values()]
    return [parser, *(leaf for child in below for leaf in leaves(child))]


def test_options_of_a_command_are_all_different(commands: dict[str, argparse.ArgumentParser]) -> None:
    for parser in commands.values():
        names = [name for action in parser._actions for name in action.option_strings]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(("command", "line", "cls", "name", "value"), [
    ("analyze", "--tile 64", PredictionParameters, "tile_px", 64),
    ("analyze", "--inset 48", PredictionParameters, "inset_px", 48),
    ("analyze", "--no-closing", CleaningParameters, "closing", False),
    ("analyze", "--closing-iterations 2", CleaningParameters, "closing_iterations", 2),
    ("analyze", "--spine-distance-um 1.5", CleaningParameters, "spine_distance_um", 1.5),
    ("analyze", "--min-dendrite-voxels 50", CleaningParameters, "min_dendrite_voxels", 50),
    ("rois", "--mode connected", Roi3DParameters, "mode", "connected"),
    ("rois", "--distance-um 1", Roi3DParameters, "distance_um", 1.0),
    ("rois", "--watershed", Roi3DParameters, "watershed", True),
    ("rois", "--rois 2d --spine-threshold 0.5", Roi2DParameters, "spine_threshold", 0.5),
    ("rois", "--rois 2d --max-dendrite-distance-px 7", Roi2DParameters, "max_dendrite_distance_px", 7),
])
def test_what_is_typed_reaches_the_parameters(command: str, line: str, cls: type[Parameters], name: str,
                                              value: object) -> None:
    arguments = build_parser().parse_args([command, *PLACES[command], *line.split()])
    assert getattr(typed_parameters(cls, arguments), name) == value


@pytest.mark.parametrize("command", [
    ["demo"], ["analyze", "s.tif"], ["segment", "s.tif"], ["data", "arrange", "a.d3data"], ["train", "a.d3set"],
], ids=lambda command: command[0])
def test_an_empty_output_name_is_a_usage_error_of_one_line(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args([*command, "--out", ""])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "argument --out: the name is empty; give a file or folder, or . for this folder." in said
    assert said.count("\n") == 1
