"""Following spines from Fiji's menu: the registered hyperstack, its ROIs, and decisions about links."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import tifffile

from deepd3_ij.colours import CHANGE_COLOURS
from deepd3_ij.files.stack_search import search_stacks
from deepd3_ij.service.calls import call
from deepd3_ij.version import __version__
from tests.following import write_finished_series

Spine = dict[str, Any]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    write_finished_series(folder)
    return folder


@pytest.fixture(scope="module")
def followed(finished: Path) -> dict[str, Any]:
    return ask(finished)


def ask(folder: Path, source: str = "", **values: Any) -> dict[str, Any]:
    given = {"source": source or str(folder), "times": "0,4,8", "target": str(folder / "out"), **values}
    return call(json.dumps({"verb": "follow_spines", "version": __version__, "values": given}), {}).values


def test_a_folder_of_time_points_becomes_a_registered_hyperstack_with_rois(
        finished: Path, followed: dict[str, Any]) -> None:
    assert followed["state"] == "done", followed
    out = finished / "out"
    with tifffile.TiffFile(out / "timelapse_registered.tif") as tiff:
        assert tiff.imagej_metadata is not None
        assert {name: tiff.imagej_metadata[name] for name in ("frames", "slices", "hyperstack", "unit")} == {
            "frames": 3, "slices": 12, "hyperstack": True, "unit": "micron"}
        images = tiff.asarray()
    rois = roifile.roiread(out / "timelapse_rois_by_track.zip")
    changed = roifile.roiread(out / "timelapse_rois_by_change.zip")
    by_place = {(int(roi.properties["deepd3.track"]), roi.t_position - 1): roi for roi in rois}
    assert len(by_place) == len(rois) == len(changed) == len(followed["spines"])
    bright = []
    for spine in followed["spines"]:
        roi = by_place[spine["track_id"], spine["time_point"]]
        assert roi.z_position - 1 == spine["z_plane"]
        left, top, right, bottom = (int(value) for value in (*roi.coordinates().min(0), *roi.coordinates().max(0)))
        assert left - 1 <= spine["x_px"] <= right + 1
        assert top - 1 <= spine["y_px"] <= bottom + 1
        if spine["id"] is not None and min(left, top) >= 0 and max(right, bottom) < 220:
            inside = images[spine["time_point"], spine["z_plane"], top:bottom + 1, left:right + 1]
            bright.append(inside.max() > np.percentile(images[spine["time_point"]], 95))
    assert np.mean(bright) > 0.9, "outlines lie on spines"
    colours = [{bytes(roi.stroke_color) for roi in rois if int(roi.properties["deepd3.track"]) == track}
               for track in (1, 2)]
    assert [len(each) for each in colours] == [1, 1]
    assert colours[0] != colours[1]
    assert all(tuple(roi.stroke_color)[1:] == CHANGE_COLOURS[roi.properties["deepd3.change"]] for roi in changed)
    assert {roi.properties["deepd3.change"] for roi in changed} >= {"stable", "gained", "lost"}


def test_the_images_lie_on_each_other(finished: Path, followed: dict[str, Any]) -> None:
    images = tifffile.imread(finished / "out" / "timelapse_registered.tif").max(axis=1).astype(float)
    raw = [tifffile.imread(finished / f"t{number}.tif").max(axis=0).astype(float) for number in (1, 2, 3)]
    for one, other in ((0, 1), (1, 2)):
        both = (images[one] > 0) & (images[other] > 0)
        after = np.corrcoef(images[one][both], images[other][both])[0, 1]
        assert after > np.corrcoef(raw[one].ravel(), raw[other].ravel())[0, 1] + 0.2


def test_the_registered_images_are_no_stack_to_analyze(finished: Path, followed: dict[str, Any]) -> None:
    stacks, _ = search_stacks(finished / "out", "*")
    assert [stack.source.name for stack in stacks] == []


def test_decisions_about_links_count_without_reading_anything_again(
        finished: Path, followed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deepd3_ij.service.timelapse_verbs.read_time_point", lambda *_, **__: pytest.fail("read"))
    ids = next(found for found in detections(followed).values() if len(found) == 3)
    assert [len(set(each)) for each in (tracks_of(followed, ids), ids)] == [1, 3]
    edits = finished / "out" / "timelapse_links_user.csv"
    header = "action,time_point,id,other_time_point,other_id\n"

    edits.write_text(f"{header}cut,t1,{ids[0]},t2,{ids[1]}\n", encoding="utf-8")
    first, second, _ = tracks_of(ask(finished), ids)
    assert first != second
    edits.write_text(f"{header}cut,t1,{ids[0]},t2,{ids[1]}\nlink,t1,{ids[0]},t2,{ids[1]}\n", encoding="utf-8")
    assert len(set(tracks_of(ask(finished), ids))) == 1
    edits.write_text(f"{header}link,t1,{ids[0]},t2,9999\n", encoding="utf-8")
    assert "spine 9999 of t2" in ask(finished)["message"]
    edits.unlink()
    assert len(set(tracks_of(ask(finished), ids))) == 1


def detections(reply: dict[str, Any]) -> dict[int, dict[int, int]]:
    """Detected spines of each track by time point."""
    found: dict[int, dict[int, int]] = {}
    for spine in reply["spines"]:
        if spine["id"] is not None:
            found.setdefault(spine["track_id"], {})[spine["time_point"]] = spine["id"]
    return found


def tracks_of(reply: dict[str, Any], ids: dict[int, int]) -> list[int]:
    assert reply["state"] == "done", reply
    return [next(track for track, found in detections(reply).items() if found.get(number) == spine)
            for number, spine in ids.items()]


@pytest.mark.parametrize(("names", "times", "words"), [
    (["t1.tif"], None, "at least two time points"), (["t1.tif", "t2.tif"], "1,1", "both have the time 1"),
    (["t1.tif", "t2.tif"], "1", "2 files and 1 times"), (["t1.tif", "t2.tif"], "monday,2", "The times are"),
    (["t1.tif", "t9.tif"], None, "does not exist"), (["t1.tif", "t1.tif"], None, "the same data"),
    (["t1.tif", "t2.tif"], "nan,2", "The times are"), ([""], None, "holds no stack")])
def test_time_points_that_make_no_series_are_told_in_one_sentence(
        finished: Path, tmp_path: Path, names: list[str], times: str | None, words: str) -> None:
    source = ";".join(str(finished / name) for name in names) if names[0] else str(tmp_path)
    reply = ask(finished, source, times=times)
    assert reply["state"] == "failed"
    assert words in reply["message"]
    assert "\n" not in reply["message"]
    assert "--" not in reply["message"], "options are for a shell"
