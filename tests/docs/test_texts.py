"""What texts say about the project agrees with the project."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGE = ROOT / "deepd3_ij"


@cache
def texts_of_the_programs() -> str:
    """All texts in the code of the package and of the Fiji scripts, with "…" for values that are filled in."""
    found = []
    scripts = (ROOT / "fiji_scripts").rglob("*.py")
    for path in [*PACKAGE.rglob("*.py"), *scripts]:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError:  # Python 2
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
    return "\n".join(" ".join(text.split()) for text in found)


def quoted_messages() -> list[str]:
    rows = re.findall(r"^\| (.*?) \|", (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"), re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("message", quoted_messages())
def test_a_message_that_the_docs_explain_is_one_of_the_programs(message: str) -> None:
    assert message in texts_of_the_programs()


def test_the_page_of_settings_lists_every_environment_variable() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for folder in (PACKAGE, ROOT / "fiji_scripts")
                     for path in folder.rglob("*.py"))
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(DEEPD3_\w+)` \|", page, re.MULTILINE)) == set(
        re.findall(r"environ(?:\.get\(|\[)\"(DEEPD3_\w+)\"", code))


def anchors_of(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere_in_the_project_too(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert ROOT in target.parents
        # names of commands, functions and included texts come when the site is built, whose own test looks at them
        if anchor and target.suffix == ".md" and "<!-- generated" not in (there := target.read_text(encoding="utf-8")):
            assert anchor in anchors_of(there), link


def test_the_citation_names_the_version_and_the_licence_of_the_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["references"][0]["doi"] == "10.1371/journal.pcbi.1011774"


def test_the_changelog_speaks_of_the_version_of_the_project() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.split(r"^## ", text, flags=re.MULTILINE)[1]
    assert PROJECT["version"] in newest


def test_forms_for_issues_ask_for_what_doctor_prints() -> None:
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    assert forms
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        assert any("deepd3-ij doctor" in str(part["attributes"].get("label")) for part in form["body"]), path.name
    assert "deepd3-ij doctor" in (ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")


def rooms_of_the_architecture() -> list[set[str]]:
    """Names in the rows of the list of rooms, from top to bottom."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text[text.index("## Rooms"):text.index("## Where to add")]
    return [set(re.findall(r"`(\w+)`", row)) for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)]


def test_the_architecture_lists_every_room() -> None:
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    listed = [name for row in rooms_of_the_architecture() for name in row]
    assert sorted(listed) == sorted(there - {"__init__", "__main__"})


def test_a_room_imports_no_room_that_stands_below_it() -> None:
    height = {name: number for number, row in enumerate(rooms_of_the_architecture()) for name in row}
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if room in height and isinstance(node, ast.ImportFrom) and node.module:
                first, *rest = node.module.split(".")
                names = rest[:1] or [alias.name for alias in node.names]
                wrong += [f"{path.relative_to(PACKAGE)}: {name}" for name in names
                          if first == "deepd3_ij" and height.get(name, 0) > height[room]]
    assert not wrong
