"""Following spines in Fiji: coloured outlines at their place and time, and links corrected by real keys and clicks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from deepd3_ij.colours import STATE_COLOURS, as_hex
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from tests.scripts.user import User
from tests.scripts.window import JYTHON, State, Window
from tests.small_series import write_finished

pytestmark = pytest.mark.display
NAMES = ("monday", "friday, late", "next")
COLOURS = {"stable": "#ffffff", "gained": "#00ff00", "lost": "#ff463c", "unobservable": "#808088",
           "undecided": "#ffdc3c"}
FIELD = SimulationParameters(planes=12, height_px=160, width_px=220, dendrites=2, axons=0, blob_clusters=0, clouds=0)
# Track: class, colour, and for each time point what is there: id, state, change, (z, y, x).
TRACKS: dict[int, Any] = {
    1: ("stable", "#ff0000", [(3, "present", "stable", (0, 20, 12)), (5, "present", "stable", (1, 20, 12)),
                              (7, "present", "stable", (0, 20, 12))]),
    2: ("lost", "#0000ff", [(4, "present", "stable", (2, 40, 30)), (None, "recovered", "stable", (2, 40, 30)),
                            (None, "absent", "lost", (2, 40, 30))]),
    3: ("gained", "#00ffff", [None, (None, "absent", "", None), (9, "present", "gained", (1, 50, 50))])}


def mark(track: int, session: int, there: Any) -> dict[str, Any]:
    spine, state, change, (z, y, x) = there
    return {"track_id": track, "time_point": session, "name": f"track{track:04d}_t{session + 1:02d}", "id": spine,
            "state": state, "change": change, "y_px": y, "x_px": x, "z_plane": z,
            "link_probability": 0.9 if spine else None,
            "outline": [[x - 4, y - 4], [x + 4, y - 4], [x + 4, y + 4], [x - 4, y + 4]]}


def answer(folder: Path) -> dict[str, Any]:
    """What the service would tell of three spines at three time points."""
    path = folder / "timelapse_registered.tif"
    rng = np.random.default_rng(1)
    tifffile.imwrite(path, rng.integers(0, 60, (3, 3, 64, 64), dtype=np.uint8), imagej=True, resolution=(10, 10),
                     metadata={"axes": "TZYX", "unit": "micron", "spacing": 0.5})
    return {"hyperstack": str(path), "montage": "", "links_user": str(folder / "timelapse_links_user.csv"),
            "time_points": [{"name": name, "time": time, "registered": True} for time, name in enumerate(NAMES)],
            "tracks": [{"track_id": track, "dendrite_id": 1, "class": kind, "colour": colour,
                        "states": ["absent" if there is None else there[1] for there in places]}
                       for track, (kind, colour, places) in TRACKS.items()],
            "spines": [mark(track, session, there) for track, (_, _, places) in TRACKS.items()
                       for session, there in enumerate(places) if there is not None and there[3] is not None],
            "change_colours": COLOURS, "state_colours": {state: as_hex(each) for state, each in STATE_COLOURS.items()},
            "summary": []}


class Followed(Window):
    """A user at the window of followed spines."""

    def __init__(self, user: User, folder: Path) -> None:
        super().__init__(user, "follow_state.py")
        self.links = folder / "timelapse_links_user.csv"

    def shows(self, **expected: Any) -> State:
        """Wait until it shows something."""
        return self.until(lambda state: all(state.get(name) == value for name, value in expected.items()),
                          f"the window does not show {expected}", 30)

    def click_cell(self, cell: str) -> None:
        self.user.xdotool("mousemove", *self.state()["cells"][cell], "sleep", 0.2, "click", 1)

    def click_image(self, x: int, y: int) -> None:
        self.user.click_pixel("timelapse_registered.tif", x, y)

    def rows(self) -> list[str]:
        return self.links.read_text(encoding="utf-8").splitlines()[1:] if self.links.exists() else []


@pytest.fixture
def window(visible: User, tmp_path: Path) -> Iterator[Followed]:
    visible.host.ask("script", str(JYTHON / "close_all.py"))
    (tmp_path / "answer.json").write_text(json.dumps(answer(tmp_path)))
    assert visible.host.ask("script", str(JYTHON / "follow_show.py"), path=str(tmp_path / "answer.json")) == "shown"
    yield Followed(visible, tmp_path)
    visible.host.ask("script", str(JYTHON / "close_all.py"))


def test_outlines_lie_at_their_plane_and_time_in_the_colour_of_track_or_change(window: Followed) -> None:
    state = window.state()
    expected = {f"track{track:04d}_t{session + 1:02d}": (1, there[3][0] + 1, session + 1, colour, COLOURS[there[2]])
                for track, (_, colour, places) in TRACKS.items()
                for session, there in enumerate(places) if there is not None and there[3] is not None}
    assert {name: tuple(roi[key] for key in ("c", "z", "t", "colour"))
            for name, roi in state["outlines"].items()} == {
        name: values[:4] for name, values in expected.items()}
    assert sorted(state["manager"]) == sorted(expected)
    window.user.host.ask("script", str(JYTHON / "follow_colour.py"), by="change")
    assert {name: roi["colour"] for name, roi in window.state()["outlines"].items()} == {
        name: values[4] for name, values in expected.items()}


def test_a_cell_goes_to_the_place_and_time_of_its_spine(window: Followed) -> None:
    window.click_cell("1 friday, late")
    window.shows(place=[1, 2, 2], chosen="Chosen: spine 5 of friday, late (track 1, present)")
    window.click_cell("3 Track")  # the time point stays
    window.shows(place=[1, 2, 2], chosen="Chosen: track 3 at friday, late (absent)")
    window.click_cell("2 next")
    state = window.shows(place=[1, 3, 3])
    assert [name for name, roi in state["outlines"].items() if roi["chosen"]] == ["track0002_t03"]


def test_a_double_click_shows_a_spine_at_all_time_points(window: Followed) -> None:
    cell = window.state()["cells"]["2 Class"]
    window.user.xdotool("mousemove", *cell, "sleep", 0.2, "click", "--repeat", 2, "--delay", 80, 1)
    window.user.until(lambda: "Track 2" in window.state()["images"], "there is no picture of the track", 30)


def test_links_are_made_and_cut_by_keys_and_undone(window: Followed) -> None:
    window.click_cell("2 monday")
    window.shows(place=[1, 3, 1])
    window.click_cell("3 next")
    window.shows(place=[1, 2, 3])
    window.click_image(50, 50)
    window.user.press("p")
    window.shows(message="spine 4 of monday is spine 9 of next; Link Again applies it")
    assert window.rows() == ["link,monday,4,next,9"]
    window.click_cell("1 friday, late")
    window.click_image(12, 20)
    window.shows(chosen="Chosen: spine 5 of friday, late (track 1, present), and spine 9 of next (track 3, present)")
    for key, row in (("s", 'cut,"friday, late",5,next,7'), ("a", 'cut,monday,3,"friday, late",5'),
                     ("b", 'bad,"friday, late",5,,')):
        window.user.press(key)
        window.user.until(lambda row=row: window.rows()[-1] == row, f"{row} is not written", 20)
    window.click_cell("2 friday, late")
    window.shows(chosen="Chosen: track 2 at friday, late (recovered)")
    window.user.click("Absent")
    window.user.until(lambda: window.rows()[-1] == 'absent,monday,4,"friday, late",', "absent is not written", 20)
    window.user.press("ctrl+z")
    window.user.press("ctrl+z")
    window.shows(message='took back: spine 5 of friday, late is no spine; Link Again applies it')
    assert len(window.rows()) == 3
    window.user.press("b")  # nothing was detected there
    window.shows(message="Track 2 was not detected at friday, late; choose a time point at which it was.")
    assert len(window.rows()) == 3


def test_keys_of_other_images_stay_those_of_imagej_and_nothing_is_left_when_it_closes(window: Followed) -> None:
    user = window.user
    before = window.state()
    tifffile.imwrite(window.links.with_name("other.tif"), np.zeros((2, 64, 64), np.uint8), imagej=True)
    user.host.ask("open", str(window.links.with_name("other.tif")))
    user.click_pixel("other.tif", 30, 30)
    user.press("a")  # Select All
    user.until(lambda: user.host.ask("script", str(JYTHON / "selection.py"), title="other.tif") == "0 0 64 64",
               "nothing is selected", 30)
    assert not window.links.exists()
    window.click_image(60, 5)
    user.press("a")
    window.shows(message="No spine is chosen; click one in the image or in the table.")
    user.host.ask("script", str(JYTHON / "follow_close.py"))
    after = window.shows(window=None)
    assert (after["outlines"], after["manager"]) == ({}, [])
    assert after["listeners"] == before["listeners"] - 1
    assert after["clicks"] == before["clicks"] - 1
    window.click_image(30, 30)
    user.press("a")
    user.until(lambda: user.host.ask("script", str(JYTHON / "selection.py"), title="timelapse_registered.tif")
               == "0 0 64 64", "the key does not mean what it does in ImageJ", 30)


@pytest.mark.slow
def test_a_link_that_was_cut_and_one_that_was_made_count_when_it_is_linked_again(visible: User, tmp_path: Path) -> None:
    folder, results, user = tmp_path / "series", tmp_path / "results", visible
    folder.mkdir()
    write_finished(folder, FIELD, TimeSeriesParameters(sessions=3), seed=6)
    user.host.ask("script", str(JYTHON / "close_all.py"))
    given = {"source": str(folder), "times": "0,4,8", "target": str(results)}
    assert user.host.ask("quietly", "Follow Spines...", **given) == "done"
    window = Followed(user, results)
    shown = window.shows(place=window.state()["place"])
    rows = [row for row in shown["rows"] if row[3:6] == ["present"] * 3][:2]
    one, other = (row[0] for row in rows)
    places = spines_of(results)
    for cell in (f"{one} t1", f"{other} t2"):
        window.click_cell(cell)
        user.until(lambda cell=cell: f"track {cell[:-3]}" in window.state()["chosen"].split(", and")[0], cell, 30)
    user.press("p")
    user.until(lambda: len(window.rows()) == 1, "no link", 30)
    window.click_cell(f"{other} t3")
    user.until(lambda: "of t3" in window.state()["chosen"].split(", and")[0], "not chosen", 30)
    user.press("a")
    user.until(lambda: len(window.rows()) == 2, "no cut", 30)
    before = window.state()["place"]
    user.click("Link Again")
    window.shows(message="linked again with 2 corrections", ready=True, place=before)
    track_of = {spine: track for (track, _), spine in spines_of(results).items()}
    first, second, third = places[one, "t1"], places[other, "t2"], places[other, "t3"]
    assert track_of[first] == track_of[second] != track_of[third]
    user.host.ask("script", str(JYTHON / "follow_close.py"))
    user.host.ask("script", str(JYTHON / "close_all.py"))


def spines_of(results: Path) -> dict[tuple[str, str], tuple[str, int]]:
    """Time point and number of all detected spines, by track and time point."""
    table = pd.read_csv(results / "timelapse_spines.csv")
    return {(str(row.track_id), row.time_point): (row.time_point, row.id)
            for row in table[table["id"] > 0].itertuples()}
