"""Tracings written by other programs."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from deepd3_ij.errors import AnnotationError
from deepd3_ij.files.swc import read_swc
from tests.tracings import tree_count


def lines(shared: Path) -> list[dict[str, str]]:
    with (shared / "data" / "foreign" / "manifest.csv").open(newline="") as file:
        return [line for line in csv.DictReader(file) if line["kind"] == "swc"]


def test_all_nodes_and_roots_are_read(shared: Path) -> None:
    opened = [line for line in lines(shared) if line["expect"] == "open"]
    assert len(opened) > 20
    for line in opened:
        tracing = read_swc(shared / "data" / "foreign" / line["file"])
        assert (f"{tree_count(tracing)} roots", f"{len(tracing)} nodes") == (line["axes"], line["shape"]), line["file"]


def test_inconsistent_files_give_an_error_that_names_the_line(shared: Path) -> None:
    damaged = [line for line in lines(shared) if line["expect"] == "clear error"]
    assert damaged
    for line in damaged:
        with pytest.raises(AnnotationError) as caught:
            read_swc(shared / "data" / "foreign" / line["file"])
        assert re.search(r"line \d+: .*\d+", str(caught.value)), line["file"]
        assert "\n" not in str(caught.value)
