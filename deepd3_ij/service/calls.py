"""The one way to call a verb.

A request is JSON text with the verb's name, the version of the scripts and values, and numeric arrays beside
it. Everything is checked against the verb's signature before it runs; nothing in a request is ever executed.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import pkgutil
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

import deepd3_ij
from deepd3_ij import service
from deepd3_ij.errors import Cancelled, DeepD3Error, FijiError, asked_from_menu, one_line
from deepd3_ij.names import CANCELLED, DONE, FAILED
from deepd3_ij.notes import collected_notes
from deepd3_ij.progress import Progress, no_progress
from deepd3_ij.service.exchange import REINSTALL, Reply
from deepd3_ij.service.log_file import log_hint
from deepd3_ij.service.registry import VERBS, Kind

_log = logging.getLogger(__name__)

# The modules of this room whose names end so make their verbs known.
for _module in pkgutil.iter_modules(service.__path__):
    if _module.name.endswith("_verbs"):
        importlib.import_module(f"{service.__name__}.{_module.name}")


@dataclass(frozen=True)
class Argument:
    """What a verb accepts under a name."""

    name: str
    types: tuple[Any, ...]
    optional: bool
    required: bool
    kind: Kind | None

    def check(self, value: Any, verb: str) -> Any:
        """The value, decoded; FijiError if it is of another type or shape."""
        if value is None and self.optional:
            return None
        if self.kind is not None:
            return self._checked_array(value, verb)
        wanted = self.types[0]
        if hasattr(wanted, "from_values"):
            if not isinstance(value, Mapping):
                raise self._wrong(value, verb, "a table")
            return wanted.from_values(value)
        if get_origin(wanted) is list:
            item = get_args(wanted)[0]
            if not isinstance(value, list) or not all(_is_a(part, item) for part in value):
                raise self._wrong(value, verb, f"a list of {item.__name__}")
            return value
        if not _is_a(value, wanted):
            raise self._wrong(value, verb, wanted.__name__)
        return wanted(value)

    def _checked_array(self, value: Any, verb: str) -> npt.NDArray[Any]:
        assert self.kind is not None
        if not isinstance(value, np.ndarray) or value.dtype.name not in self.kind.dtypes \
                or value.ndim != self.kind.dimensions or 0 in value.shape:
            got = f"{value.dtype.name} of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
            raise FijiError(f"{verb}: the array {self.name!r} is {got}; accepted: {' or '.join(self.kind.dtypes)} with "
                            f"{self.kind.dimensions} dimensions, none of them empty.")
        return value

    def _wrong(self, value: Any, verb: str, accepted: str) -> FijiError:
        return FijiError(f"{verb}: {self.name} is {value!r}; accepted: {accepted}.")


def call(text: str, arrays: Mapping[str, npt.NDArray[Any]], progress: Progress = no_progress) -> Reply:
    """Answer a request; never raises.

    Parameters
    ----------
    text
        JSON with ``verb``, ``version`` and ``values``.
    arrays
        Arrays by name.
    progress
        Receives progress; raises ``Cancelled`` to stop.

    Returns
    -------
    Reply
        With ``state`` in its values: ``"done"``, perhaps with ``notes`` (what the user should know), ``"cancelled"``,
        or ``"failed"`` with ``message`` (one sentence), ``trace``, and ``expected``: true for the package's own errors.
    """
    try:
        with collected_notes() as notes, asked_from_menu():
            reply = _answer(text, arrays, progress)
    except Cancelled:
        return Reply({"state": CANCELLED})
    except Exception as error:
        trace = traceback.format_exc()
        expected = isinstance(error, DeepD3Error)
        _log.log(logging.INFO if expected else logging.ERROR, "%s", trace)
        return Reply({"state": FAILED, "message": _message(error), "trace": trace, "expected": expected})
    told = {"notes": list(notes)} if notes else {}
    return Reply({**told, **reply.values, "state": DONE}, reply.arrays)


def arguments_of(name: str) -> dict[str, Argument]:
    """What a verb accepts, by name.

    Raises
    ------
    FijiError
        There is no such verb.
    """
    if name not in VERBS:
        raise FijiError(f"There is no verb {name!r}; known: {', '.join(VERBS)}.")
    return _arguments(VERBS[name])


def _answer(text: str, arrays: Mapping[str, npt.NDArray[Any]], progress: Progress) -> Reply:
    try:
        request = json.loads(text)
        verb, version, values = request["verb"], request["version"], request["values"]
    except (ValueError, KeyError, TypeError) as error:
        raise FijiError(f"The request is not understood ({type(error).__name__}: {one_line(error)}); {REINSTALL}"
                        ) from error
    if version != deepd3_ij.__version__:
        raise FijiError(f"The scripts in Fiji have version {version} and the Python package has "
                        f"{deepd3_ij.__version__}; {REINSTALL}")
    if not isinstance(verb, str) or not isinstance(values, dict):
        raise FijiError(f"The request names the verb {verb!r} with {type(values).__name__} values; {REINSTALL}")
    accepted = arguments_of(verb)
    given = {**values, **arrays}
    unknown = sorted(set(given) - set(accepted))
    missing = [name for name, argument in accepted.items() if argument.required and name not in given]
    if unknown:
        raise FijiError(f"{verb}: {unknown[0]!r} is unknown; accepted: {', '.join(accepted)}.")
    if missing:
        raise FijiError(f"{verb}: {missing[0]!r} is missing; {REINSTALL}")
    for name in values:
        if accepted[name].kind is not None and values[name] is not None:
            raise FijiError(f"{verb}: {name!r} is an array; it was sent as a value.")
    return VERBS[verb](progress, **{name: accepted[name].check(value, verb) for name, value in given.items()})


@cache
def _arguments(function: Callable[..., Reply]) -> dict[str, Argument]:
    hints = get_type_hints(function, include_extras=True)
    found = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        hint = hints[parameter.name]
        union = get_origin(hint) in (Union, types.UnionType)
        parts = get_args(hint) if union else (hint,)
        named = tuple(part for part in parts if part is not type(None))
        kind = get_args(named[0])[1] if get_origin(named[0]) is Annotated else None
        found[parameter.name] = Argument(parameter.name, named, type(None) in parts,
                                         parameter.default is inspect.Parameter.empty, kind)
    return found


def _is_a(value: Any, wanted: type) -> bool:
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _message(error: Exception) -> str:
    text = one_line(error)
    if isinstance(error, DeepD3Error):
        return text
    if isinstance(error, MemoryError):
        return f"Python has too little memory ({text}); close other programs, or segment fewer planes."
    return f"Unexpected {type(error).__name__}: {text}. The Log window has the details{log_hint()}; please report them."
