"""What a user gets who makes a mistake: one line, exit code 1, nothing written."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from deepd3_ij.cli import main
from deepd3_ij.files.hdf5 import write_prediction
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.stack import label_prediction, label_stack

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

STACK_MISTAKES = {
    "text.tif": "is not a TIFF file",
    "empty.tif": "is empty",
    "cut.tif": "is truncated",
    "colour.tif": "is a colour image",
    "channels.tif": "choose one with --channel",
    "nan.tif": "NaN or infinite",
    "infinite.tif": "NaN or infinite",
    "no_size.tif": "give it in µm with --xy and --z",
    "missing.tif": "does not exist",
    "folder": "is a folder",
}
OPTION_MISTAKES = [
    ("--channel 1", "no channel 1"),
    ("--frame 1", "no frame 1"),
    ("--channel -1", "no channel -1"),
    ("--xy 0", "xy_um is 0"),
    ("--xy nan", "xy_um is nan"),
    ("--z -1", "z_um is -1"),
    ("--xy 1e-9", "accepted for a voxel size"),
    ("--z 1e9", "accepted for a voxel size"),
    ("--z-range 2:99", "accepted: planes within 0:3"),
    ("--region 0,0,9999,9999", "accepted: a box within the"),
    ("--area-threshold 1.5", "area_threshold is 1.5; accepted: a number from 0 to 1"),
    ("--dendrite-threshold nan", "dendrite_threshold is nan"),
    ("--min-voxels 5 --max-voxels 2", "min_voxels is 5; accepted: at most max_voxels (2)"),
    ("--tiling inset --tile 100", "tile_px is 100; accepted: a multiple of 16"),
    ("--tiling inset --tile 64", "inset_px is 96"),
    ("--rois 2d --peak-threshold 0.5", "--peak-threshold has no effect on 2-D ROIs"),
    ("--rois 3d --max-dendrite-distance-px 5", "--max-dendrite-distance-px has no effect on 3-D ROIs"),
    ("--no-clean --closing-iterations 2", "--closing-iterations has no effect with --no-clean"),
    ("--model nonsense", "accepted: a .keras or .h5 file, or one of"),
    ("--model missing.keras", "There is no model file"),
    ("--model text.keras", "is no model file"),
    ("--model lambda.keras", "is no DeepD3 model"),
    ("--model pickle.h5", "is no model file"),
    ("--model folder", "is a folder"),
]
USAGE_MISTAKES = ["", "nonsense", "analyze", "analyze good.tif", "analyze good.tif --out x --min-voxels 1.5",
                  "analyze good.tif --out x --area-threshold much", "analyze good.tif --out x --tiling round",
                  "analyze good.tif --out x --z-range 3:3", "analyze good.tif --out x --region 1,2,3",
                  "analyze good.tif --out x --xy wide",
                  "analyze good.tif --out x --rois 4d", "analyze good.tif --out x --nonsense 1", "models",
                  "models show a b", "demo extra", "evaluate one.csv"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    rng = np.random.default_rng(0)
    write_stack(folder / "good.tif", label_stack(rng.integers(0, 255, (3, 32, 32)).astype(np.uint8), xy_um=0.1,
                                                 z_um=0.5))
    (folder / "text.tif").write_text("hello")
    (folder / "empty.tif").write_bytes(b"")
    (folder / "cut.tif").write_bytes((folder / "good.tif").read_bytes()[:2000])
    (folder / "folder").mkdir()
    tifffile.imwrite(folder / "colour.tif", np.zeros((4, 32, 32, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(folder / "no_size.tif", np.zeros((3, 32, 32), np.uint8), photometric="minisblack")
    calibrated = {"imagej": True, "resolution": (10, 10)}
    tifffile.imwrite(folder / "channels.tif", np.zeros((3, 2, 32, 32), np.uint8), **calibrated,
                     metadata={"axes": "ZCYX", "unit": "um", "spacing": 0.5})
    for name, value in (("nan", np.nan), ("infinite", np.inf)):
        pixels = np.ones((3, 32, 32), np.float32)
        pixels[1, 2, 3] = value
        tifffile.imwrite(folder / f"{name}.tif", pixels, **calibrated,
                         metadata={"axes": "ZYX", "unit": "um", "spacing": 0.5})

    (folder / "text.keras").write_text("hello")
    (folder / "pickle.h5").write_bytes(pickle.dumps({"a": 1}))
    with zipfile.ZipFile(folder / "lambda.keras", "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda", "config": {}}')
        archive.writestr("model.weights.h5", b"")

    maps = rng.random((3, 32, 32)).astype(np.float32)
    for name, values, xy_um in (("map", maps, 0.1), ("short", maps[:2], 0.1), ("large", maps * 9, 0.1),
                                ("coarse", maps, 0.2)):
        write_stack(folder / f"{name}.tif", label_stack(values, xy_um=xy_um, z_um=0.5))
    like = label_stack(maps, xy_um=0.1, z_um=0.5)
    write_prediction(folder / "good.prediction", label_prediction(maps, maps, like, {}))
    for name, bad in (("nan", np.nan), ("high", 7)):
        values = maps.copy()
        values[0, 0, 0] = bad
        write_prediction(folder / f"{name}.prediction", label_prediction(maps, values, like, {}))
    odd = {"model": {"name": "x", "recommended": {"Roi3DParameters": 7}}}
    write_prediction(folder / "odd.prediction", label_prediction(maps, maps, like, odd))
    (folder / "text.prediction").write_text("hello")
    (folder / "text.zip").write_bytes(b"PK\x03\x04hello")

    (folder / "spines.csv").write_text("id,z_px,y_px,x_px\n1,1,2,3\n")
    (folder / "other.csv").write_text("a,b\n1,2\n")
    (folder / "word.csv").write_text("id,z_px,y_px,x_px\n1,1,oops,3\n")
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    (folder / "text.swc").write_text("nonsense")
    return folder


def _fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The single line on stderr."""
    capsys.readouterr()
    assert main(arguments) == 1
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("deepd3-ij: ")]
    assert len(lines) == 1
    assert said.err.splitlines()[-1] == lines[0]
    assert "unexpected" not in lines[0]
    assert "Traceback" not in said.err
    return lines[0]


@pytest.mark.parametrize("command", ["analyze", "segment"])
@pytest.mark.parametrize(("name", "reason"), STACK_MISTAKES.items())
def test_unusable_stacks_are_refused(command: str, name: str, reason: str, files: Path, tmp_path: Path,
                                     capsys: pytest.CaptureFixture[str]) -> None:
    assert reason in _fails([command, str(files / name), "--out", str(tmp_path / "out"), "--quiet"], capsys)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(("options", "reason"), OPTION_MISTAKES)
def test_unusable_options_are_refused(options: str, reason: str, files: Path, tmp_path: Path,
                                      capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert reason in _fails(["analyze", "good.tif", "--out", str(tmp_path), "--quiet", *options.split()], capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", USAGE_MISTAKES)
def test_wrong_usage_is_exit_code_2_and_one_line(line: str, files: Path, capsys: pytest.CaptureFixture[str],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    with pytest.raises(SystemExit) as end:
        main(line.split())
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--help" in error
    assert not (files / "x").exists()


@pytest.mark.parametrize(("maps", "reason"), [
    ("--dendrite map.tif --spine short.tif", "different shapes: (3, 32, 32) in map.tif and (2, 32, 32) in short.tif"),
    ("--dendrite map.tif --spine coarse.tif", "different voxel sizes"),
    ("--dendrite map.tif --spine large.tif", "a probability map has values from 0 to 1"),
    ("--dendrite nan.tif --spine map.tif", "NaN"),
    ("--dendrite text.tif --spine map.tif", "is not a TIFF file"),
    ("--dendrite map.tif", "--prediction FILE (.prediction or OME-Zarr), or as --dendrite TIFF and --spine TIFF"),
    ("", "--prediction FILE (.prediction or OME-Zarr), or as --dendrite TIFF and --spine TIFF"),
    ("--prediction good.prediction --spine map.tif", "--prediction FILE (.prediction or OME-Zarr), or as"),
    ("--prediction text.prediction", "no HDF5 file"),
    ("--prediction missing.prediction", "does not exist"),
    ("--prediction nan.prediction", "holds values from nan to nan"),
    ("--prediction high.prediction", "The spine map in high.prediction holds values"),
    ("--prediction odd.prediction", "recommends 7"),
])
@pytest.mark.parametrize("command", ["clean", "rois", "measure map.tif"])
def test_unusable_maps_are_refused(command: str, maps: str, reason: str, files: Path, tmp_path: Path,
                                   capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if command.startswith("measure") and "odd" in maps:
        command = "measure good_rois.tif"
        labels = np.zeros((3, 32, 32), np.uint8)
        labels[1, 4:9, 4:9] = 1
        write_stack(files / "good_rois.tif", label_stack(labels, xy_um=0.1, z_um=0.5))
    monkeypatch.chdir(files)
    assert reason in _fails([*command.split(), *maps.split(), "--out", str(tmp_path), "--quiet"], capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("rois", "reason"), [
    ("short.tif", "has shape (2, 32, 32)"), ("map.tif", "is no ROI map"), ("text.tif", "is not a TIFF file"),
    ("text.zip", "text.zip"), ("missing.zip", "missing.zip"), ("missing.rois", "does not exist"),
    ("good.prediction", "good.prediction"),
])
def test_unusable_rois_are_refused(rois: str, reason: str, files: Path, tmp_path: Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    assert reason in _fails(["measure", str(files / rois), "--prediction", str(files / "good.prediction"),
                             "--out", str(tmp_path)], capsys)


def test_a_stack_of_another_size_is_no_source_of_intensities(files: Path, tmp_path: Path,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    maps = ["--prediction", str(files / "good.prediction"), "--out", str(tmp_path), "--quiet"]
    assert main(["rois", *maps]) == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("[!.]*")}
    assert "shape" in _fails(["measure", str(tmp_path / "good_rois.zip"), *maps, "--stack", str(files / "short.tif")],
                             capsys)
    assert {path: path.read_bytes() for path in tmp_path.glob("[!.]*")} == before


@pytest.mark.parametrize(("tables", "reason"), [
    ("other.csv spines.csv", "give it in µm with --xy and --z"),
    ("other.csv spines.csv --xy 0.1 --z 0.5", "has the columns a, b"),
    ("spines.csv word.csv --xy 0.1 --z 0.5", "oops"),
    ("binary.csv spines.csv", "binary.csv"),
    ("missing.csv spines.csv", "missing.csv"),
    ("spines.csv spines.csv --xy -1 --z 0.5", "xy_um is -1"),
    ("spines.csv spines.csv --xy 0.1 --z 0.5 --dendrites text.swc", "text.swc"),
    ("spines.csv spines.csv --xy 0.1 --z 0.5 --json no/where.json", "no/where.json cannot be written"),
    ("spines.csv spines.csv --xy 0.1 --z 0.5 --json folder", "is a folder"),
    ("spines.csv spines.csv --xy 0.1 --z 0.5 --match-z-planes -1", "match_z_planes is -1"),
])
def test_unusable_tables_are_refused(tables: str, reason: str, files: Path, capsys: pytest.CaptureFixture[str],
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert reason in _fails(["evaluate", *tables.split()], capsys)


@pytest.mark.parametrize(("line", "reason"), [
    ("show nonsense", "accepted: a .keras or .h5 file, or one of"), ("show text.keras", "is no model file"),
    ("show pickle.h5", "is no model file"), ("get nonsense", "no model 'nonsense' in the Zoo"),
])
def test_unknown_models_are_refused(line: str, reason: str, files: Path, capsys: pytest.CaptureFixture[str],
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert reason in _fails(["models", *line.split()], capsys)


@pytest.mark.parametrize("command", ["demo", "analyze good.tif", "segment good.tif",
                                     "rois --prediction good.prediction", "clean --prediction good.prediction"])
@pytest.mark.parametrize(("out", "reason"), [("good.tif", "a file has this name"), ("good.tif/x", "is not a folder")])
def test_an_output_folder_that_is_a_file_is_refused(command: str, out: str, reason: str, files: Path,
                                                    capsys: pytest.CaptureFixture[str],
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    assert reason in _fails([*command.split(), "--out", out], capsys)


def test_the_demo_does_not_replace_what_somebody_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sample_rois.zip").write_text("mine")
    assert "sample_rois.zip was not written by DeepD3" in _fails(["demo", "--out", str(tmp_path)], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["sample_rois.zip"]


def test_a_folder_without_permission_is_refused(files: Path, locked_folder: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    assert "no permission" in _fails(["clean", "--prediction", str(files / "good.prediction"), "--out",
                                      str(locked_folder)], capsys)


def test_a_name_taken_by_a_folder_is_refused_before_anything_is_replaced(files: Path, tmp_path: Path,
                                                                         capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good_spines.csv").mkdir()
    (tmp_path / "good_roi_map.tif").write_text("earlier")
    assert "is a folder" in _fails(["rois", "--prediction", str(files / "good.prediction"), "--out", str(tmp_path)],
                                   capsys)
    assert (tmp_path / "good_roi_map.tif").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good_roi_map.tif", "good_spines.csv"]


def test_a_folder_of_the_users_is_not_taken_for_outlines(files: Path, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "notes.txt").write_text("mine")
    shutil.copy(files / "good.prediction", tmp_path)
    assert "good was not written by DeepD3" in _fails(
        ["rois", "--prediction", str(files / "good.prediction"), "--roi-folder", "--out", str(tmp_path)], capsys)
    assert (tmp_path / "good" / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2
