"""Settings of single stacks: from the file of a run, by pattern, and from a table, by name.

What was typed on the command line counts most, then a row of the table, then the last pattern that fits, then the
settings of the whole batch.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from deepd3_ij.batch.items import BatchItem
from deepd3_ij.batch.settings import BatchSettings
from deepd3_ij.errors import ParameterError
from deepd3_ij.files.stack_search import fits
from deepd3_ij.parameters import Parameters, describe, from_values, read_text

READING = {"xy": "xy_um", "z": "z_um", "channel": "channel", "frame": "frame", "z_range": "z_range"}
"""What says how a stack is read, and the field of the settings that it sets."""

_KINDS = {"xy": float, "z": float, "channel": int, "frame": int}
_NAME = "file"


@dataclass(frozen=True)
class Layer:
    """Some settings that count more than those below them.

    Attributes
    ----------
    reading
        Values by field of :class:`BatchSettings`.
    typed
        Values for the steps, by class and name.
    """

    reading: Mapping[str, Any] = field(default_factory=dict)
    typed: Mapping[type[Parameters], Mapping[str, Any]] = field(default_factory=dict)

    def over(self, settings: BatchSettings) -> BatchSettings:
        """The settings with these in the place of theirs."""
        typed = {cls: {**settings.typed.get(cls, {}), **self.typed.get(cls, {})}
                 for cls in (*settings.typed, *(cls for cls in self.typed if cls not in settings.typed))}
        return dataclasses.replace(settings, typed=typed, **self.reading)

    def __bool__(self) -> bool:
        return bool(self.reading) or any(self.typed.values())


@dataclass(frozen=True)
class Override:
    """Settings of the stacks that a pattern, or a name, fits.

    Attributes
    ----------
    match
        Pattern, or the path of one stack below the folder.
    layer
        The settings.
    origin
        Where they stand, for messages.
    exact
        Whether `match` is a path.
    """

    match: str
    layer: Layer
    origin: str
    exact: bool = False


@dataclass(frozen=True)
class Overrides:
    """All settings of single stacks.

    Attributes
    ----------
    by_pattern, by_name
        In the order in which they count, the last one most; names count more than patterns.
    typed
        What counts more than all of them.
    """

    by_pattern: Sequence[Override] = ()
    by_name: Sequence[Override] = ()
    typed: Layer = field(default_factory=Layer)

    def of_items(self, items: Iterable[BatchItem], settings: BatchSettings) -> dict[str, BatchSettings]:
        """The settings of each stack, by its name.

        Raises
        ------
        ParameterError
            A value is not accepted, or a pattern or name fits no stack.
        """
        every = (*self.by_pattern, *self.by_name)
        named: dict[str, list[Override]] = {}
        for each in self.by_name:
            named.setdefault(each.match, []).append(each)
        chosen = {item.name: [*(each for each in self.by_pattern if fits(item.name, each.match)),
                              *named.get(item.name, ())] for item in items}
        used = {id(each) for found in chosen.values() for each in found}
        for each in every:
            if id(each) not in used:
                near = _nearest(each.match, chosen) if each.exact else ""
                raise ParameterError(f"{each.origin}: {each.match} fits no stack{near}; accepted: "
                                     f"{'paths' if each.exact else 'patterns of paths'} below the stacks' folder.")
        return {name: self._merged(settings, found) for name, found in chosen.items()}

    def _merged(self, settings: BatchSettings, found: Sequence[Override]) -> BatchSettings:
        for each in found:
            settings = each.layer.over(settings)
            _check(settings, each.origin)
        return self.typed.over(settings)


def layer_of(values: Mapping[str, Any], where: str, known: Iterable[str] = ()) -> Layer:
    """Read settings from a table of a YAML file or a row of a CSV file.

    Parameters
    ----------
    values
        ``xy``, ``z``, ``channel``, ``frame``, ``z_range``; names of parameters; tables of them under the name of their
        class. A name that several classes share is set for all of them.
    where
        Where it stands, for messages.
    known
        Further names, which are passed over.

    Raises
    ------
    ParameterError
        A name is not known, or a value not accepted.
    """
    from deepd3_ij.pipeline import STEPS

    classes = {cls.__name__: cls for cls in STEPS}
    owners: dict[str, list[type[Parameters]]] = {}
    for step in STEPS:
        for info in describe(step):
            owners.setdefault(info.name, []).append(step)
    reading: dict[str, Any] = {}
    typed: dict[type[Parameters], dict[str, Any]] = {}
    for name, value in values.items():
        if name in READING:
            reading[READING[name]] = _read(name, value, where)
        elif name in classes:
            section = _table(value, f"{where}: {name}")
            check_names(section, [info.name for info in describe(classes[name])], f"{where}: {name}")
            if section:
                typed.setdefault(classes[name], {}).update(section)
        elif name in owners:
            for cls in owners[name]:
                typed.setdefault(cls, {})[name] = value
        else:
            check_names([name], [*known, *READING, *classes, *owners], where)
    _check(BatchSettings(typed), where)
    return Layer(reading, typed)


def check_names(names: Iterable[Any], known: Sequence[str], where: str) -> None:
    """Refuse a name that is not known.

    Raises
    ------
    ParameterError
        It tells the nearest one.
    """
    for name in names:
        if name not in known:
            raise ParameterError(f"{where}: {name!r} is not known{_nearest(str(name), known)}; "
                                 f"accepted: {', '.join(known)}.")


def read_override_table(path: str | PathLike[str]) -> list[Override]:
    """Read settings of single stacks from CSV: a column ``file``, and one for each setting; empty fields say nothing.

    Raises
    ------
    ParameterError
        A column is not known or a value not accepted.
    """
    from deepd3_ij.files.tables import read_table
    from deepd3_ij.pipeline import STEPS

    infos = {info.name: info for cls in STEPS for info in describe(cls)}
    known = [_NAME, *READING, *infos]
    name = Path(path).name
    table = read_table(path, ParameterError, text=known)
    check_names(table.columns, known, name)
    if _NAME not in table:
        raise ParameterError(f"{name} has no column {_NAME!r}; accepted: {_NAME}, with paths below the folder of the "
                             "stacks, and columns of settings.")
    found = []
    for line, (_, row) in zip(table.attrs["lines"], table.iterrows(), strict=True):
        texts = {str(column): str(text).strip() for column, text in row.items() if str(text).strip()}
        where = f"{name}, line {line}"
        file = texts.pop(_NAME, "").replace("\\", "/")
        values = {column: read_text(infos[column], text) if column in infos else _number(text)
                  for column, text in texts.items()}
        found.append(Override(file, layer_of(values, where), where, exact=True))
    return found


def _number(text: str) -> Any:
    try:
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        return text


def _read(name: str, value: Any, where: str) -> Any:
    if value is None:
        return None
    if name == "z_range":
        parts = str(value).split(":") if isinstance(value, str) else value
        try:
            begin, end = (int(part) for part in parts)
        except (TypeError, ValueError):
            begin, end = 0, 0
        if not 0 <= begin < end:
            raise ParameterError(f"{where}: z_range is {value!r}; accepted: two planes, 0-based, the second one "
                                 "exclusive, e.g. 3:20.")
        return begin, end
    kind = _KINDS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or value != kind(value) or value < 0:
        raise ParameterError(f"{where}: {name} is {value!r}; accepted: "
                             f"{'a size in µm' if kind is float else 'a number from 0'}.")
    return kind(value)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ParameterError(f"{where} is {value!r}; accepted: a table of names and values.")
    return value


def _check(settings: BatchSettings, where: str) -> None:
    for cls, values in settings.typed.items():
        try:
            from_values(cls, values)
        except ParameterError as error:
            raise ParameterError(f"{where}: {error}") from error


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; {near[0]} is near" if near else ""
