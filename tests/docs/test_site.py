"""The site builds without a warning, its links lead somewhere, and it needs nothing from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import ROOT

pytest.importorskip("material", reason="the docs are not installed: pip install -e '.[docs]'")
pytest.importorskip("mkdocstrings", reason="the docs are not installed: pip install -e '.[docs]'")


class Page(HTMLParser):
    """Links, anchors and loaded files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.loaded.append(given["href"])
        elif tag in ("script", "img", "iframe", "source") and "src" in given:
            self.loaded.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """All pages of the site, built strictly: a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)], cwd=ROOT, text=True,
        capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"})
    assert done.returncode == 0, done.stderr
    # The page for addresses that do not exist is the only one that may lie anywhere.
    files = [path for path in folder.rglob("*.html") if path.name != "404.html"]
    return {path: Page(path.read_text(encoding="utf-8")) for path in files}


def test_every_link_within_the_site_leads_to_a_file_and_an_anchor(site: dict[Path, Page]) -> None:
    dead = []
    for path, page in site.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            anchor = unquote(parts.fragment)
            found = target.is_file() and (not anchor or target not in site or anchor in site[target].anchors)
            # "#__consts" and the like are the theme's own
            if not found and not anchor.startswith("__"):
                dead.append(f"{path.name}: {link}")
    assert not dead
    assert sum(len(page.links) for page in site.values()) > 100


def test_the_site_loads_nothing_from_elsewhere(site: dict[Path, Page]) -> None:
    loaded = {link for page in site.values() for link in page.loaded}
    assert loaded
    assert not [link for link in loaded if urlsplit(link).netloc]


def test_every_public_name_is_on_the_page_of_python_functions(site: dict[Path, Page]) -> None:
    import deepd3_ij

    (page,) = [page for path, page in site.items() if path.parts[-2:] == ("reference", "python.html")]
    names = {f"deepd3_ij.{name}" for name in deepd3_ij.__all__ if not name.startswith("_")}
    assert names <= page.anchors


def test_no_mark_of_a_generated_text_is_left(site: dict[Path, Page]) -> None:
    for path in site:
        assert "generated:" not in path.read_text(encoding="utf-8")
