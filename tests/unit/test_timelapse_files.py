"""Following spines from files: which files a series has, what is written, what a person edits."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.cli import main
from deepd3_ij.cli.options import day_numbers
from deepd3_ij.errors import DeepD3Error
from deepd3_ij.files.hdf5 import write_prediction, write_rois
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.outputs.timelapse_files import TIMELAPSE_ENDINGS
from deepd3_ij.outputs.timelapse_series import series_of
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.rois import RoiSet
from deepd3_ij.simulation_series import simulate_timepoints
from deepd3_ij.stack import label_prediction

FIELD = SimulationParameters(planes=12, height_px=220, width_px=220, dendrites=2, axons=0, blob_clusters=0, clouds=0)
CHANGES = TimeSeriesParameters(sessions=3, cut_planes=2, drift_z_um=1.0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stacks, and beside them analyses that found just what is there."""
    folder = tmp_path_factory.mktemp("series")
    for number, point in enumerate(simulate_timepoints(FIELD, CHANGES, seed=6), start=1):
        scene = point.scene
        prediction = label_prediction(scene.dendrite.values.astype(np.float32),
                                      (scene.spine.values > 0).astype(np.float32), scene.stack, {})
        write_stack(folder / f"t{number}.tif", scene.stack)
        write_prediction(folder / f"t{number}.prediction", prediction)
        write_rois(folder / f"t{number}.rois", RoiSet.from_labels(scene.spine.values, prediction))
    return folder


def stacks(folder: Path) -> list[str]:
    return [str(folder / f"t{number}.tif") for number in (1, 2, 3)]


def test_finished_analyses_become_tables_transforms_and_pictures(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["timelapse", *stacks(finished), "--times", "0,4,8", "--out", str(tmp_path), "--quiet"]) == 0
    printed = capsys.readouterr().out
    assert "turnover" in printed
    for ending in TIMELAPSE_ENDINGS:
        assert (tmp_path / f"timelapse{ending}").stat().st_size > 100, ending
    assert not list(tmp_path.glob("t1*"))
    tracks = pd.read_csv(tmp_path / "timelapse_tracks.csv")
    spines = pd.read_csv(tmp_path / "timelapse_spines.csv")
    assert len(spines) == 3 * len(tracks) > 30
    transforms = json.loads((tmp_path / "timelapse_transforms.json").read_text(encoding="utf-8"))
    assert [np.shape(point["matrix_zyx1"]) for point in transforms["time_points"]] == [(4, 4)] * 3

    whole = spines[spines["id"] > 0].groupby("track_id").filter(lambda rows: len(rows) == 3)
    first, second = (whole[whole["track_id"] == whole["track_id"].unique()[0]].iloc[row] for row in (0, 1))
    edits = tmp_path / "timelapse_links_user.csv"
    one, other = (f"{row['time_point']},{row['id']}" for row in (first, second))
    edits.write_text(f"action,time_point,id,other_time_point,other_id\ncut,{one},{other}\n", encoding="utf-8")
    assert main(["timelapse", *stacks(finished), "--times", "0,4,8", "--out", str(tmp_path), "--quiet"]) == 0
    again = pd.read_csv(tmp_path / "timelapse_spines.csv")
    track_of = {(row.time_point, row.id): row.track_id for row in again[again["id"] > 0].itertuples()}
    assert track_of[first["time_point"], first["id"]] != track_of[second["time_point"], second["id"]]
    assert edits.read_text(encoding="utf-8").startswith("action")


def test_a_result_that_somebody_changed_is_kept(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "timelapse_tracks.csv").write_text("my own table\n", encoding="utf-8")
    assert main(["timelapse", *stacks(finished), "--out", str(tmp_path), "--quiet"]) == 1
    assert "would be replaced" in capsys.readouterr().err
    assert (tmp_path / "timelapse_tracks.csv").read_text(encoding="utf-8") == "my own table\n"


def test_a_table_names_files_times_and_groups(finished: Path) -> None:
    table = finished / "table.csv"
    table.write_text("file,time,group\nt3.tif,9,a\nt1.tif,0,a\nt2.tif,1,b\nt1.prediction,2,b\n", encoding="utf-8")
    series = series_of([table])
    assert {stem: [(member.path.name, member.time) for member in members] for stem, members in series.items()} == {
        "a": [("t1.tif", 0), ("t3.tif", 9)], "b": [("t2.tif", 1), ("t1.prediction", 2)]}


@pytest.mark.parametrize(("text", "words"), [
    ("file,day\nt1.tif,0\n", "no column 'time'"), ("file,time\nt1.tif,monday\nt2.tif,1\n", "a number of days"),
    ("file,time\nt1.tif,1\nt2.tif,1\n", "both have the time 1"), ("file,time\nt1.tif,1\nt1.tif,2\n", "the same data"),
    ("file,time\nt1.tif,1\n", "at least two"), ("file,time\nt1.tif,1\nt9.tif,2\n", "does not exist"),
    ("file,time,group\nt1.tif,1,../x\nt2.tif,2,../x\n", "a name that a file can have")])
def test_a_table_that_makes_no_series_is_told_in_one_sentence(finished: Path, text: str, words: str) -> None:
    table = finished / "wrong.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(DeepD3Error, match=words) as caught:
        series_of([table])
    assert "\n" not in str(caught.value)


def test_files_need_as_many_times_and_differ(finished: Path) -> None:
    with pytest.raises(DeepD3Error, match="3 files and 2 times"):
        series_of(stacks(finished), [0.0, 4.0])
    copy = finished / "copy.tif"
    copy.write_bytes((finished / "t1.tif").read_bytes())
    with pytest.raises(DeepD3Error, match="hold the same data"):
        series_of([*stacks(finished), str(copy)])
    assert day_numbers("0,4.5,9") == [0.0, 4.5, 9.0]
    with pytest.raises(argparse.ArgumentTypeError, match="a number of days"):
        day_numbers("0;4")


def test_a_simulated_series_is_written_with_its_truth(tmp_path: Path) -> None:
    assert main(["simulate", "--series", "2", "--planes", "8", "--height", "96", "--width", "96", "--cut-planes", "1",
                 "--out", str(tmp_path), "--quiet"]) == 0
    truth = pd.read_csv(tmp_path / "simulated_0000_tracks.csv")
    assert set(truth["session"]) == {1, 2}
    assert [member.path.name for member in series_of([tmp_path / "simulated_0000_timepoints.csv"])["timelapse"]] == [
        "simulated_0000_t1.tif", "simulated_0000_t2.tif"]
