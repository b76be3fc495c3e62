"""Commands that wait for a user, on a display: live previews, the live test, the review macro."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij import label_prediction, label_stack
from deepd3_ij.files.d3data import read_d3data
from deepd3_ij.files.hdf5 import read_rois, write_prediction
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.parameters import Roi3DParameters, SimulationParameters
from deepd3_ij.rois import build_rois_3d
from tests.scripts.user import User

pytestmark = pytest.mark.display
SHAPE = (5, 200, 300)
MAPS = str(Path(__file__).parent / "jython" / "maps_over_stack.py")
REMOVED = str(Path(__file__).parent / "jython" / "removed_pixels.py")
TESTED = {"peak_threshold": 0.8, "area_threshold": 0.25, "seed_delta": 0.2, "distance_um": 2.0, "min_voxels": 20}


@pytest.fixture
def stack_with_prediction(visible: User, tmp_path: Path) -> Path:
    """A stack and its prediction, both open; the prediction is active."""
    spine = np.zeros(SHAPE, np.float32)
    for number, (y, x) in enumerate([(20, 30), (60, 250), (150, 40), (170, 260), (100, 150)]):
        spine[1:4, y - 4:y + 4, x - 4:x + 4] = 0.82 + 0.03 * number
    dendrite = np.zeros_like(spine)
    dendrite[:, 80:90, :100] = 0.9
    dendrite[2, 195:197, 295:297] = 0.9
    path = tmp_path / "cell.tif"
    stack = label_stack((spine * 200).astype(np.uint8), xy_um=0.1, z_um=0.5, source=path.name)
    write_stack(path, stack)
    write_prediction(tmp_path / "cell.prediction", label_prediction(dendrite, spine, stack, {}))
    visible.host.ask("script", str(Path(__file__).parent / "jython" / "close_all.py"))
    assert visible.host.ask("quietly", "Open DeepD3 Stack...", path=path, saved="true") == "done"
    assert visible.look()["role"] == "prediction"
    return path


def previewed(visible: User) -> str:
    return str(visible.until(lambda: (text := visible.dialog()["message"]).startswith("Preview") and text,
                             "no preview"))


def test_a_preview_of_cleaning_follows_the_fields_and_leaves_the_prediction(visible: User,
                                                                            stack_with_prediction: Path) -> None:
    before = visible.look()
    visible.host.ask("start", "dialog", "Clean DeepD3 Prediction...")
    assert visible.dialog()["preview"] is False
    visible.enter("closing", "false")
    visible.enter("spine_distance_um", "100")
    visible.enter("preview", "true")
    assert previewed(visible) == "Preview of planes 1 to 5: yellow is removed"
    first = visible.until(lambda: (seen := visible.look())["rois"] == SHAPE[0] and seen, "nothing is shown")
    assert {name: first[name] for name in ("sum", "provenance")} == {
        name: before[name] for name in ("sum", "provenance")}
    assert visible.host.ask("script", REMOVED) == "4"  # the small piece of dendrite, 2 x 2 pixels in one plane
    visible.enter("min_dendrite_voxels", "1")
    visible.until(lambda: visible.host.ask("script", REMOVED) == "0", "the preview does not follow")
    visible.enter("cancel")
    assert visible.host.ask("wait") == "cancelled"
    assert visible.look() == before


def test_cleaning_after_a_preview_does_what_was_seen(visible: User, stack_with_prediction: Path) -> None:
    before = visible.look()
    visible.host.ask("start", "dialog", "Clean DeepD3 Prediction...")
    visible.dialog()
    visible.enter("closing", "false")
    visible.enter("preview", "true")
    previewed(visible)
    visible.enter("ok")
    assert visible.host.ask("wait") == "done"
    after = visible.look()
    assert after["sum"] < before["sum"]
    assert after["rois"] == before["rois"]  # the preview is gone
    assert "CleaningParameters" in after["provenance"]


@pytest.mark.parametrize(("command", "field"), [("Build 3D ROIs...", "area_threshold"),
                                                ("Build 2D ROIs...", "spine_threshold")])
def test_a_preview_of_rois_shows_outlines_until_the_dialog_closes(visible: User, stack_with_prediction: Path,
                                                                  command: str, field: str) -> None:
    before = visible.look()
    visible.host.ask("start", "dialog", command)
    visible.dialog()
    if "2D" in command:
        visible.enter("clean_rois", "false")
    visible.enter("preview", "true")
    previewed(visible)
    first = visible.until(lambda: (seen := visible.look())["rois"] >= 5 and seen, "no outlines")
    assert first["manager"] == 0
    visible.enter(field, "0.9")
    visible.until(lambda: 0 < visible.look()["rois"] < first["rois"], "the preview does not follow")
    visible.enter("preview", "false")
    visible.until(lambda: visible.look()["rois"] == before["rois"], "the preview stays")
    visible.enter("cancel")
    assert visible.host.ask("wait") == "cancelled"
    assert visible.look() == before


def test_an_image_that_was_closed_in_the_middle_is_named(visible: User, stack_with_prediction: Path) -> None:
    (worker,) = visible.host.workers()
    os.kill(worker, signal.SIGSTOP)  # so that the image closes before the answer comes
    visible.host.ask("start", "quietly", "Build 3D ROIs...")
    time.sleep(6)  # by then it has read the image
    visible.host.ask("script", str(Path(__file__).parent / "jython" / "close_all.py"))
    os.kill(worker, signal.SIGCONT)
    assert "'cell prediction' was closed while the command ran" in visible.host.ask("wait")


def test_the_live_test_follows_clicks_and_sliders_and_hands_its_settings_over(
        visible: User, stack_with_prediction: Path) -> None:
    before = visible.look()
    visible.host.ask("start", "quietly", "Test 3D ROIs")
    visible.until(lambda: visible.host.ask("slider", "0"), "no dialog")
    visible.until(lambda: visible.look()["frame"] == [86, 36, 128, 128], "no frame")
    visible.click_pixel("cell prediction", 30, 20)
    corner = visible.until(lambda: (seen := visible.look())["frame"] == [0, 0, 128, 128] and seen, "no effect")
    assert corner["rois"] > 1
    visible.click_pixel("cell.tif", 150, 100)
    visible.until(lambda: visible.look()["frame"] == [86, 36, 128, 128], "the stack was clicked without effect")
    one = visible.until(lambda: (seen := visible.look())["rois"] > 1 and seen, "no ROI in the middle")
    visible.click_pixel("cell.tif", 30, 20)
    visible.until(lambda: visible.look()["frame"] == [0, 0, 128, 128], "the click had no effect")
    visible.step_slider(1, 2)  # peak threshold 0.9: higher than the peak in this corner
    visible.until(lambda: visible.look()["rois"] == 1, "the slider had no effect")  # the frame alone
    visible.click("Keep settings")
    assert visible.host.ask("wait") == "done"
    assert one["rois"] > 1
    assert visible.look()["rois"] == before["rois"]
    assert visible.host.ask("quietly", "Build 3D ROIs...") == "done"
    spine = open_stack(stack_with_prediction).values / np.float32(200)
    like = label_stack(spine, xy_um=0.1, z_um=0.5)
    maps = label_prediction(np.zeros_like(spine), spine, like, {})
    expected = build_rois_3d(maps, Roi3DParameters(peak_threshold=0.9))
    assert visible.look()["manager"] == sum(len(np.unique(plane)) - 1 for plane in expected.labels.values) == 6


def test_a_double_click_opens_the_live_test_there(visible: User, stack_with_prediction: Path) -> None:
    for title in ("cell prediction", "cell.tif"):
        for _ in range(5):  # on a busy machine the second click may come too late for a double click
            visible.click_pixel(title, 30, 20, times=2)
            with suppress(AssertionError):
                visible.until(lambda: visible.host.ask("slider", "0"), "no dialog", seconds=20)
                break
        else:
            pytest.fail(f"no double click opens the live test; log: {visible.host.log()[-2000:]}")
        visible.until(lambda: visible.look()["frame"] == [0, 0, 128, 128], "the test is elsewhere")
        visible.click("Close")
        visible.until(lambda: visible.look()["frame"] is None, "the outlines stay")


def test_maps_over_the_stack_follow_its_plane_until_they_are_taken_away(
        visible: User, stack_with_prediction: Path) -> None:
    def maps_in(plane: int) -> list[dict[str, float]]:
        return list(json.loads(visible.host.ask("script", MAPS, plane=str(plane))))

    assert visible.host.ask("quietly", "Show DeepD3 Maps over Stack...", opacity="0.25") == "done"
    for plane in (1, 4, 2):
        visible.until(lambda plane=plane: maps_in(plane) == [{"plane": plane, "opacity": 0.25}],
                      "the maps do not follow", 30)
    assert visible.host.ask("quietly", "Show DeepD3 Maps over Stack...", opacity="0") == "done"
    assert maps_in(3) == []


def test_corrected_rois_become_training_data(visible: User, stack_with_prediction: Path) -> None:
    assert visible.host.ask("quietly", "Build 3D ROIs...") == "done"
    found = visible.look()["manager"]
    left = int(visible.host.ask("script", str(Path(__file__).parent / "jython" / "delete_first_spine.py")))
    assert 0 < left < found
    out = stack_with_prediction.parent / "learned.d3data"
    for values in ({"overwrite": "false"}, {"overwrite": "true", "trust": "all"}):
        assert visible.host.ask("quietly", "Use as DeepD3 Training Data...", out=out, **values) == "done"
        data = read_d3data(out)
        spine = open_stack(stack_with_prediction).values > 0
        assert data.stack.shape == SHAPE
        assert data.dendrite.any()
        if values["overwrite"] == "false":  # what was deleted is none, what nobody touched does not count
            assert data.ignored is not None
            assert not data.spines.any()
            assert (data.ignored[spine] == 0).any()
            assert (data.ignored[spine] > 0).any()
        else:
            assert data.spines.any()
            assert data.spines[spine].mean() < 1
    assert "exists" in visible.host.ask("quietly", "Use as DeepD3 Training Data...", out=out)


def test_the_review_macro_waits_and_writes_the_corrected_tables(visible: User, fiji_folder: Path,
                                                                tmp_path: Path) -> None:
    from deepd3_ij.simulation import simulate

    scene = simulate(SimulationParameters(planes=7, height_px=160, width_px=160, spine_density_per_um=2.0), seed=1)
    path = tmp_path / "cell.tif"
    write_stack(path, scene.stack)
    visible.host.ask("script", str(Path(__file__).parent / "jython" / "close_all.py"))
    assert visible.host.ask("quietly", "Open DeepD3 Stack...", path=path) == "done"
    visible.host.ask("start", "macro", str(fiji_folder / "macros" / "DeepD3_Review.ijm"))
    visible.until(lambda: "DeepD3 Review" in visible.host.ask("windows"), "the macro does not wait", 300)
    assert not list(tmp_path.glob("*.csv"))
    found = visible.look()["manager"]
    assert found > 2
    # The user deletes the ROIs of the first spine.
    left = int(visible.host.ask("script", str(Path(__file__).parent / "jython" / "delete_first_spine.py")))
    assert 0 < left < found
    visible.click("OK")
    visible.host.ask("wait")
    table = pd.read_csv(tmp_path / "cell_spines.csv")
    rois = read_rois(tmp_path / "cell.rois", like=open_stack(path))
    assert len(table) == len(rois) > 0
    assert sum(len(np.unique(plane)) - 1 for plane in rois.labels.values) == left


@pytest.mark.fiji
def test_a_recorded_command_runs_again_without_asking(visible: User, stack_with_prediction: Path,
                                                      tmp_path: Path) -> None:
    if not visible.host.full:
        pytest.skip("needs a whole Fiji, whose dialogs record")
    visible.host.ask("script", str(Path(__file__).parent / "jython" / "record.py"))
    commands = ("Build 3D ROIs...", "Export DeepD3 Tables...")
    for command in commands:
        visible.host.ask("menu", command)
        visible.dialog()
        visible.enter("ok")
        visible.until(lambda: visible.host.ask("outcome") == "done", "the command does not end")
        visible.until(lambda command=command: f'run("{command}"' in visible.host.ask("recorded"),
                      "nothing is recorded")
    lines = [line for line in visible.host.ask("recorded").split("\t")
             if line.startswith(tuple(f'run("{command}"' for command in commands))]
    (tmp_path / "cell_spines.csv").unlink()
    macro = tmp_path / "recorded.ijm"
    macro.write_text("\n".join(lines))
    visible.host.ask("macro", str(macro), seconds=60)
    assert (tmp_path / "cell_spines.csv").is_file()
