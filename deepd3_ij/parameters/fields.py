"""How a parameter is declared, described and checked."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, get_type_hints

from deepd3_ij.errors import ParameterError

PATHS = ("file", "folder", "save", "any")
"""What a path leads to: an existing file, a folder, a file to write."""


def parameter(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    label: str = "",
    option: str = "",
    path: str = "",
    needs: Mapping[str, Any] | None = None,
) -> Any:
    """Declare a dataclass field with everything that a user interface needs.

    Parameters
    ----------
    default
        Default value.
    help
        One sentence for the command line, the Fiji tooltip and the docs.
    low, high
        Accepted range, both ends included.
    unit
        "px", "um", "planes", …; empty for pure numbers.
    choices
        Accepted texts.
    label
        Text in a Fiji dialog; made from the field's name if empty.
    option
        Command-line option; ``--field-name`` if empty.
    path
        For a text that is a path: one of ``PATHS``.
    needs
        Names of other parameters of the class, each with the value, or a tuple of the values, at which this one
        counts at all; a dialog greys it at others.
    """
    assert not path or path in PATHS, path
    metadata = {"help": help, "low": low, "high": high, "unit": unit, "choices": choices,
                "label": label, "option": option, "path": path, "needs": needs_of(needs)}
    return field(default=default, metadata=metadata)


Needs: TypeAlias = tuple[tuple[str, tuple[Any, ...]], ...]
"""Names of parameters, each with the values at which something else counts."""


def needs_of(needs: Mapping[str, Any] | None) -> Needs:
    """Needs, as they are declared, with a tuple of values for each name."""
    return tuple((name, values if isinstance(values, tuple) else (values,)) for name, values in (needs or {}).items())


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter as user interfaces see it."""

    name: str
    type: type
    optional: bool
    default: Any
    help: str
    low: float | None
    high: float | None
    unit: str
    choices: tuple[str, ...]
    label: str
    option: str
    path: str
    needs: Needs

    @property
    def required(self) -> bool:
        """Whether it is a path that has to be given."""
        return bool(self.path) and not self.optional


@dataclass(frozen=True)
class Parameters:
    """Base of the parameter classes; checks types, ranges and choices."""

    def __post_init__(self) -> None:
        for info in describe(type(self)):
            object.__setattr__(self, info.name, _checked(info, getattr(self, info.name)))
        self.check()

    def check(self) -> None:
        """Check what concerns several parameters together."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values by name, for provenance."""
        return dataclasses.asdict(self)


P = TypeVar("P", bound=Parameters)


def describe(cls: type[Parameters]) -> list[ParameterInfo]:
    """List the parameters of an operation in their order of declaration."""
    return list(_described(cls))  # type: ignore[arg-type]  # a class is hashable, whatever its instances are


@functools.cache
def _described(cls: type[Parameters]) -> tuple[ParameterInfo, ...]:
    hints = get_type_hints(cls)
    infos = []
    for item in dataclasses.fields(cls):
        hint = hints[item.name]
        parts = [part for part in getattr(hint, "__args__", (hint,)) if part is not type(None)]
        meta = dict(item.metadata)
        meta["label"] = meta["label"] or _label(item.name)
        meta["option"] = meta["option"] or "--" + item.name.replace("_", "-")
        infos.append(ParameterInfo(name=item.name, type=parts[0], optional=len(parts) == 1 and parts[0] is not hint,
                                   default=item.default, **meta))
    return tuple(infos)


_UNITS = frozenset(("um", "px", "deg"))
_SPELLINGS = {"xy": "XY", "psf": "PSF", "swc": "SWC", "rois": "ROIs"}


def _label(name: str) -> str:
    """A name as words, without its unit, which has a place of its own."""
    words = name.split("_")
    if len(words) > 1 and words[-1] in _UNITS:
        words.pop()
        if words[-1] == "per":
            words.pop()
    text = " ".join(_SPELLINGS.get(word, word) for word in words)
    return text[0].upper() + text[1:]


def from_values(cls: type[P], values: Mapping[str, Any]) -> P:
    """Make parameters from a mapping; an unknown name is an error that lists the known ones."""
    known = [info.name for info in describe(cls)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ParameterError(f"Unknown parameter {unknown[0]!r} for {cls.__name__}; known: {', '.join(known)}.")
    return cls(**values)


def read_text(info: ParameterInfo, text: str) -> Any:
    """The value that a text of a macro or of a dialog's field stands for; an empty text is none.

    A text that stands for no value is given back as it is; the check of the parameters names it.
    """
    given = text.strip()
    if not given and info.optional:
        return None
    if info.type is str:
        return given
    if info.type is bool:
        return {"true": True, "false": False}.get(given.lower(), given)
    try:
        number = float(given)
    except ValueError:
        return given
    return int(number) if info.type is int and number.is_integer() else number


def _checked(info: ParameterInfo, value: Any) -> Any:
    if value is None and info.optional:
        return None
    problem = f"{info.name} is {value!r}; accepted: {accepted_values(info)}."
    if info.type is bool:
        if not isinstance(value, bool):
            raise ParameterError(problem)
        return value
    if info.type is str:
        if not isinstance(value, str) or (info.choices and value not in info.choices):
            raise ParameterError(problem)
        return value
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise ParameterError(problem)
    number = float(value)
    if not math.isfinite(number) or (info.type is int and not number.is_integer()):
        raise ParameterError(problem)
    if (info.low is not None and number < info.low) or (info.high is not None and number > info.high):
        raise ParameterError(problem)
    return info.type(number)


def accepted_values(info: ParameterInfo) -> str:
    """What a parameter accepts, in words."""
    if info.choices:
        return ", ".join(info.choices)
    if info.path:
        return {"file": "a file", "folder": "a folder", "save": "a file to write",
                "any": "a file or folder"}[info.path]
    kind = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[info.type]
    if info.low is not None and info.high is not None:
        kind += f" from {info.low:g} to {info.high:g}"
    elif info.low is not None:
        kind += f" of at least {info.low:g}"
    return kind + (f" ({info.unit})" if info.unit else "")
