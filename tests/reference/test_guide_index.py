"""Every name that the user guide lists is here, with the parameters and defaults that it documents."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT

ENTRIES = {
    "modules": r"(deepd3(?:\.\w+)+)\s+module, \d+",
    "classes": r"(\w+) \(class in (deepd3[\w.]+)\)",
    "functions": r"(\w+)\(\)\s+\(in module (deepd3[\w.]+)\)",
    "methods": r"(\w+)\(\)\s+\((deepd3[\w.]+) method\)",
    "attributes": r"(\w+) \((deepd3[\w.]+) attribute\)",
}
COUNTS = {"modules": 9, "classes": 28, "functions": 22, "methods": 86, "attributes": 4}


@pytest.fixture(scope="module")
def guide(shared):
    text = (shared / "guide" / "deepd3-user-guide.txt").read_text(encoding="utf-8")
    plain = re.sub(r"[*`]", "", text.replace("\\_", "_").replace("****", "\n"))
    body, index = plain.split("## Symbols", 1)
    return body, re.sub(r"\s+", " ", index)


@pytest.fixture(scope="module")
def index(guide):
    return {kind: re.findall(pattern, guide[1]) for kind, pattern in ENTRIES.items()}


@pytest.fixture(scope="module")
def signatures(guide, index):
    """Documented parameters by the full name of each class, function and method."""
    methods = {f"{owner}.{name}" for name, owner in index["methods"]}
    found: dict[str, list[tuple[str, Any]]] = {}
    owner = ""
    body = guide[0]
    for match in re.finditer(r"^[ \t]*(class )?((?:deepd3\.)?[\w.]+)(\(?)", body, re.M):
        is_class, name, opened = match.groups()
        full = name if name.startswith("deepd3.") else f"{owner}.{name}"
        if is_class:
            owner = name
        if not opened:
            if is_class:
                found[full] = []
        elif name.startswith("deepd3.") or full in methods:
            found[full] = parameters(balanced(body, match.end()))
    return found


def balanced(text: str, begin: int) -> str:
    depth = 1
    for end in range(begin, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            return re.sub(r"\s+", " ", text[begin:end])
    raise AssertionError(f"no closing bracket after {text[begin:begin + 60]!r}")


def parameters(text: str) -> list[tuple[str, Any]]:
    """Names and defaults of a signature, without self."""
    parts = re.split(r",(?![^(\[{]*[)\]}])", text)
    result = []
    for part in (part.strip() for part in parts):
        name, equals, default = part.partition("=")
        name = name.split(":")[0].strip()
        if name not in ("", "self"):
            result.append((name, default_of(default) if equals else inspect.Parameter.empty))
    return result


def default_of(text: str) -> Any:
    return np.mean if text.strip() == "<function mean>" else ast.literal_eval(text.strip())


def ours(full: str) -> Any:
    """The object here of a guide's name; fails if one of its parts is missing."""
    parts = full.split(".")
    for count in range(len(parts), 1, -1):
        try:
            value: Any = importlib.import_module("deepd3_ij.compat." + ".".join(parts[1:count]))
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("deepd3_ij.compat"):
                raise
            continue
        for part in parts[count:]:
            value = getattr(value, part)
        return value
    raise AssertionError(f"{full} is not here")


def same(default: Any, documented: Any) -> bool:
    if isinstance(documented, list | tuple):
        return list(default) == list(documented)
    if isinstance(documented, dict):
        return isinstance(default, Mapping) and dict(default) == documented
    if callable(documented):
        return default is documented
    return type(default) is type(documented) and default == documented


def test_the_guide_is_read_completely(index, signatures):
    assert {kind: len(entries) for kind, entries in index.items()} == COUNTS
    names = {f"{owner}.{name}" for kind in ("classes", "functions", "methods") for name, owner in index[kind]}
    assert names - set(signatures) == {"deepd3.core.distance._countOccurrences"}  # spelt differently in the text


def test_every_module_is_here(index):
    for module in index["modules"]:
        assert inspect.ismodule(ours(module))


@pytest.mark.parametrize(("kind", "is_kind"), [
    ("classes", inspect.isclass), ("functions", inspect.isfunction), ("methods", inspect.isfunction),
    ("attributes", lambda value: hasattr(value, "__get__")),
])
def test_every_name_of_the_index_is_here(index, kind, is_kind):
    for name, owner in index[kind]:
        assert is_kind(ours(f"{owner}.{name}")), f"{owner}.{name}"


def test_documented_parameters_come_first_with_their_defaults_and_others_may_be_left_out(signatures):
    for full, documented in signatures.items():
        actual = [item for name, item in inspect.signature(ours(full)).parameters.items() if name != "self"]
        assert [item.name for item in actual[:len(documented)]] == [name for name, _ in documented], full
        for item, (name, default) in zip(actual, documented, strict=False):
            if name in ("args", "kwargs"):
                assert item.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD), full
            elif default is inspect.Parameter.empty:
                assert item.default is inspect.Parameter.empty, f"{full}: {name}"
            else:
                assert same(item.default, default), f"{full}: {name} is {item.default!r}, documented {default!r}"
        for item in actual[len(documented):]:
            optional = item.default is not inspect.Parameter.empty or item.kind in (
                inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
            assert optional, f"{full}: {item.name}"


def test_everything_here_is_documented(signatures):
    for full in signatures:
        assert inspect.getdoc(ours(full)), full


def test_the_reference_page_names_everything(index):
    page = (ROOT / "docs" / "scripts-for-the-guide.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", page))
    missing = {name for kind in ("classes", "functions", "methods", "attributes") for name, _ in index[kind]} - words
    assert not missing
