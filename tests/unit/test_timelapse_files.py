"""Following spines from files: which files a series has, what is written, what a person edits."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import xarray as xr

from deepd3_ij.cli import main
from deepd3_ij.cli.options import day_numbers
from deepd3_ij.errors import DeepD3Error
from deepd3_ij.files.hdf5 import read_rois, write_prediction, write_rois
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.opening import read_maps
from deepd3_ij.measurement import measure
from deepd3_ij.measurement.geometry import Placed
from deepd3_ij.outputs.timelapse_files import FILES_ENDING, TIMELAPSE_ENDINGS, read_edits
from deepd3_ij.outputs.timelapse_series import SeriesFile, read_time_point, series_of
from deepd3_ij.parameters import SimulationParameters, TimeSeriesParameters
from deepd3_ij.progress import no_progress
from deepd3_ij.rois import RoiSet
from deepd3_ij.service import following
from deepd3_ij.service.timelapse_verbs import follow_spines
from deepd3_ij.stack import label_like, label_prediction
from deepd3_ij.timelapse import link_timepoints
from tests.small_series import write_finished

FIELD = SimulationParameters(planes=12, height_px=220, width_px=220, dendrites=2, axons=0, blob_clusters=0, clouds=0)
CHANGES = TimeSeriesParameters(sessions=3, cut_planes=2, drift_z_um=1.0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stacks, and beside them analyses that found just what is there."""
    folder = tmp_path_factory.mktemp("series")
    write_finished(folder, FIELD, CHANGES, seed=6)
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
    ("file,time\nt1.tif,1\nt2.tif,\n", "line 3: the time is empty"),
    ("file,time,frame\nt1.tif,1,one\nt2.tif,2,\n", "the frame is 'one'"),
    ("file,time\nt1.tif,1\nt2.tif,1\n", "both have the time 1"), ("file,time\nt1.tif,1\nt1.tif,2\n", "the same data"),
    ("file,time\nt1.tif,1\n", "at least two"), ("file,time\nt1.tif,1\nt9.tif,2\n", "does not exist"),
    ("file,time,group\nt1.tif,1,../x\nt2.tif,2,../x\n", "a name that a file can have"),
    ("file,time,group\nt1.tif,1,\nt2.tif,2,\n", "the group is ''; accepted: a name that a file can have")])
def test_a_table_that_makes_no_series_is_told_in_one_sentence(finished: Path, text: str, words: str) -> None:
    table = finished / "wrong.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(DeepD3Error, match=words) as caught:
        series_of([table])
    assert "\n" not in str(caught.value)


def test_what_a_user_placed_and_the_voxel_size_are_those_of_the_finished_analysis(finished: Path) -> None:
    prediction = read_maps([finished / "t1.prediction"])
    rois = read_rois(finished / "t1.rois", like=prediction)
    stack = label_like(open_stack(finished / "t1.tif").values, prediction)
    spine = int(rois.ids[0])
    zyx = measure(rois, prediction, stack).spines.set_index("id").loc[spine, ["z_um", "y_um", "x_um"]].tolist()
    ends = Placed((zyx[0], zyx[1] + 1, zyx[2]), (zyx[0], zyx[1], zyx[2] + 0.5))
    write_prediction(finished / "placed.prediction", prediction)
    tifffile.imwrite(finished / "placed.tif", stack.values)  # does not tell its voxel size
    write_rois(finished / "placed.rois", rois, measure(rois, prediction, stack, placed={spine: ends}).spines)
    reading = {"xy_um": None, "z_um": None, "channel": None, "frame": None}
    for suffix in (".tif", ".prediction"):
        point, is_new = read_time_point(SeriesFile(finished / f"placed{suffix}", 0), finished, None, {}, reading)
        own = point.spines.set_index("id").loc[spine]
        assert not is_new
        assert own["geometry_source"] == "user"
        assert own["length_um"] == pytest.approx(np.linalg.norm(np.subtract(ends.base_zyx_um, ends.tip_zyx_um)))
        assert (point.spines["geometry_source"] == "user").sum() == 1


def test_an_analysis_that_is_named_is_read_also_if_the_folder_has_another_one(finished: Path, tmp_path: Path) -> None:
    prediction = read_maps([finished / "t2.prediction"])
    write_prediction(tmp_path / "t2.prediction", prediction)
    write_rois(tmp_path / "t2.rois", RoiSet.from_labels(np.zeros(prediction["spine"].shape, np.int32), prediction))
    named, stack = (read_time_point(SeriesFile(finished / f"t2{suffix}", 0), tmp_path, None, {}, {})[0]
                    for suffix in (".prediction", ".tif"))
    assert len(named.spines) > 0
    assert len(stack.spines) == 0


def test_names_of_edits_and_groups_are_texts(finished: Path) -> None:
    (finished / "s_links_user.csv").write_text("action,time_point,id,other_time_point,other_id\nbad,001,3,,\n"
                                               "cut,001,2,20240105,4\n", encoding="utf-8")
    edits = read_edits(finished, "s")
    assert edits is not None
    assert edits["time_point"].tolist() == ["001", "001"]
    assert edits["other_time_point"].tolist() == ["", "20240105"]
    table = finished / "groups.csv"
    table.write_text("file,time,group\nt1.tif,1,01\nt2.tif,2,01\n", encoding="utf-8")
    assert list(series_of([table])) == ["01"]


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


@pytest.fixture(scope="module")
def whole(finished: Path) -> np.ndarray:
    """All time points in one array (t, z, y, x); those with fewer planes are filled up."""
    values = [open_stack(finished / f"t{number}.tif").values for number in (1, 2, 3)]
    planes = max(len(each) for each in values)
    return np.stack([np.pad(each, ((0, planes - len(each)), (0, 0), (0, 0)), mode="edge") for each in values])


def written(path: Path, whole: np.ndarray, **metadata: object) -> Path:
    """An ImageJ hyperstack, or an OME-TIFF if its name says so."""
    imagej = not path.name.endswith(".ome.tif")
    sizes = {} if imagej else {"PhysicalSizeX": 0.12, "PhysicalSizeY": 0.12, "PhysicalSizeZ": 1.0}
    about = {"unit": "um", "spacing": 1.0} if imagej else sizes
    tifffile.imwrite(path, whole[:, :, None] if imagej else whole, imagej=imagej, ome=not imagej,
                     resolution=(1 / 0.12, 1 / 0.12),
                     metadata={"axes": "TZCYX" if imagej else "TZYX", **about, **metadata})
    return path


@pytest.mark.parametrize(("name", "metadata", "days"), [
    ("interval.tif", {"finterval": 43200.0}, [0, 0.5, 1]),
    ("unit.tif", {"finterval": 2.0, "tunit": "hours"}, [0, 1 / 12, 1 / 6]),
    ("plain.tif", {}, [0, 1, 2]), ("zero.tif", {"finterval": 0.0}, [0, 1, 2]),
    ("plain.ome.tif", {}, [0, 1, 2]),
    ("increment.ome.tif", {"TimeIncrement": 2.0, "TimeIncrementUnit": "d"}, [0, 2, 4]),
    ("delta.ome.tif", {"Plane": {"DeltaT": [1.0 + 4 * (each // 12) for each in range(36)],
                                 "DeltaTUnit": ["d"] * 36}}, [0, 4, 8])])
def test_the_time_points_of_one_file_have_the_times_that_it_tells(
    tmp_path: Path, whole: np.ndarray, name: str, metadata: dict[str, object], days: list[float]
) -> None:
    file = written(tmp_path / name, whole, **metadata)
    (members,) = series_of([file]).values()
    assert [member.time for member in members] == pytest.approx(days)
    assert [member.stem for member in members] == [f"{name.split('.')[0]}_t{number}" for number in (1, 2, 3)]
    assert [member.time for member in series_of([file], [0, 7, 9])["timelapse"]] == [0, 7, 9]


def test_a_file_with_a_time_axis_is_followed_and_its_results_have_names_of_their_own(
    finished: Path, whole: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "stack.tif", whole, finterval=86400.0)
    for frame in (0, 1, 2):
        labels = read_rois(finished / f"t{frame + 1}.rois", like=read_maps([finished / f"t{frame + 1}.prediction"]))
        like = open_stack(file, frame=frame)
        volume = np.zeros(like.shape, np.int32)
        volume[:len(labels.labels)] = labels.labels
        dendrite = np.zeros(like.shape, np.float32)
        dendrite[:len(labels.labels)] = read_maps([finished / f"t{frame + 1}.prediction"])["dendrite"]
        prediction = label_prediction(dendrite, (volume > 0).astype(np.float32), like, {})
        write_prediction(tmp_path / f"stack_t{frame + 1}.prediction", prediction)
        write_rois(tmp_path / f"stack_t{frame + 1}.rois", RoiSet.from_labels(volume, prediction))
    assert main(["timelapse", str(file), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    assert "stack_t2 to stack_t3" in capsys.readouterr().out
    assert set(pd.read_csv(tmp_path / "out" / "timelapse_spines.csv")["time_point"]) == {
        "stack_t1", "stack_t2", "stack_t3"}
    assert [(member.stem, member.time) for member in series_of([tmp_path / "out" / f"timelapse{FILES_ENDING}"])[
        "timelapse"]] == [("stack_t1", 0), ("stack_t2", 1), ("stack_t3", 2)]
    for arguments, words in ((["--times", "0,1"], "3 time points"), (["--frame", "1"], "leave out --frame"),
                             (["--times", "0,1,1"], "stack_t2 and stack_t3 both have the time 1")):
        assert main(["timelapse", str(file), *arguments, "--out", str(tmp_path / "no"), "--quiet"]) == 1
        told = capsys.readouterr().err
        assert words in told
        assert told.count("\n") == 1


def test_edited_rois_of_a_time_point_within_a_file_are_read_again(whole: np.ndarray, tmp_path: Path) -> None:
    file = written(tmp_path / "stack.tif", whole, finterval=86400.0)
    (members,) = series_of([file]).values()
    before = following._states_of_files(members, tmp_path)
    (tmp_path / "stack_t2.rois").write_text("edited")
    assert following._states_of_files(members, tmp_path) != before


def test_labelled_arrays_with_a_time_axis_are_followed(finished: Path) -> None:
    predictions = [read_maps([finished / f"t{number}.prediction"]) for number in (1, 1)]
    rois = read_rois(finished / "t1.rois", like=predictions[0]).labels.values
    lost = np.where(rois == rois.max(), 0, rois)
    series = xr.concat([each.drop_attrs(deep=False).assign_attrs(voxel_size_um=each.attrs["voxel_size_um"])
                        for each in predictions], dim="t").assign_coords(t=[3.0, 7.0])
    series = series.assign(labels=(("t", "z", "y", "x"), np.stack([rois, lost])))
    found = link_timepoints(series)
    assert [point.time for point in found.points] == [3, 7]
    assert len(found.tracks) == len(np.unique(rois)) - 1
    assert (found.spines["id"] == 0).sum() == 1
    with pytest.raises(DeepD3Error, match="dimensions t, z, y, x"):
        link_timepoints(series.isel(t=0))


def test_a_simulated_series_is_written_with_its_truth(tmp_path: Path) -> None:
    assert main(["simulate", "--series", "2", "--planes", "8", "--height", "96", "--width", "96", "--cut-planes", "1",
                 "--out", str(tmp_path), "--quiet"]) == 0
    truth = pd.read_csv(tmp_path / "simulated_0000_tracks.csv")
    assert set(truth["session"]) == {1, 2}
    assert [member.path.name for member in series_of([tmp_path / "simulated_0000_timepoints.csv"])["timelapse"]] == [
        "simulated_0000_t1.tif", "simulated_0000_t2.tif"]


def test_the_verb_tells_what_a_window_shows_and_links_again_without_reading_anew(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "results"
    values = follow_spines(no_progress, source=";".join(stacks(finished)), times="0,4,8", target=str(results)).values
    json.dumps(values, allow_nan=False)
    assert [point["time"] for point in values["time_points"]] == [0, 4, 8]
    assert len(values["tracks"]) == len(pd.read_csv(results / "timelapse_tracks.csv"))
    assert Path(values["hyperstack"]).is_file()
    assert Path(values["montage"]).is_file()
    of = {(spine["track_id"], spine["time_point"]): spine for spine in values["spines"]}
    track = next(track["track_id"] for track in values["tracks"] if track["states"] == ["present"] * 3)
    one, other = of[track, 0], of[track, 1]
    assert other["link_probability"] > 0.5
    assert len(other["outline"]) > 3
    Path(values["links_user"]).write_text(
        f"action,time_point,id,other_time_point,other_id\ncut,t1,{one['id']},t2,{other['id']}\n", encoding="utf-8")

    monkeypatch.setattr(following, "read_time_point", None)  # it would fail if anything were read again
    again = follow_spines(no_progress, source=";".join(stacks(finished)), times="0,4,8", target=str(results)).values
    of_roi = {(spine["time_point"], spine["id"]): spine["track_id"] for spine in again["spines"]}
    assert of_roi[0, one["id"]] != of_roi[1, other["id"]]
    monkeypatch.undo()
    earlier = follow_spines(no_progress, source=str(results), target=str(results)).values
    assert earlier["tracks"] == again["tracks"]
    alone = tmp_path / "alone"
    alone.mkdir()
    for number in (1, 2, 3):
        for ending in (".tif", ".prediction", ".rois"):
            shutil.copy(finished / f"t{number}{ending}", alone)
    in_folder = follow_spines(no_progress, source=str(alone), target=str(tmp_path / "other")).values
    assert [point["name"] for point in in_folder["time_points"]] == ["t1", "t2", "t3"]


@pytest.mark.parametrize(("source", "times", "words"), [
    ("t1.tif", "", "at least two"), ("t1.tif;t2.tif", "0,x", "days separated by commas"),
    ("t1.tif;t2.tif", "0,nan", "days separated by commas"),
    ("t1.tif;t2.tif", "0", "2 files and 1 times"), ("t1.tif;t2.tif", "3,3", "a time of its own"),
    ("t1.tif;nowhere.tif", "", "does not exist")])
def test_what_the_verb_cannot_follow_is_told_in_one_sentence(
    finished: Path, tmp_path: Path, source: str, times: str, words: str
) -> None:
    files = ";".join(str(finished / name) for name in source.split(";"))
    with pytest.raises(DeepD3Error, match=words) as caught:
        follow_spines(no_progress, source=files, times=times, target=str(tmp_path))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("timelapse*"))


def test_registered_images_are_no_stack_to_follow(finished: Path, tmp_path: Path) -> None:
    follow_spines(no_progress, source=";".join(stacks(finished)), target=str(tmp_path))
    (tmp_path / "timelapse_files.csv").unlink()
    with pytest.raises(DeepD3Error, match="holds no stack"):
        follow_spines(no_progress, source=str(tmp_path), target=str(tmp_path))
