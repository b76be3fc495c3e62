"""Reads the ``#@`` lines of a Fiji script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"#@\s*(?P<type>[\w.]+)\s*(\((?P<attributes>.*)\))?\s*(?P<name>\w+)")
_ATTRIBUTE = re.compile(r'(\w+)\s*=\s*("[^"]*"|\{[^}]*\}|[^,]+)')


@dataclass(frozen=True)
class ScriptParameter:
    """A parameter of a script: name, type and attributes as text."""

    name: str
    type: str
    attributes: dict[str, str]

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(re.findall(r'"([^"]*)"', self.attributes.get("choices", "")))


def read_header(path: Path) -> list[ScriptParameter]:
    """Parameters of a script, in their order."""
    parameters = []
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith("#@"):
            match = _LINE.fullmatch(line)
            assert match, f"{path.name}: {line}"
            attributes = {name: value.strip().strip('"') for name, value in
                          _ATTRIBUTE.findall(match["attributes"] or "")}
            parameters.append(ScriptParameter(match["name"], match["type"], attributes))
    return parameters
