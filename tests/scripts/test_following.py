"""Following spines by real mouse and keys: the hyperstack with its outlines, a link cut and one made, a second run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from deepd3_ij.colours import CHANGE_COLOURS, as_hex, roi_colour
from tests.following import write_finished_series
from tests.scripts.panel import JYTHON
from tests.scripts.user import User

pytestmark = [pytest.mark.display, pytest.mark.slow]
STATE = str(JYTHON / "followed_state.py")
COMMAND = "Follow Spines..."
HYPERSTACK = "timelapse_registered.tif"
FIRST_STATE = 4
"""Columns of the table before those of the time points."""


class Followed:
    """A user at the window of followed spines."""

    def __init__(self, user: User) -> None:
        self.user = user

    def state(self) -> dict[str, Any]:
        return json.loads(self.user.host.ask("script", STATE))

    def until(self, **expected: Any) -> dict[str, Any]:
        """Wait until the window shows something."""
        return dict(self.user.until(
            lambda: (seen := self.state())["open"] and seen["ready"]
            and all(seen[name] == value for name, value in expected.items()) and seen, f"not {expected}", 60))

    def click_cell(self, track: int, column: int, times: int = 1) -> None:
        x, y = self.state()["cells"][str(track)][column]
        self.user.xdotool("mousemove", x, y, "sleep", 0.2, "click", "--repeat", times, "--delay", 80, 1)

    def choose(self, spine: dict[str, Any]) -> None:
        """Go to a spine by its cell, and click on it in the image."""
        self.click_cell(spine["track_id"], FIRST_STATE + spine["time_point"])
        self.until(position=[spine["z_plane"] + 1, spine["time_point"] + 1])
        self.user.click_pixel(HYPERSTACK, round(spine["x_px"]), round(spine["y_px"]))

    def press_button(self, name: str) -> None:
        self.user.xdotool("mousemove", *self.state()["buttons"][name], "sleep", 0.2, "click", 1)


@pytest.fixture
def series(visible: User, tmp_path: Path) -> Iterator[Path]:
    write_finished_series(tmp_path)
    visible.host.ask("script", str(JYTHON / "close_all.py"))
    yield tmp_path
    visible.host.ask("script", str(JYTHON / "close_all.py"))


def of_ids(spines: list[dict[str, Any]], ids: dict[int, int]) -> list[dict[str, Any]]:
    """Marks by the spine's number at time points."""
    return [next(each for each in spines if each["time_point"] == number and each["id"] == spine)
            for number, spine in ids.items()]


def test_a_link_is_cut_and_another_made_by_keys_and_both_count_when_run_again(visible: User, series: Path) -> None:
    host, followed, out = visible.host, Followed(visible), series / "out"
    given = {"source": str(series), "times": "0,4,8", "target": str(out)}
    assert host.ask("quietly", COMMAND, **given) == "done"
    state = followed.until()

    # The hyperstack and its outlines
    assert state["shape"] == [1, 12, 3]
    assert state["calibration"] == [pytest.approx(0.12), pytest.approx(1.0), "micron"]
    at = {spine["name"]: spine for spine in state["spines"]}
    assert {name for name, *_ in state["outlines"]} == set(at)
    for name, plane, time_point, colour, _ in state["outlines"]:
        assert colour == as_hex(roi_colour(at[name]["track_id"]))
        assert abs(plane - 1 - at[name]["z_plane"]) <= 1
        assert time_point == at[name]["time_point"] + 1
    followed.press_button("By change")
    state = visible.until(lambda: (seen := followed.state())["outlines"] != state["outlines"] and seen, "no colours")
    assert all(colour == as_hex(CHANGE_COLOURS[change]) for *_, colour, change in state["outlines"])
    assert {change for *_, change in state["outlines"]} >= {"stable", "gained", "lost"}
    followed.press_button("By change")

    # A double click shows the spine at its place, at all time points beside each other
    inside = [spine for spine in state["spines"] if spine["id"] is not None
              and 20 < spine["x_px"] < 200 and 20 < spine["y_px"] < 200]
    ids: dict[int, dict[int, int]] = {}
    for spine in inside:
        ids.setdefault(spine["track_id"], {})[spine["time_point"]] = spine["id"]
    first, second = [each for each in ids.values() if len(each) == 3][:2]
    middle = of_ids(state["spines"], first)[1]
    followed.click_cell(middle["track_id"], FIRST_STATE + 1, times=2)
    state = followed.until(position=[middle["z_plane"] + 1, 2])
    visible.until(lambda: f"Track {middle['track_id']}" in followed.state()["images"], "no strip")

    # A: it appeared; then P at two time points: the same
    for found in (first, second):
        spine = of_ids(followed.state()["spines"], found)[1]
        followed.choose(spine)
        followed.until(chosen=[[spine["track_id"], 1]])
        visible.press("a")
        visible.until(lambda: "is not linked" in followed.state()["message"], "no cut")
    edits = pd.read_csv(out / "timelapse_links_user.csv")
    assert edits["action"].tolist() == ["cut", "cut"]
    followed.press_button("Link Again")
    visible.until(lambda: "Linked again" in followed.state()["message"], "not linked")
    state = followed.until()
    for found in (first, second):
        one, other, _ = of_ids(state["spines"], found)
        assert one["track_id"] != other["track_id"], "the cut counts"
    one, other, _ = of_ids(state["spines"], second)
    for spine in (one, other):
        followed.choose(spine)
    followed.until(chosen=[[one["track_id"], 0], [other["track_id"], 1]])
    visible.press("p")
    visible.until(lambda: "is the same as" in followed.state()["message"], "no link")
    visible.press("b")
    visible.until(lambda: "is no spine" in followed.state()["message"], "not bad")
    visible.press("ctrl+z")
    visible.until(lambda: "Taken back: bad" in followed.state()["message"], "not taken back")
    edits = pd.read_csv(out / "timelapse_links_user.csv")
    assert edits["action"].tolist() == ["cut", "cut", "link"]

    # Run again, from the results
    assert host.ask("quietly", COMMAND, source=str(out), target=str(out)) == "done"
    state = followed.until()
    one, other, _ = of_ids(state["spines"], first)
    assert one["track_id"] != other["track_id"]
    one, other, _ = of_ids(state["spines"], second)
    assert one["track_id"] == other["track_id"]

    # The ROI Manager, and what is left when the image is closed
    followed.press_button("ROI Manager")
    state = visible.until(lambda: (seen := followed.state())["manager"] and seen, "no ROIs")
    assert state["manager"] == [[spine["name"], spine["z_plane"] + 1, spine["time_point"] + 1]
                                for spine in state["spines"]]
    host.ask("script", str(JYTHON / "close_all.py"))
    visible.until(lambda: followed.state() == {"open": False, "images": []}, "something is left")
    assert "Exception" not in host.log()


def test_a_series_that_cannot_be_followed_is_told_in_one_sentence(visible: User, series: Path) -> None:
    for source, times, words in (("t1.tif", "0", "at least two time points"),
                                 ("t1.tif;t2.tif", "3,3", "both have the time 3")):
        files = ";".join(str(series / name) for name in source.split(";"))
        outcome = visible.host.ask("quietly", COMMAND, source=files, times=times, target=str(series / "out"))
        assert outcome.startswith("failed: ")
        assert words in outcome
        assert not Followed(visible).state()["open"]
