"""The dialogs of the menu: what they show is what runs."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from deepd3_ij.model.card import attach_card, read_card
from deepd3_ij.model.zoo import find_model
from tests.imagej.private_display import private_display
from tests.scripts.host_process import Host
from tests.scripts.user import User

pytestmark = pytest.mark.display
CLOSE_ALL, SELECT, SLIDERS, MESSAGE = (str(Path(__file__).parent / "jython" / f"{name}.py") for name in (
    "close_all", "select", "sliders", "message"))
SHIPPED, OWN = "deepd3_ij_8F", "my_model"
RECOMMENDED = {"Roi3DParameters": {"mode": "floodfill", "area_threshold": 0.3, "peak_threshold": 0.6,
                                   "seed_delta": 0.5},
               "CleaningParameters": {"dendrite_threshold": 0.6}, "PredictionParameters": {"z_sigma_um": 0.0},
               "min_volume_um3": 0.05}
ANALYZE, SEGMENT, BUILD = "Analyze Dendrites and Spines...", "Segment Dendrites and Spines...", "Build 3D ROIs..."


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def models(cache: Path) -> Path:
    """The user's folder of models."""
    folder = cache / "deepd3_ij" / "models"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def user(fiji_folder: Path, tmp_path_factory: pytest.TempPathFactory, cache: Path, models: Path) -> Iterator[User]:
    """A user whose folder of models holds a model of their own, with other recommendations."""
    own = models / f"{OWN}.keras"
    shutil.copy(find_model(SHIPPED), own)
    attach_card(own, dataclasses.replace(read_card(own), name=OWN, recommended=RECOMMENDED))
    with private_display() as display:
        host = Host(fiji_folder, tmp_path_factory.mktemp("dialogs"), headless=False, display=display,
                    environment={"XDG_CACHE_HOME": str(cache)})
        yield User(host, display)
        host.close()


@pytest.fixture
def stack(user: User, stack_file: Path) -> Path:
    """A stack, alone."""
    user.host.ask("script", CLOSE_ALL)
    assert user.host.ask("run", "Open DeepD3 Stack...", path=stack_file) == "done"
    return stack_file


def open_dialog(user: User, command: str) -> dict[str, Any]:
    user.host.ask("start", "dialog", command)
    return user.dialog()


def accept(user: User) -> None:
    user.enter("ok")
    user.until(user.no_dialog, "the dialog stays open")
    assert user.host.ask("wait") == "done"


def choose(user: User, model: str) -> dict[str, Any]:
    """Choose a model and wait for its values."""
    user.enter("model", model)
    return dict(user.until(lambda: (seen := user.dialog())["model"] == model and seen, "the model does not answer"))


def stated(user: User) -> dict[str, Any]:
    """What the provenance of the active image, or of the ROIs on it, tells."""
    seen = user.look()
    return dict(json.loads(seen["rois_provenance"] or seen["provenance"]))


def set_settings(user: User, **settings: object) -> None:
    """Change settings; the message that tells them waits for its OK."""
    user.host.ask("start", "quietly", "DeepD3 Settings...", **settings)
    user.click("OK")
    assert user.host.ask("wait") == "done"


def as_texts(values: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in values.items()}


def assert_shown(shown: dict[str, str], provenance: dict[str, Any], kind: str, prefix: str = "") -> None:
    """Every value that ran is the one that was shown."""
    ran = as_texts(provenance[kind])
    assert {name: shown[prefix + name] for name in ran if prefix + name in shown} == ran
    assert set(ran) <= {name.removeprefix(prefix) for name in shown}


@pytest.mark.parametrize("model", [SHIPPED, OWN])
def test_analyze_runs_with_what_its_dialog_shows(user: User, stack: Path, model: str) -> None:
    assert OWN in open_dialog(user, ANALYZE)["choices"]["model"]
    shown = choose(user, model)["fields"]
    accept(user)
    provenance = stated(user)
    assert provenance["model"]["name"] == model
    for kind in ("PredictionParameters", "CleaningParameters", "Roi3DParameters"):
        assert_shown(shown, provenance, kind)
    assert set(provenance["origins"]["Roi3DParameters"].values()) == {"typed"}
    recommended = (RECOMMENDED if model == OWN else read_card(find_model(SHIPPED)).recommended)["Roi3DParameters"]
    assert as_texts(recommended).items() <= shown.items()


@pytest.mark.parametrize("model", [SHIPPED, OWN])
def test_segment_and_build_run_with_what_their_dialogs_show(user: User, stack: Path, model: str) -> None:
    open_dialog(user, SEGMENT)
    shown = choose(user, model)["fields"]
    accept(user)
    assert_shown(shown, stated(user), "PredictionParameters")
    seen = open_dialog(user, BUILD)
    accept(user)
    assert_shown(seen["fields"], stated(user), "Roi3DParameters")
    assert seen["origins"]["area_threshold"] == "model"
    assert seen["origins"]["min_planes"] == "default"


def test_a_value_that_is_the_tables_default_runs_where_the_model_recommends_another(user: User, stack: Path) -> None:
    assert user.host.ask("run", SEGMENT) == "done"
    assert open_dialog(user, BUILD)["fields"]["area_threshold"] != "0.25"
    user.enter("area_threshold", "0.25")
    assert user.dialog()["origins"]["area_threshold"] == "changed"
    accept(user)
    assert stated(user)["Roi3DParameters"]["area_threshold"] == 0.25


def test_another_model_refills_what_was_not_edited(user: User, stack: Path) -> None:
    before = open_dialog(user, ANALYZE)["fields"]
    user.enter("peak_threshold", "0.77")
    after = choose(user, OWN)
    assert before["mode"] != after["fields"]["mode"] == "floodfill"
    assert (after["fields"]["peak_threshold"], after["origins"]["peak_threshold"]) == ("0.77", "changed")
    assert (after["fields"]["seed_delta"], after["origins"]["seed_delta"]) == ("0.5", "model")
    assert choose(user, SHIPPED)["fields"] == {**before, "peak_threshold": "0.77"}
    user.enter("reset")
    user.until(lambda: user.dialog()["fields"] == before, "what was typed is not taken back")
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_a_model_that_cannot_be_used_is_told_in_the_dialog(user: User, stack: Path) -> None:
    open_dialog(user, SEGMENT)
    user.enter("model", "no_such_model")
    user.until(lambda: "no model 'no_such_model'" in user.dialog()["message"], "nothing is told")
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_a_value_that_is_not_accepted_is_marked_and_keeps_ok_from_being_pressed(user: User, stack: Path) -> None:
    open_dialog(user, ANALYZE)
    for text in ("7", "much", ""):
        user.enter("area_threshold", text)
        seen = user.dialog()
        assert (seen["ok"], seen["message"]) == (False, "Area threshold: a number from 0 to 1")
    user.enter("area_threshold", "0.5")
    assert user.dialog()["ok"]
    user.enter("min_voxels", "500000")
    user.enter("ok")
    user.until(lambda: "at most max_voxels" in user.dialog()["message"], "the values are not checked together")
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_enter_accepts_and_escape_cancels(user: User, stack: Path) -> None:
    for key, outcome in (("Escape", "cancelled"), ("Return", "done")):
        open_dialog(user, "Set DeepD3 Voxel Size...")
        user.focus("xy_um")
        user.press(key)
        assert user.host.ask("wait") == outcome


def test_planes_can_be_looked_up_while_a_dialog_is_open(user: User, stack: Path) -> None:
    open_dialog(user, SEGMENT)
    assert user.host.ask("script", str(Path(__file__).parent / "jython" / "next_plane.py")) == "plane 2"
    user.enter("first_plane", "2")
    user.enter("last_plane", "3")
    accept(user)
    user.until(lambda: user.look()["role"] == "prediction" and stated(user)["z_range"] == [1, 3], "other planes ran")


def test_fields_without_effect_are_greyed(user: User, stack: Path) -> None:
    assert user.host.ask("run", SEGMENT) == "done"
    open_dialog(user, BUILD)
    user.enter("mode", "floodfill")
    assert user.dialog()["greyed"] == ["dilation"]
    user.enter("mode", "connected")
    assert set(user.dialog()["greyed"]) == {"peak_threshold", "seed_delta", "distance_um"}
    user.enter("seed_delta", "7")
    assert not user.dialog()["ok"]
    assert "seed_delta" not in user.dialog()["greyed"]  # so that it can be corrected
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_only_the_selection_is_segmented_if_it_is_ticked(user: User, stack: Path) -> None:
    user.host.ask("script", SELECT)
    open_dialog(user, SEGMENT)
    user.until(lambda: "tick 'Only the selection'" in user.dialog()["message"], "the selection is not told")
    accept(user)
    assert "region" not in stated(user)
    user.host.ask("script", CLOSE_ALL)
    assert user.host.ask("run", "Open DeepD3 Stack...", path=stack) == "done"
    user.host.ask("script", SELECT)
    open_dialog(user, SEGMENT)
    user.enter("region", "true")
    user.until(lambda: user.dialog()["fields"]["region"] == "10,8,40,30", "the selection is not taken")
    assert user.dialog()["message"] == ""
    accept(user)
    assert stated(user)["region"] == [10, 8, 40, 30]


def test_the_selection_is_asked_for_if_there_is_none(user: User, stack: Path) -> None:
    open_dialog(user, ANALYZE)
    user.enter("region", "true")
    assert not user.dialog()["ok"]
    assert "draw a selection" in user.dialog()["message"]
    user.host.ask("script", SELECT)
    user.until(lambda: user.dialog()["ok"], "a selection that is drawn later does not count")
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_an_inverted_range_of_planes_is_told_in_the_dialog(user: User, stack: Path) -> None:
    open_dialog(user, SEGMENT)
    user.enter("first_plane", "3")
    user.enter("last_plane", "2")
    user.enter("ok")
    user.until(lambda: "inverted" in user.dialog()["message"], "nothing is told")
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_an_image_without_a_voxel_size_is_asked_for_it_and_goes_on(user: User, tmp_path: Path) -> None:
    user.host.ask("script", CLOSE_ALL)
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.zeros((4, 64, 64), np.uint8), photometric="minisblack")
    user.host.ask("open", str(path))
    assert open_dialog(user, SEGMENT)["title"] == "How large are the voxels of 'plain.tif'?"
    user.enter("xy_um", "0.12")
    user.enter("z_um", "0.7")
    user.enter("ok")
    user.until(lambda: not user.no_dialog() and user.dialog()["title"].startswith("Segment"), "it does not go on")
    accept(user)
    seen = user.look()
    assert (seen["role"], seen["pixel_width"]) == ("prediction", 0.12)
    open_dialog(user, BUILD)  # asked once
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_the_slider_says_which_plane_is_shown(user: User, stack: Path) -> None:
    assert user.host.ask("run", SEGMENT) == "done"
    user.until(lambda: user.host.ask("script", SLIDERS) == "[[3, 3], [3, 3]]", "slider and plane differ")


def test_the_doctor_tells_about_the_image_and_its_file(user: User, stack: Path) -> None:
    user.host.ask("start", "quietly", "DeepD3 Doctor...")
    told = str(user.until(lambda: user.host.ask("script", MESSAGE), "no report"))
    for part in ("Image 'small.tif': 96 x 64 pixels, 4 planes, 8 bit", "Voxel size: 0.1 x 0.1 x 0.5 micron",
                 "File small.tif", "voxel size from:"):
        assert part in told
    user.click("OK")
    assert user.host.ask("wait") == "done"


def test_a_file_that_is_needed_is_asked_for(user: User, stack: Path) -> None:
    seen = open_dialog(user, "Open DeepD3 Stack...")
    assert (seen["ok"], seen["message"]) == (False, "Image file: choose a file or folder")
    user.enter("path", str(stack))
    accept(user)


def test_a_macro_is_asked_nothing(user: User, stack: Path, tmp_path: Path) -> None:
    macro = tmp_path / "build.ijm"
    macro.write_text(f'run("{SEGMENT}", ""); run("{BUILD}", "seed_delta=0.4 watershed=true");')
    user.host.ask("macro", str(macro), seconds=120)
    origins = stated(user)["origins"]["Roi3DParameters"]
    assert {name for name, origin in origins.items() if origin == "typed"} == {"seed_delta", "watershed"}
    assert stated(user)["Roi3DParameters"]["watershed"] is True


def test_the_dialog_of_the_settings_shows_what_is_set(user: User, stack: Path) -> None:
    set_settings(user, threads=1, model=OWN)
    try:
        seen = open_dialog(user, "DeepD3 Settings...")
        assert (seen["fields"]["threads"], seen["fields"]["model"]) == ("1", OWN)
        user.enter("cancel")
        assert user.host.ask("wait") == "cancelled"
        seen = open_dialog(user, SEGMENT)
        assert (seen["model"], seen["origins"]["model"]) == (OWN, "default")
        user.enter("cancel")
        assert user.host.ask("wait") == "cancelled"
    finally:
        set_settings(user, threads=0, model="")


@pytest.mark.fiji
def test_a_recorded_command_names_every_field_and_runs_again_without_asking(user: User, stack: Path,
                                                                            tmp_path: Path) -> None:
    if not user.host.full:
        pytest.skip("needs a whole Fiji, which records")
    user.host.ask("script", str(Path(__file__).parent / "jython" / "record.py"))
    user.host.ask("menu", SEGMENT)
    user.dialog()
    user.enter("cancel")
    user.until(lambda: user.host.ask("outcome") == "cancelled", "the command does not end")
    for command in (SEGMENT, BUILD, "Export DeepD3 Tables..."):
        user.host.ask("menu", command)
        seen = user.dialog()["fields"]
        user.enter("ok")
        user.until(lambda: user.host.ask("outcome") == "done", "the command does not end")
        line = str(user.until(lambda command=command: next(
            (line for line in user.host.ask("recorded").split("\t") if line.startswith(f'run("{command}"')), None),
            "nothing is recorded"))
        for name, value in seen.items():
            assert f"{name}={value}" in line
    ours = tuple(f'run("{command}"' for command in (SEGMENT, BUILD, "Export DeepD3 Tables..."))
    lines = [line for line in user.host.ask("recorded").split("\t") if line.startswith(ours)]
    assert len(lines) == 3  # what was cancelled is not recorded
    table = stack.with_name("small_spines.csv")
    assert table.is_file()
    for earlier in stack.parent.glob("small_*.csv"):  # which the recorded command would not replace
        earlier.unlink()
    macro = tmp_path / "recorded.ijm"
    macro.write_text("\n".join(lines))
    user.host.ask("macro", str(macro), seconds=120)
    assert table.is_file()


def test_a_model_that_is_new_is_in_the_list_of_a_dialog_that_is_open(user: User, stack: Path, models: Path
                                                                      ) -> None:
    before = open_dialog(user, SEGMENT)
    assert "newest" not in before["choices"]["model"]
    shutil.copy(models / f"{OWN}.keras", models / "newest.keras")
    try:
        user.enter("model.list")
        user.until(lambda: "newest" in user.dialog()["choices"]["model"], "the list is as it was")
        assert user.dialog()["fields"] == before["fields"]
        user.enter("model", "newest")
        user.until(lambda: user.dialog()["model"] == "newest", "nothing follows it")
    finally:
        (models / "newest.keras").unlink()
    user.click("Cancel")
    assert user.host.ask("wait") == "cancelled"


def test_a_preset_refills_what_was_not_typed_and_is_taken_back(user: User, stack: Path) -> None:
    assert user.host.ask("run", SEGMENT) == "done"
    before = open_dialog(user, BUILD)
    for _ in range(2):  # a preset can be chosen again after it was taken back
        user.enter("min_peak", "0.65")
        user.enter("preset", "sensitive")
        seen = user.until(lambda: (seen := user.dialog())["origins"]["min_voxels"] == "preset" and seen,
                          "the preset sets nothing")
        assert (seen["fields"]["split_prominence"], seen["origins"]["split_prominence"]) == ("4.0", "preset")
        assert float(seen["fields"]["min_voxels"]) < float(before["fields"]["min_voxels"])
        assert (seen["fields"]["min_peak"], seen["origins"]["min_peak"]) == ("0.65", "changed")
        user.enter("reset")
        user.until(lambda: user.dialog()["fields"] == before["fields"], "the preset is not taken back")
        assert user.dialog()["origins"] == before["origins"]
    user.enter("cancel")
    assert user.host.ask("wait") == "cancelled"


def test_settings_of_a_training_follow_its_length(user: User) -> None:
    dialog = open_dialog(user, "Train DeepD3 Model...")
    assert (dialog["fields"]["steps"], dialog["greyed"][:1]) == ("3000", ["filters"])
    user.enter("length", "thorough")
    user.until(lambda: user.dialog()["fields"]["steps"] == "20000", "the steps are as they were")
    assert user.dialog()["origins"]["steps"] == "preset"
    user.enter("length", "own")
    user.until(lambda: user.dialog()["fields"]["steps"] == "3000", "own settings do not begin with the usual ones")
    user.enter("steps", "70")
    assert user.dialog()["greyed"] == []
    user.enter("length", "quick")
    user.until(lambda: user.dialog()["fields"]["steps"] == "3000", "what does not count is still shown")
    user.click("Cancel")
    assert user.host.ask("wait") == "cancelled"
