"""Tables, page and crate over all stacks of a batch."""

from __future__ import annotations

import csv
import html.parser
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepd3_ij.batch.collecting import StackResult, collect
from deepd3_ij.batch.crate import MOST_ACTIONS, crate
from deepd3_ij.batch.overview_page import overview_page, thumbnail
from deepd3_ij.batch.summary import write_summary
from deepd3_ij.errors import StackError
from deepd3_ij.notes import collected_notes

REPORT = {"shape": [4, 64, 96], "dtype": "uint8", "xy_um": 0.1, "z_um": 0.5, "voxel_size_from": "file",
          "saturated_fraction": 0.01, "began": "2026-01-01T10:00:00+00:00", "ended": "2026-01-01T10:01:00+00:00",
          "seconds": {"read": 1.0, "compute": 8.0, "write": 1.0}, "warnings": ["odd <b>", "dull"], "peak_rss_mb": 900}
ODD = "<script>alert(1)<script> & \u202e\u00b5.tif"


def add_done(folder: Path, stem: str, spines: str, dendrites: str, version: str = "1") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}_spines.csv").write_text(spines)
    (folder / f"{stem}_dendrites.csv").write_text(dendrites)
    files = {f"{stem}_spines.csv": {"bytes": 3, "sha256": "a"}, stem: {"sha256": "b"}}
    settings = {"version": version, "model_sha256": "c0ffee", "analysis": {"typed": {"X": {"min_peak": 0.8}}}}
    (folder / f"{stem}_done.json").write_text(json.dumps({
        "source": f"{stem}.tif", "settings": settings, "inputs": [[f"{stem}.tif", 10, 5, "d"]], "files": files,
        "run": REPORT}))


def add_failed(folder: Path, source: str, reason: str) -> None:
    (folder / ".deepd3").mkdir(parents=True, exist_ok=True)
    (folder / ".deepd3" / f"{len(list((folder / '.deepd3').iterdir()))}.failed").write_text(
        json.dumps({"source": source, "reason": reason, "error": "StackError", "trace": ""}))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    add_done(tmp_path, "b", "id,dendrite_id,note\n1,1,\"a,b\"\n2,0,\n", "id,length_um\n1,10.5\n")
    add_done(tmp_path / "deep", "a", "id,dendrite_id,extra\n1,2,0.1000000\n", "id,length_um\n1,4\n2,6\n", "2")
    add_failed(tmp_path, ODD, f"{ODD} is truncated: only its first 3 planes are there; copy it again.")
    add_failed(tmp_path, "d.tif", "d.tif is truncated: only its first 12 planes are there; copy it again.")
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "b_overview.png")
    return tmp_path


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_tables_hold_the_rows_of_all_stacks_as_they_stand(results: Path) -> None:
    assert [path.name for path in write_summary(results)] == [
        "stacks.csv", "all_spines.csv", "all_dendrites.csv", "overview.html", "ro-crate-metadata.json"]
    assert rows(results / "all_spines.csv") == [
        {"stack": "b.tif", "id": "1", "dendrite_id": "1", "note": "a,b", "extra": ""},
        {"stack": "b.tif", "id": "2", "dendrite_id": "0", "note": "", "extra": ""},
        {"stack": "deep/a.tif", "id": "1", "dendrite_id": "2", "note": "", "extra": "0.1000000"}]
    assert [row["length_um"] for row in rows(results / "all_dendrites.csv")] == ["10.5", "4", "6"]
    table = {row["stack"]: row for row in rows(results / "stacks.csv")}
    assert {name: row["state"] for name, row in table.items()} == {
        "b.tif": "done", "deep/a.tif": "done", "d.tif": "failed", ODD: "failed"}
    b = table["b.tif"]
    assert (b["spines"], b["spines_on_dendrites"], b["dendrites"], b["length_um"]) == ("2", "1", "1", "10.5")
    assert float(b["density_low_per_um"]) < float(b["density_per_um"]) < float(b["density_high_per_um"])
    assert b["settings"] != table["deep/a.tif"]["settings"]


def test_what_somebody_changed_is_kept(results: Path) -> None:
    write_summary(results)
    (results / "all_spines.csv").write_text("mine")
    with collected_notes() as notes:
        written = [path.name for path in write_summary(results)]
    assert (results / "all_spines.csv").read_text() == "mine"
    assert "all_spines.csv" not in written
    assert len(written) == 4
    assert any("all_spines.csv was changed" in note for note in notes)
    assert len(write_summary(results, overwrite=True, provenance=False)) == 4
    with pytest.raises(StackError, match="no results of a batch"):
        write_summary(results / ".deepd3")


@pytest.mark.parametrize("text", ["id,note\n1,5 \u00b5m\n".encode("latin-1"), b"id,note\n1,\"" + b"x" * 200_000])
def test_a_table_that_somebody_damaged_costs_its_own_rows(results: Path, text: bytes) -> None:
    (results / "b_spines.csv").write_bytes(text)
    with collected_notes() as notes:
        write_summary(results)
    assert [row["stack"] for row in rows(results / "all_spines.csv")] == ["deep/a.tif"]
    assert ["b_spines.csv cannot be read" in note for note in notes] == [True]
    assert {row["stack"]: row["spines"] for row in rows(results / "stacks.csv")}["b.tif"] == ""


class Reader(html.parser.HTMLParser):
    """Collects tags, and checks that they close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert not (name in ("src", "href") and str(value).split(":")[0] in ("http", "https", "javascript"))
        if tag not in ("meta", "br", "img", "input", "line", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "rect"):
            assert self.open.pop() == tag


def test_the_page_is_whole_and_nothing_in_it_is_taken_for_html(results: Path) -> None:
    page = overview_page(collect(results), results)
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.tags.count("script") == 1
    assert "<b>dull" not in page
    assert "odd &lt;b&gt;" in page
    assert "alert(1)&lt;script&gt;" in page
    assert "\u202e" not in page
    assert page.index("Failed: 2") < page.index("<h2>Stacks")
    assert "2 × … is truncated: only its first # planes are there" in page
    assert 'href="b_overview.png"' in page
    assert "data:image/jpeg;base64," in page
    assert "Not all stacks were analyzed with the same version" in page
    assert "min_peak = 0.8" in page


def test_a_thousand_stacks_fit_into_a_mail(results: Path) -> None:
    picture = results / "b_overview.png"
    for limit in (25_000, 9000):
        image = thumbnail(picture, limit)
        assert image is not None
        assert len(image) <= limit
    assert thumbnail(results / "b_spines.csv", 9000) is None
    one = collect(results)[0]
    row = len(overview_page([one] * 2, results)) - len(overview_page([one], results))
    without = row - 4 * 25_000 / 3
    assert 1000 * (without + 4 * 9000 / 3) < 15e6


def test_the_crate_tells_of_every_stack(results: Path) -> None:
    write_summary(results)
    found = json.loads((results / "ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in found["@graph"]}
    assert len(entities) == len(found["@graph"])
    root = entities["./"]
    assert root["conformsTo"]["@id"] == "https://w3id.org/ro/wfrun/process/0.5"
    actions = [entities[mention["@id"]] for mention in root["mentions"]]
    assert {action["@type"] for action in actions} == {"CreateAction"}
    assert sum("error" in action for action in actions) == 2
    for action in actions:
        for key in ("object", "result"):
            assert all(reference["@id"] in entities for reference in action[key])
    assert all(part["@id"] in entities for part in root["hasPart"])
    assert entities["deep/a_spines.csv"]["sha256"] == "a"
    many = [StackResult(f"{number}.tif", results, str(number)) for number in range(MOST_ACTIONS + 1)]
    assert len(crate(many, results)["@graph"]) < 20
