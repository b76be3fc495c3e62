"""Fills the marked places of the pages when MkDocs builds the site, so that no table is written by hand.

A page has a line ``<!-- generated: NAME -->`` where the text of that name in ``GENERATED`` shall stand.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepd3_ij.cli import original_batch
from deepd3_ij.cli.options import describe_value
from deepd3_ij.cli.parser import build_parser
from deepd3_ij.measurement.columns import (
    CLASS_COLUMNS,
    CONFIDENCE_COLUMNS,
    DENDRITE_COLUMNS,
    INTENSITY_COLUMNS,
    REVIEW_COLUMNS,
    SHAPE_COLUMNS,
    SPINE_COLUMNS,
    Column,
    described,
)
from deepd3_ij.model.card import read_card
from deepd3_ij.model.zoo import find_model
from deepd3_ij.outputs.registry import OUTPUTS
from deepd3_ij.outputs.timelapse_files import TIMELAPSE_OUTPUTS
from deepd3_ij.parameters import DialogParameters, ParameterInfo, Parameters, describe, table
from deepd3_ij.parameters.fields import accepted_values
from deepd3_ij.service import programs
from deepd3_ij.service.dialogs import DIALOGS
from deepd3_ij.service.menu import command_of, menu_files

ROOT = Path(__file__).resolve().parents[1]
MARK = re.compile(r"^<!-- generated: ([\w-]+)(?: ([\w.]+))? -->$", re.MULTILINE)
PARAMETER_CLASSES = [cls for cls in vars(table).values() if isinstance(cls, type) and issubclass(cls, Parameters)
                     and cls is not Parameters and not issubclass(cls, DialogParameters)]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the generated texts in their places; MkDocs calls this for every page."""
    return MARK.sub(lambda mark: GENERATED[mark[1]](*filter(None, [mark[2]])), markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Leave out the roles of Sphinx before names in docstrings, which mkdocstrings shows as they are."""
    return re.sub(r":(?:attr|class|data|exc|func|meth|mod):(?=<code)", "", html)


# Command line


@dataclass(frozen=True)
class Option:
    """An option or argument of a command: its names and the value they take, its default, and what it means."""

    names: tuple[str, ...]
    value: str
    default: str
    meaning: str

    def row(self) -> tuple[str, str, str]:
        """Cells of a table; choices are apart from each other, so that a narrow table can break between them."""
        names = ", ".join(f"`{name}`" for name in self.names)
        value = " | ".join(f"`{choice}`" for choice in self.value.split("|") if choice)
        return f"{names} {value}".strip(), self.default, self.meaning


@dataclass(frozen=True)
class Command:
    """A command, with its options by title of their group."""

    name: str
    about: str
    usage: str
    options: dict[str, list[Option]]


def commands() -> list[Command]:
    """Every command of ``deepd3-ij``, taken from its parser, and those that have a parser of their own."""
    own = [original_batch.build_parser(), programs.inference_parser(), programs.training_parser()]
    found = [*leaf_parsers(build_parser(), besides={parser.prog for parser in own}), *own]
    return [_command(parser) for parser in found]


def leaf_parsers(parser: argparse.ArgumentParser, besides: Iterable[str] = ()) -> Iterator[argparse.ArgumentParser]:
    """The parsers at the ends of a tree of subcommands, without those of some names."""
    branches = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not branches and parser.prog not in besides:
        yield parser
    for branch in branches:
        for child in branch.choices.values():
            yield from leaf_parsers(child, besides)


def command_line() -> str:
    """A section for each command with a table for each group of its options."""
    parts = []
    for command in commands():
        parts += [f"## {command.name}", command.about, f"```\n{command.usage}\n```"]
        for title, options in command.options.items():
            parts.append(_table((title, "default", "meaning"), [option.row() for option in options]))
    return "\n\n".join(parts)


def _command(parser: argparse.ArgumentParser) -> Command:
    actions = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    needed = [_needed(action) for action in actions if action.required or not action.option_strings]
    optional = any(action.option_strings and not action.required for action in actions)
    groups = {}
    for group in parser._action_groups:
        options = [_option(action) for action in group._group_actions if action in actions]
        if options:
            title = {"positional arguments": "arguments"}.get(group.title or "", group.title or "")
            groups[title] = options
    usage = " ".join([parser.prog, *needed, *(["[options]"] if optional else [])])
    return Command(parser.prog, parser.description or "", usage, groups)


def _needed(action: argparse.Action) -> str:
    written = " ".join(filter(None, [*action.option_strings[:1], _value(action)]))
    return {"?": f"[{written}]", "*": f"[{written} …]", "+": f"{written} …"}.get(str(action.nargs), written)


def _option(action: argparse.Action) -> Option:
    meaning, _, stated = (action.help or "").replace("%%", "%").partition("Default:")
    default = stated.strip().removesuffix(".") or _default(action)
    recommended = recommended_values().get(action.dest) if action.default is None else None
    if recommended and default != recommended:
        default = f"{default} (bundled model: {recommended})"
    return Option(tuple(action.option_strings), _value(action), default, meaning.strip())


def _default(action: argparse.Action) -> str:
    if not action.option_strings:
        return ""
    if action.required:
        return "needed"
    if action.nargs == 0 or action.default == []:
        return "off"
    return "none" if action.default is None else str(action.default)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    return str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest)


# Parameters


def recommended_values() -> dict[str, str]:
    """What the card of the bundled model recommends, as text by name of the parameter."""
    recommended = read_card(find_model()).recommended
    infos = {info.name: info for cls in PARAMETER_CLASSES if cls.__name__ in recommended for info in describe(cls)}
    values = {name: value for part in recommended.values() if isinstance(part, dict) for name, value in part.items()}
    texts = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()}
    texts = {name: f"{text} {_unit(infos[name])}".strip() for name, text in texts.items()}
    volumes = {f"{end}_voxels": recommended.get(f"{end}_volume_um3") for end in ("min", "max")}
    return texts | {name: f"{volume:g} µm³" for name, volume in volumes.items() if volume is not None}


def recommendation() -> str:
    """What the bundled model recommends, as a table."""
    infos = {info.name: info for cls in PARAMETER_CLASSES for info in describe(cls)}
    return _table(("Python", "command line", "recommended"),
                  [(f"`{name}`", f"`{infos[name].option}`", text) for name, text in recommended_values().items()])


def python_parameters() -> str:
    """A table for each parameter class."""
    parts = []
    for cls in PARAMETER_CLASSES:
        rows = [(f"`{info.name}`", f"`{info.default!r}`", accepted(info), info.help) for info in describe(cls)]
        parts += [f"## {cls.__name__}", (cls.__doc__ or "").strip(),
                  _table(("name", "default", "accepted", "meaning"), rows)]
    return "\n\n".join(parts)


def accepted(info: ParameterInfo) -> str:
    """Which values a parameter takes, with their unit."""
    if info.type is bool:
        text = "`True`, `False`"
    elif info.choices:
        text = ", ".join(f"`{choice!r}`" for choice in info.choices)
    elif info.low is not None and info.high is not None:
        text = f"{_number(info.low)} to {_number(info.high)} {_unit(info)}".strip()
    else:
        text = {int: "a whole number", float: "a number", str: "a text"}[info.type]
    return f"{text}, or `None`" if info.optional else text


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:g}"


def _unit(info: ParameterInfo) -> str:
    return re.sub(r"\bum\b", "µm", info.unit)


# Tables


COLUMN_GROUPS: Mapping[str, Mapping[str, Column]] = {
    "Spines: always": SPINE_COLUMNS, "Spines: with an image": INTENSITY_COLUMNS,
    "Spines: if shapes are measured": SHAPE_COLUMNS, "Spines: confidence": CONFIDENCE_COLUMNS,
    "Spines: if some were reviewed in Fiji": REVIEW_COLUMNS,
    "Spines: if classes are asked for": CLASS_COLUMNS, "Dendrites": DENDRITE_COLUMNS}


def columns() -> str:
    """Columns of the tables of spines and dendrites."""
    kind_names = {"float64": "number", "int64": "whole number", "object": "text"}
    parts = []
    for title, group in COLUMN_GROUPS.items():
        rows = [(f"`{name}`", kind_names[group[name].kind], meaning, also) for name, meaning, also in described(group)]
        parts += [f"## {title}", _table(("column", "type", "meaning", "elsewhere called"), rows)]
    return "\n\n".join(parts)


# Fiji


def fiji_menu() -> str:
    """Every command of the menu in its order, from the scripts themselves."""
    top = Path("scripts") / "Plugins" / "DeepD3"
    scripts = {path.relative_to(top): text for path, text in menu_files() if path.is_relative_to(top)}
    rows = []
    for path in sorted(scripts, key=lambda path: (len(path.parts) == 1, path)):
        about = ast.get_docstring(ast.parse(scripts[path])) or ""
        submenu = path.parent.name.replace("_", " ")
        rows.append((submenu, command_of(path).replace("...", "…"), about.splitlines()[0]))
    return _table(("menu", "command", "what it does"), rows)


def fiji_dialogs() -> str:
    """The fields of every dialog, with the headings and the order that they have there."""
    parts = []
    for dialog in DIALOGS.values():
        tables: dict[str, list[tuple[str, ...]]] = {}
        for field in dialog.fields():
            name = f"`{field.name}`{' (advanced)' if field.advanced else ''}"
            taken = accepted_values(field.info).replace("(um)", "(µm)")
            tables.setdefault(field.section.title, []).append(
                (field.info.label, name, _default_in_words(field.info), taken, field.info.help))
        if tables:
            parts.append(f"## {dialog.command.replace('...', '…')}")
        parts += [_table((title or "field", "in macros", "default", "accepted", "meaning"), rows)
                  for title, rows in tables.items()]
    return "\n\n".join(parts)


def _default_in_words(info: ParameterInfo) -> str:
    if info.required:
        return "needed"
    value = describe_value(info)
    recommended = recommended_values().get(info.name)
    return f"{value} (bundled model: {recommended})" if recommended and recommended != value else value


def reliability() -> str:
    """How well the bundled model's confidence holds on stacks that it was not fitted to, as tables."""
    scores = read_card(find_model()).scores["confidence"]
    bins = [(f"{row['low']:.1f} to {row['high']:.1f}", str(row["count"]), f"{row['confidence']:.2f}",
             f"{row['spines']:.2f}") for row in scores["held_out"]["rows"]]
    parts = {"all": scores["held_out"], "all, within the recommended limits": scores["recommended"], **scores["stacks"]}
    figures = [(name, str(part["count"]), f"{part['error']:.3f}", f"{part['chance']:.3f}", f"{part['worse']:.0%}",
                f"{part['brier']:.3f}", f"{part['area']:.3f}") for name, part in parts.items()]
    return "\n\n".join((
        _table(("confidence", "ROIs", "mean confidence", "share that are spines"), bins),
        _table(("stacks", "ROIs", "expected calibration error", "the same if exact", "exact ones are worse",
                "Brier score", "area under the curve"), figures)))


# Results, Python names, notebook


def outputs() -> str:
    """Kinds of files that a result becomes."""
    rows = [(", ".join(f"`neuron{ending}{'/' * output.is_folder}`" for ending in output.endings),
             f"`{written}`" if (written := output.option or " ".join(output.choice).strip()) else "always", output.help)
            for output in OUTPUTS.values()]
    return _table(("file", "written", "what it is"), rows)


def timelapse_outputs() -> str:
    """Files of followed spines."""
    return _table(("file", "what it is"),
                  [(f"`timelapse{output.ending}`", output.help) for output in TIMELAPSE_OUTPUTS])


def public_names(module: str) -> str:
    """A mkdocstrings entry for each public name of a module."""
    names = [name for name in importlib.import_module(module).__all__ if not name.startswith("_")]
    return "\n\n".join(f"::: {module}.{name}" for name in sorted(names, key=lambda name: (name[0].isupper(), name)))


def notebook() -> str:
    """The training notebook as text and code, without its title."""
    cells = json.loads((ROOT / "examples" / "train_your_own_model.ipynb").read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return re.sub(r"\A# .*\n", "", "\n\n".join(parts))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    text = "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)
    return f'<div class="wide" markdown>\n\n{text}\n\n</div>'  # names in it stay on one line: docs/site.css


def _cell(text: str) -> str:
    # A bar between backticks does not end a cell; ** would begin bold text.
    parts = re.split(r"(`[^`]*`)", text.replace("\n", " "))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|").replace("*", "\\*") for part in parts)


GENERATED: dict[str, Callable[..., str]] = {
    "api": public_names,
    "columns": columns,
    "command-line": command_line,
    "fiji-dialogs": fiji_dialogs,
    "fiji-menu": fiji_menu,
    "notebook": notebook,
    "outputs": outputs,
    "parameters": python_parameters,
    "recommendation": recommendation,
    "reliability": reliability,
    "timelapse-outputs": timelapse_outputs,
}
"""Makers of texts, by the name in a page's mark; what follows the name is their argument."""
