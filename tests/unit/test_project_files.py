"""The project's own files agree with each other."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

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
    extras = project["optional-dependencies"]
    pip = dict(requirement(text) for text in (*project["dependencies"], *extras["cluster"], *extras["zarr"]))
    listed = dict(requirement(text) for text in conda if isinstance(text, str))
    assert {name: bound for name, bound in listed.items() if name not in CONDA_ONLY} == pip
    assert listed["python"] == project["requires-python"]


def test_conda_environment_has_java_and_maven() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert {"openjdk", "maven"} <= {requirement(text)[0] for text in conda if isinstance(text, str)}


def test_property_names_are_written_in_one_module() -> None:
    elsewhere = [path for path in (ROOT / "deepd3_ij").rglob("*.py") if path.name != "names.py"]
    assert [(path.name, text) for path in elsewhere for text in texts_in(path)
            if re.fullmatch(r"deepd3\.[a-z0-9_]+", text)] == []


def test_names_and_colours_are_plain_constants_of_their_own() -> None:
    for name in ("names", "colours"):
        tree = ast.parse((ROOT / "deepd3_ij" / f"{name}.py").read_text(encoding="utf-8"))
        imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert imported <= {"__future__", "colorsys", "functools", "math", "typing"}
        for node in tree.body:
            if isinstance(node, ast.Assign):
                ast.literal_eval(node.value)


def test_every_generator_of_random_numbers_in_the_tests_has_a_seed() -> None:
    without = [(path.name, node.lineno) for path in (ROOT / "tests").rglob("*.py")
               for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
               if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args
               and node.func.attr in ("default_rng", "RandomState", "Random", "SeedSequence")]
    assert without == []


def texts_in(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
