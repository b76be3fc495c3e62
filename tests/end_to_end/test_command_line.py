"""The commands on a small simulated stack, with the bundled model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from deepd3_ij.cli import main
from deepd3_ij.files.hdf5 import read_prediction, read_rois
from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.tiff import write_stack
from deepd3_ij.parameters import SimulationParameters
from deepd3_ij.simulation import simulate
from deepd3_ij.stack import label_stack, provenance_of, voxel_size_um

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RESULTS = ("_dendrites.tif", "_spines.tif", ".prediction", "_roi_map.tif", "_rois.zip", ".rois", "_spines.csv",
           "_dendrites.csv", "_overview.png")
FIRST_COLUMNS = ("id", "z_um", "y_um", "x_um", "z_px", "y_px", "x_px", "planes", "voxels", "volume_um3",
                 "max_probability", "mean_probability", "dendrite_id", "distance_to_dendrite_um")
Run = Callable[..., str]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scene = simulate(SimulationParameters(planes=5, height_px=96, width_px=128), seed=3)
    path = tmp_path_factory.mktemp("stack with spaces, µ") / "sample ä.tif"
    write_stack(path, scene.stack)
    return path


@pytest.fixture(scope="module")
def analyzed(sample: Path) -> Path:
    folder = sample.parent / "analyze"
    assert main(["analyze", str(sample), "--out", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def stepwise(sample: Path) -> Path:
    """The same, step by step."""
    folder = sample.parent / "steps"
    quiet = ["--out", str(folder), "--quiet"]
    stem = folder / sample.stem
    assert main(["segment", str(sample), *quiet]) == 0
    assert main(["clean", "--prediction", f"{stem}.prediction", *quiet]) == 0
    cleaned = ["--prediction", f"{stem}_cleaned.prediction"]
    assert main(["rois", *cleaned, *quiet]) == 0
    assert main(["measure", f"{stem}_cleaned_roi_map.tif", *cleaned, "--stack", str(sample), *quiet]) == 0
    return folder


def _process(*arguments: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "deepd3_ij", *map(str, arguments)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]


def test_analyze_writes_all_results(analyzed: Path) -> None:
    assert sorted(path.name for path in analyzed.glob("[!.]*")) == sorted(f"sample ä{end}" for end in RESULTS)


@pytest.mark.parametrize(("end", "dtype"), [("_dendrites.tif", np.float32), ("_spines.tif", np.float32),
                                            ("_roi_map.tif", np.uint16)])
def test_images_of_analyze_have_size_and_calibration_of_the_stack(analyzed: Path, end: str, dtype: type) -> None:
    with tifffile.TiffFile(analyzed / f"sample ä{end}") as tif:
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["unit"] in ("micron", "um", "µm", "\\u00B5m")
        assert tif.imagej_metadata["spacing"] == 1.0
        numerator, denominator = tif.pages.first.tags["XResolution"].value
        assert denominator / numerator == pytest.approx(0.12, rel=1e-6)
        assert (tif.series[0].axes, tif.series[0].shape, tif.series[0].dtype) == ("ZYX", (5, 96, 128), dtype)


def test_results_of_analyze_agree_with_each_other(analyzed: Path) -> None:
    table = pd.read_csv(analyzed / "sample ä_spines.csv")
    labels = tifffile.imread(analyzed / "sample ä_roi_map.tif")
    assert tuple(table.columns[:len(FIRST_COLUMNS)]) == FIRST_COLUMNS
    assert len(table) > 0
    assert table["voxels"].tolist() == np.bincount(labels.ravel())[table["id"]].tolist()
    assert table["volume_um3"].to_numpy() == pytest.approx(table["voxels"] * 0.12 * 0.12 * 1.0, rel=1e-6)
    np.testing.assert_array_equal(read_rois(analyzed / "sample ä.rois").labels, labels)
    prediction = read_prediction(analyzed / "sample ä.prediction")
    assert voxel_size_um(prediction) == pytest.approx((1.0, 0.12, 0.12))
    np.testing.assert_array_equal(prediction["spine"], tifffile.imread(analyzed / "sample ä_spines.tif"))


def test_single_steps_give_what_analyze_gives(analyzed: Path, stepwise: Path) -> None:
    for end in ("_dendrites.tif", "_spines.tif"):
        np.testing.assert_allclose(tifffile.imread(stepwise / f"sample ä_cleaned{end}"),
                                   tifffile.imread(analyzed / f"sample ä{end}"), atol=1e-5)
    np.testing.assert_array_equal(tifffile.imread(stepwise / "sample ä_cleaned_roi_map.tif"),
                                  tifffile.imread(analyzed / "sample ä_roi_map.tif"))
    for end in ("_spines.csv", "_dendrites.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(stepwise / f"sample ä_cleaned{end}"),
                                      pd.read_csv(analyzed / f"sample ä{end}"), rtol=1e-5)


def test_measuring_the_roi_zip_gives_the_same_table(analyzed: Path, sample: Path, tmp_path: Path) -> None:
    assert main(["measure", str(analyzed / "sample ä_rois.zip"), "--prediction", str(analyzed / "sample ä.prediction"),
                 "--stack", str(sample), "--out", str(tmp_path), "--quiet"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "sample ä_spines.csv"),
                                  pd.read_csv(analyzed / "sample ä_spines.csv"), rtol=1e-5)


def test_maps_as_tiff_carry_what_the_model_recommends(analyzed: Path, stepwise: Path, tmp_path: Path) -> None:
    from deepd3_ij.model import load_model

    maps = [stepwise / f"sample ä_cleaned_{name}.tif" for name in ("dendrites", "spines")]
    assert main(["rois", "--dendrite", str(maps[0]), "--spine", str(maps[1]), "--out", str(tmp_path), "--quiet"]) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "sample ä_cleaned_spines_roi_map.tif"),
                                  tifffile.imread(analyzed / "sample ä_roi_map.tif"))
    for name in ("dendrites", "spines"):
        made = json.loads(open_stack(stepwise / f"sample ä_{name}.tif").attrs["provenance"])
        assert made["model"] == {"name": load_model().name, "sha256": load_model().sha256,
                                 "recommended": load_model().card.recommended,
                                 "confidence": load_model().card.confidence}


def test_what_is_typed_wins_over_what_the_model_recommends(stepwise: Path, tmp_path: Path) -> None:
    maps = stepwise / "sample ä_cleaned.prediction"
    assert main(["rois", "--prediction", str(maps), "--min-voxels", "100000", "--max-voxels", "200000",
                 "--out", str(tmp_path)]) == 0
    assert tifffile.imread(tmp_path / "sample ä_cleaned_roi_map.tif").max() == 0


def test_eight_bit_maps_are_the_rounded_ones(stepwise: Path, sample: Path, tmp_path: Path) -> None:
    assert main(["segment", str(sample), "--eight-bit", "--out", str(tmp_path), "--quiet"]) == 0
    exact = read_prediction(tmp_path / "sample ä.prediction")
    np.testing.assert_allclose(exact["spine"], read_prediction(stepwise / "sample ä.prediction")["spine"], atol=1e-5)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "sample ä_spines.tif"),
                                  np.rint(exact["spine"].values * 255))
    assert len(list(tmp_path.glob("[!.]*"))) == 3


def test_z_range_leaves_other_planes_empty(sample: Path, stepwise: Path, tmp_path: Path) -> None:
    assert main(["segment", str(sample), "--z-range", "1:3", "--out", str(tmp_path), "--quiet"]) == 0
    part, whole = (read_prediction(folder / "sample ä.prediction") for folder in (tmp_path, stepwise))
    np.testing.assert_allclose(part["dendrite"][1:3], whole["dendrite"][1:3], atol=1e-5)
    assert not part["dendrite"][[0, 3, 4]].any()
    assert provenance_of(part)["z_range"] == [1, 3]


def test_a_region_is_as_in_the_whole_and_the_rest_is_empty(sample: Path, stepwise: Path, tmp_path: Path) -> None:
    for command in ("segment", "analyze"):
        folder = tmp_path / command
        assert main([command, str(sample), "--region", "20,8,64,48", "--out", str(folder), "--quiet",
                     *(["--no-clean"] if command == "analyze" else [])]) == 0
        part, whole = (open_stack(place / f"{sample.stem}_spines.tif").values for place in (folder, stepwise))
        box = (slice(None), slice(8, 56), slice(20, 84))
        np.testing.assert_allclose(part[box], whole[box], atol=1e-5)
        outside = part.copy()
        outside[box] = 0
        assert part.any()
        assert not outside.any()


def test_more_files_on_request(analyzed: Path, tmp_path: Path) -> None:
    assert main(["rois", "--prediction", str(analyzed / "sample ä.prediction"), "--roi-folder", "--binary-roi-map",
                 "--centroids", "--out", str(tmp_path)]) == 0
    ids = pd.read_csv(tmp_path / "sample ä_spines.csv")["id"].tolist()
    binary, labels = (tifffile.imread(tmp_path / f"sample ä_roi_map{end}.tif") for end in ("_binary", ""))
    np.testing.assert_array_equal(binary, 255 * (labels > 0))
    assert pd.read_csv(tmp_path / "sample ä_centroids.csv", index_col=0).index.tolist() == ids
    assert {int(path.stem) for path in (tmp_path / "sample ä").glob("*/*.csv")} == set(ids)


def test_a_table_scores_fully_against_itself(analyzed: Path, tmp_path: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    table = str(analyzed / "sample ä_spines.csv")
    assert main(["evaluate", table, table, "--json", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert (scores["recall"], scores["precision"], scores["f1"]) == (1, 1, 1)
    assert "F1 1.000" in capsys.readouterr().out


@pytest.mark.parametrize("shape", [(64, 64), (1, 64, 64), (3, 16, 16), (2, 5, 7)])
def test_stacks_of_unusual_size_are_analyzed(shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    tifffile.imwrite(tmp_path / "odd.tif", pixels, photometric="minisblack")
    arguments = ["--xy", "0.1", "--z", "0.5", "--out", str(tmp_path), "--quiet"]
    assert main(["analyze", str(tmp_path / "odd.tif"), *arguments]) == 0
    assert tifffile.imread(tmp_path / "odd_spines.tif").size == pixels.size


def test_a_stack_without_spines_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_stack(tmp_path / "flat.tif", label_stack(np.full((3, 32, 32), 7, np.uint8), xy_um=0.1, z_um=0.5))
    assert main(["analyze", str(tmp_path / "flat.tif"), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("0 spines on 0 dendrites")
    assert said.err.count("\n") == 1
    assert "No spine was found" in said.err
    assert list(pd.read_csv(tmp_path / "out" / "flat_spines.csv").columns[:14]) == list(FIRST_COLUMNS)


def test_interrupting_leaves_earlier_results_as_they_were(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 512, 512)).astype(np.uint8)
    write_stack(tmp_path / "long.tif", label_stack(pixels, xy_um=0.1, z_um=0.5))
    earlier = tmp_path / "out" / "long_spines.tif"
    earlier.parent.mkdir()
    earlier.write_text("earlier")
    process = _process("segment", tmp_path / "long.tif", "--out", earlier.parent, "--overwrite")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Predicting")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "deepd3-ij: cancelled; files that were already there are unchanged"
    assert "Traceback" not in errors
    assert [path.name for path in earlier.parent.iterdir()] == ["long_spines.tif"]
    assert earlier.read_text() == "earlier"


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
def test_a_full_disk_leaves_earlier_results_as_they_were(sample: Path, tmp_path: Path) -> None:
    import resource

    earlier = tmp_path / "sample ä_spines.tif"
    earlier.write_text("earlier")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = _process("segment", sample, "--out", tmp_path, "--quiet", "--overwrite", preexec_fn=limit)
    _, errors = process.communicate(timeout=120)
    assert errors.startswith("deepd3-ij: ")
    assert "cannot be written" in errors
    assert errors.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [earlier.name]
    assert earlier.read_text() == "earlier"


def test_closed_output_is_no_trace(tmp_path: Path) -> None:
    process = _process("analyze", "--help")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.wait(timeout=60)


def test_help_loads_neither_tensorflow_nor_java_nor_numba() -> None:
    code = ("import sys, deepd3_ij, deepd3_ij.cli\n"
            "try: deepd3_ij.cli.main(['--help'])\n"
            "except SystemExit as end: assert end.code == 0\n"
            "heavy = {'tensorflow', 'keras', 'jpype', 'scyjava', 'imagej', 'numba', 'skimage', 'matplotlib',\n"
            "         'pandas', 'xarray'}\n"
            "print('loaded', sorted(heavy & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.endswith("loaded []\n")
    assert "analyze" in done.stdout


@pytest.mark.parametrize(("name", "options"), [
    ("ff_iso_a", "--mode floodfill --area-threshold 0.25 --peak-threshold 0.8 --seed-delta 0.2 --distance-um 2 "
                 "--min-voxels 20 --max-voxels 1000 --min-planes 1 --xy 0.2 --z 0.2"),
    ("ff_iso_b", "--mode floodfill --area-threshold 0.15 --peak-threshold 0.5 --seed-delta 0.5 --distance-um 1.2 "
                 "--min-voxels 5 --max-voxels 3000 --xy 0.1 --z 0.1"),
    ("cc_a", "--mode connected --area-threshold 0.25 --min-voxels 20 --max-voxels 1000"),
    ("cc_b_dilated", "--mode connected --area-threshold 0.5 --dilation 1 --min-voxels 10 --max-voxels 5000"),
    ("cc_c", "--mode connected --area-threshold 0.4 --min-voxels 5 --max-voxels 800 --min-planes 3"),
])
def test_rois_reproduces_the_original(name: str, options: str, shared: Path, tmp_path: Path) -> None:
    with np.load(shared / "reference/roi/maps.npz") as maps:
        for key in ("dendrite", "spine"):
            write_stack(tmp_path / f"{key}.tif", label_stack(maps[key], xy_um=0.094, z_um=0.5))
    assert main(["rois", "--dendrite", str(tmp_path / "dendrite.tif"), "--spine", str(tmp_path / "spine.tif"),
                 "--out", str(tmp_path), "--quiet", *options.split()]) == 0
    with np.load(shared / f"reference/roi/roi3d_{name}.npz") as reference:
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "spine_roi_map.tif"), reference["roi_map"])


def test_a_real_stack_is_analyzed_and_scored(shared: Path, tmp_path: Path) -> None:
    real = shared / "data/real"
    first, end = 18, 26
    markers = pd.read_csv(real / "rr30a_tp0_spines.csv")
    markers[markers["z_slice0"].between(first, end - 1)].to_csv(tmp_path / "truth.csv", index=False)
    assert main(["analyze", str(real / "rr30a_tp0_x000-340.tif"), "--z-range", f"{first}:{end}", "--out", str(tmp_path),
                 "--quiet"]) == 0
    assert main(["evaluate", str(tmp_path / "rr30a_tp0_x000-340_spines.csv"), str(tmp_path / "truth.csv"),
                 "--dendrites", str(real / "rr30a_tp0_dendrites.swc"), "--json", str(tmp_path / "scores.json")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["truth"] >= 15
    assert scores["recall"] > 0.3


def test_tables_of_the_annotated_stacks_are_read_as_they_are(shared: Path, tmp_path: Path) -> None:
    table = str(shared / "data/real/rr30a_tp0_spines.csv")
    assert main(["evaluate", table, table, "--xy", "0.12", "--z", "1", "--json", str(tmp_path / "scores.json"),
                 "--dendrites", str(shared / "data/real/rr30a_tp0_dendrites.swc")]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert (scores["truth"], scores["f1"]) == (44, 1)  # one of 45 markers is marked as bad
