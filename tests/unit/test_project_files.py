"""The project's own files agree with each other."""

from __future__ import annotations

import re
import tomllib

import yaml

from tests.conftest import ROOT

CONDA_ONLY = {"python", "openjdk", "maven", "pip"}


def requirement(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?(.*)", text.strip())
    assert match, text
    return match[1].lower(), match[2]


def test_conda_environment_has_the_dependencies_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = dict(requirement(text) for text in project["dependencies"])
    listed = dict(requirement(text) for text in conda if isinstance(text, str))
    assert {name: bound for name, bound in listed.items() if name not in CONDA_ONLY} == pip
    assert listed["python"] == project["requires-python"]


def test_conda_environment_has_java_and_maven() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert {"openjdk", "maven"} <= {requirement(text)[0] for text in conda if isinstance(text, str)}
