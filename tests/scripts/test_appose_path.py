"""The menu scripts in a Java process of its own that starts Python by itself, as a user's Fiji does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from deepd3_ij.files.image_reader import open_stack
from deepd3_ij.files.roi_zip import read_roi_zip
from deepd3_ij.outputs.registry import OUTPUTS
from tests.scripts.host_process import ROOT, Host

LOOK = str(Path(__file__).parent / "jython" / "look.py")
CLOSE_ALL = str(Path(__file__).parent / "jython" / "close_all.py")
ROIS = {"area_threshold": 0.1, "peak_threshold": 0.2, "min_voxels": 2}


def look(host: Host) -> dict[str, Any]:
    return dict(json.loads(host.ask("script", LOOK)) or {})


def segmented(host: Host, stack_file: Path) -> None:
    assert host.ask("run", "Open DeepD3 Stack...", path=stack_file) == "done"
    assert host.ask("run", "Segment Dendrites and Spines...") == "done"


def test_without_an_image_a_command_says_what_to_do(host: Host) -> None:
    assert host.ask("script", CLOSE_ALL) == "closed"
    answer = host.ask("run", "Segment Dendrites and Spines...")
    assert answer.startswith("failed: There is no image; open a stack first")


@pytest.mark.slow
def test_the_steps_leave_the_files_of_the_command_line(host: Host, stack_file: Path, tmp_path: Path) -> None:
    by_scripts, by_command = tmp_path / "scripts", tmp_path / "command"
    segmented(host, stack_file)
    assert look(host)["role"] == "prediction"
    assert host.ask("run", "Clean DeepD3 Prediction...", min_dendrite_voxels=50) == "done"
    assert "CleaningParameters" in look(host)["provenance"]
    assert host.ask("run", "Build 3D ROIs...", **ROIS) == "done"
    assert host.ask("run", "Measure Dendrites and Spines...") == "done"
    assert host.ask("run", "Export All DeepD3 Results...", folder=by_scripts) == "done"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in ROIS.items()]
    subprocess.run([sys.executable, "-m", "deepd3_ij", "analyze", str(stack_file), "--out", str(by_command), "--quiet",
                    "--min-dendrite-voxels=50", *options], check=True, cwd=ROOT)

    names = sorted(path.name for path in by_command.iterdir())
    assert sorted(path.name for path in by_scripts.iterdir()) == names
    for name in ("small_roi_map.tif", "small_dendrites.tif", "small_spines.tif"):
        one, two = (open_stack(folder / name).values for folder in (by_scripts, by_command))
        np.testing.assert_allclose(one, two, atol=1e-5)
    assert open_stack(by_scripts / "small_roi_map.tif").values.max() > 0
    for name in ("small_spines.csv", "small_dendrites.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(by_scripts / name), pd.read_csv(by_command / name))
    like = open_stack(stack_file)
    one, two = (read_roi_zip(folder / "small_rois.zip", like).labels.values for folder in (by_scripts, by_command))
    np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_every_other_command_works_without_windows(host: Host, stack_file: Path, tmp_path: Path) -> None:
    segmented(host, stack_file)
    assert host.ask("run", "Build 2D ROIs...", spine_threshold=0.1) == "done"
    assert look(host)["rois"] > 0
    assert host.ask("run", "Show or Hide Spine ROIs") == "done"
    out = tmp_path / "out"
    for command in (*(f"Export DeepD3 {output.title}..." for output in OUTPUTS.values()), "Save DeepD3 Results..."):
        assert host.ask("run", command, folder=out, overwrite=True) == "done", command
    assert {"small_dendrites.tif", "small_rois.zip", "small_roi_map.tif", "small_centroids.csv", "small_spines.csv",
            "small.prediction", "small.rois", "small_dendrites.swc",
            "small_roi_map_binary.tif"} <= {path.name for path in out.iterdir()}
    assert host.ask("run", "Show Spine Labels") == "done"
    labels = look(host)
    assert (labels["role"], labels["maximum"] > 0) == ("labels", True)
    assert host.ask("run", "Show DeepD3 Maximum Projection") == "done"
    assert look(host)["shape"] == [1, 64, 96]
    assert host.ask("run", "Show DeepD3 Z Projection...") == "done"
    assert host.ask("run", "Load DeepD3 Results...", path=out / "small.prediction") == "done"
    assert look(host)["role"] == "prediction"
    assert host.ask("run", "Load DeepD3 Results...", path=out / "small.rois") == "done"
    assert look(host)["rois"] > 0
    table = tmp_path / "annotations.csv"
    table.write_text("X,Y,Pos\n20,22,1\n500,500,1\n")
    assert host.ask("run", "Import Spine Annotations...", path=table) == "done"
    assert host.logged("1 annotated positions")
    for command in ("DeepD3 Versions...", "DeepD3 Help...", "DeepD3 Models...", "DeepD3 Doctor..."):
        assert host.ask("run", command) == "done", command
    assert host.ask("run", "Test 3D ROIs").startswith("failed: Test 3D ROIs needs windows")


def test_set_voxel_size_reaches_the_image_and_its_results(host: Host, stack_file: Path) -> None:
    segmented(host, stack_file)
    assert host.ask("run", "Set DeepD3 Voxel Size...", xy_um=0.2, z_um=1.5) == "done"
    seen = look(host)
    assert (seen["pixel_width"], seen["role"]) == (0.2, "prediction")


def test_analyze_and_batch_leave_all_files(host: Host, stack_file: Path, tmp_path: Path) -> None:
    one, all_of_them = tmp_path / "one", tmp_path / "batch"
    assert host.ask("run", "Open DeepD3 Stack...", path=stack_file) == "done"
    assert host.ask("run", "Analyze Dendrites and Spines...", folder=one, **ROIS) == "done"
    (stack_file.parent / "broken.tif").write_bytes(b"no image")
    assert host.ask("run", "DeepD3 Batch...", source=stack_file.parent, target=all_of_them, pattern="*.tif",
                    **ROIS) == "done"
    expected = pd.read_csv(one / "small_spines.csv")
    pd.testing.assert_frame_equal(pd.read_csv(all_of_them / "small_spines.csv"), expected)
    assert host.logged("broken.tif")


def test_the_folder_macro_does_the_good_images_and_lists_the_broken_one(
        host: Host, fiji_folder: Path, stack_file: Path, tmp_path: Path) -> None:
    stacks, results = tmp_path / "stacks", tmp_path / "results"
    (stacks / "below").mkdir(parents=True)
    shutil.copy(stack_file, stacks / "first.tif")
    shutil.copy(stack_file, stacks / "below" / "last.tif")
    (stacks / "broken.tif").write_bytes(b"no image")
    macro = str(fiji_folder / "macros" / "DeepD3_Folder.ijm")
    host.ask("macro", macro, f"input=[{stacks}] output=[{results}]")
    assert host.logged("DeepD3 Folder: 2 done, 0 skipped, 1 failed")
    assert host.logged("  broken.tif: ")
    assert (results / "first_spines.csv").is_file()
    assert (results / "below" / "last_roi_map.tif").is_file()
    host.ask("macro", macro, f"input=[{stacks}] output=[{results}]")
    assert host.logged("DeepD3 Folder: 0 done, 2 skipped, 1 failed")


def test_a_result_is_no_stack_but_leads_to_it(host: Host, stack_file: Path) -> None:
    segmented(host, stack_file)
    assert host.ask("run", "Segment Dendrites and Spines...") == "done"  # the prediction is active


def test_a_colour_image_is_refused_with_the_remedy(host: Host, tmp_path: Path) -> None:
    script = tmp_path / "colour.py"
    script.write_text("#@output String answer\nfrom ij import IJ\n"
                      "from deepd3_images import Images\n"
                      "#@ Context context\n"
                      "image = IJ.createImage('colours', 'RGB', 20, 20, 1)\n"
                      "Images(context).display(image)\nanswer = 'made'\n")
    assert host.ask("script", str(script)) == "made"
    assert "colour image; accepted" in host.ask("run", "Segment Dendrites and Spines...")


def test_an_error_in_python_that_is_expected_is_a_sentence_without_a_trace(host: Host, tmp_path: Path) -> None:
    answer = host.ask("run", "Open DeepD3 Stack...", path=tmp_path / "missing.tif")
    assert answer.startswith("failed: ")
    assert "missing.tif" in answer
    assert not host.logged("Traceback")


@pytest.mark.slow
def test_a_killed_worker_is_reported_and_replaced(host: Host, stack_file: Path) -> None:
    assert host.ask("run", "Open DeepD3 Stack...", path=stack_file) == "done"
    (worker,) = host.workers()
    os.kill(worker, signal.SIGSTOP)  # so that it is in the middle of the command for sure
    host.send("run", "Segment Dendrites and Spines...")
    time.sleep(2)
    os.kill(worker, signal.SIGKILL)
    assert "worker ended unexpectedly" in host.answer()
    assert host.ask("run", "Segment Dendrites and Spines...") == "done"
    (another,) = host.workers()
    assert another != worker


def test_esc_stops_a_command_and_changes_nothing(host: Host, stack_file: Path) -> None:
    segmented(host, stack_file)
    before = look(host)
    (worker,) = host.workers()
    os.kill(worker, signal.SIGSTOP)
    host.ask("escape", "1500")
    host.send("run", "Clean DeepD3 Prediction...")
    signal_later = subprocess.Popen(["sh", "-c", f"sleep 4; kill -CONT {worker}"])
    answer = host.answer()
    signal_later.wait()
    assert answer == "cancelled"
    assert look(host) == before


@pytest.mark.slow
def test_the_worker_ends_with_its_java_process_and_frees_shared_memory(fiji_folder: Path, stack_file: Path,
                                                                       tmp_path: Path) -> None:
    host = Host(fiji_folder, tmp_path)
    assert host.ask("run", "Open DeepD3 Stack...", path=stack_file) == "done"
    (worker,) = host.workers()
    blocks = set(re.findall(r"/dev/shm/psm_\w+", Path(f"/proc/{host.process.pid}/maps").read_text()))
    assert blocks  # kept for the next command
    host.process.kill()
    host.process.wait()
    for _ in range(300):
        if not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split()[2]:
            assert not [block for block in blocks if Path(block).exists()]
            return
        time.sleep(0.1)
    raise AssertionError("the worker still runs")


@pytest.mark.slow
def test_a_model_is_trained_on_simulated_stacks_and_used(host: Host, tmp_path: Path) -> None:
    scene = {"planes": 2, "height_px": 96, "width_px": 96, "dendrites": 1}
    assert host.ask("run", "Simulate DeepD3 Stack...", folder=tmp_path, seed=3, **scene) == "done"
    seen = look(host)
    assert (seen["shape"], seen["pixel_width"], seen["unit"]) == ([2, 96, 96], 0.12, "micron")
    stem = tmp_path / "simulated_0003"
    # The simulated stack is active: its file need not be named.
    assert host.ask("run", "Create DeepD3 Training Data...", dendrites=f"{stem}_true.swc",
                    spines=f"{stem}_true_spines.tif") == "done"
    assert host.ask("run", "Show DeepD3 Training Data...", path=f"{stem}.d3data") == "done"
    assert host.ask("run", "Arrange DeepD3 Training Set...", source=tmp_path, out=tmp_path / "one.d3set") == "done"
    assert host.ask("run", "Train DeepD3 Model...", training=tmp_path / "one.d3set", out=tmp_path / "own.keras",
                    filters=2, steps=2, batch_size=2, tile_px=64, validate_every=1) == "done"
    assert host.logged("measured_on: training stacks")
    assert host.ask("run", "Open DeepD3 Stack...", path=f"{stem}.tif") == "done"
    assert host.ask("run", "Segment Dendrites and Spines...", model=tmp_path / "own.keras") == "done"
    assert json.loads(look(host)["provenance"])["model"]["name"] == "own"
    table = f"{stem}_true_spines.csv"
    assert host.ask("run", "Evaluate Spine Detection...", detected=table, truth=table) == "done"
    assert host.logged("recall 1.000")


def test_settings_choose_threads_and_the_default_model(host: Host, stack_file: Path, tmp_path: Path) -> None:
    try:
        assert host.ask("run", "DeepD3 Settings...", threads=1, model="deepd3_ij_8F") == "done"
        assert host.logged("Threads: 1")
        assert host.ask("run", "DeepD3 Settings...", python=tmp_path / "nothing").startswith("failed: ")
        gone = host.ask("run", "DeepD3 Settings...", model=tmp_path / "gone.keras")
        assert "gone.keras" in gone
        assert host.ask("run", "Open DeepD3 Stack...", path=stack_file) == "done"
        assert "The default model of DeepD3 Settings" in host.ask(
            "run", "Segment Dendrites and Spines...", model="default")
    finally:
        assert host.ask("run", "DeepD3 Settings...", threads=0, model="") == "done"


@pytest.mark.parametrize(("program", "told"), [
    ("#!/bin/sh\necho 'Unknown option: -P' >&2; exit 2\n", "is older than Python 3.11; choose a newer one"),
    ("#!/bin/sh\necho \"Error: No module named 'deepd3_ij'\" >&2; exit 1\n", "has no DeepD3; choose another one"),
    ("#!/bin/sh\nexit 0\n", "does not start DeepD3")])
def test_a_python_that_cannot_do_the_work_is_reported_with_the_remedy(host: Host, tmp_path: Path, program: str,
                                                                     told: str) -> None:
    python = tmp_path / "python"
    python.write_text(program)
    python.chmod(0o755)
    try:
        answer = host.ask("run", "DeepD3 Settings...", python=python, threads=0, model="")
        assert f"{python} " in answer
        assert told in answer
        assert "DeepD3 Settings..." in answer
    finally:
        # A program that is none takes the setting back.
        host.ask("run", "DeepD3 Settings...", python=tmp_path / "none", threads=0, model="")
        assert host.ask("run", "DeepD3 Versions...") == "done"


@pytest.mark.slow
def test_two_fijis_work_at_the_same_time(host: Host, fiji_folder: Path, stack_file: Path, tmp_path: Path) -> None:
    other = Host(fiji_folder, tmp_path / "other")
    for each in (host, other):
        each.send("run", "Open DeepD3 Stack...", path=stack_file)
    assert [each.answer() for each in (host, other)] == ["done", "done"]
    assert set(host.workers()).isdisjoint(other.workers())
    other.close()
    assert host.ask("run", "Build 3D ROIs...").startswith("failed: 'small.tif' has no prediction")


def test_a_value_out_of_its_range_is_named_with_the_range(host: Host, stack_file: Path) -> None:
    segmented(host, stack_file)
    answer = host.ask("run", "Build 3D ROIs...", seed_delta=50)
    assert "seed_delta is 50" in answer
    assert "from 0 to 1" in answer


def test_an_image_without_a_voxel_size_is_told_where_to_set_it(host: Host, tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((3, 32, 32), np.uint8), photometric="minisblack")
    script = tmp_path / "open.py"
    script.write_text("#@output String answer\n#@ Context context\nfrom ij import IJ\n"
                      "from deepd3_images import Images\n"
                      f"image = IJ.openImage({str(tmp_path / 'plain.tif')!r})\n"
                      "Images(context).display(image)\nanswer = 'made'\n")
    assert host.ask("script", str(script)) == "made"
    answer = host.ask("run", "Segment Dendrites and Spines...")
    assert "in a unit of length" in answer
    assert "Set DeepD3 Voxel Size" in answer


def test_2d_rois_of_analyze_take_their_own_fields(host: Host, stack_file: Path) -> None:
    counts = []
    for smallest in (2, 100_000):
        assert host.ask("run", "Open DeepD3 Stack...", path=stack_file) == "done"
        assert host.ask("run", "Analyze Dendrites and Spines...", roi_dimensions="2d", roi2d_spine_threshold=0.1,
                        roi2d_min_area_px=smallest) == "done"
        counts.append(look(host)["rois"])
    assert counts[0] > 0 == counts[1]


@pytest.mark.fiji
def test_the_folder_macro_runs_from_the_command_line_of_fiji(fiji_folder: Path, host: Host, stack_file: Path,
                                                            tmp_path: Path) -> None:
    if not host.full:
        pytest.skip("needs a whole Fiji")
    programs = [path for name in ("ImageJ-linux64", "fiji-linux-x64", "fiji") if (path := fiji_folder / name).exists()]
    jars = os.pathsep.join(str(path) for name in ("jars", "plugins") for path in (fiji_folder / name).rglob("*.jar"))
    java = ["java", "-Djava.awt.headless=true", "--add-opens=java.base/java.lang=ALL-UNNAMED",
            f"-Dimagej.dir={fiji_folder}", f"-Dplugins.dir={fiji_folder}", f"-Duser.home={tmp_path}",
            f"-Djava.util.prefs.userRoot={tmp_path}", "-cp", jars, "net.imagej.Main"]
    stacks, results = tmp_path / "stacks", tmp_path / "results"
    stacks.mkdir()
    shutil.copy(stack_file, stacks)
    run = subprocess.run([*(map(str, programs[:1]) if programs else java), "--headless", "--console", "-macro",
                          str(fiji_folder / "macros" / "DeepD3_Folder.ijm"), f"input=[{stacks}] output=[{results}]"],
                         capture_output=True, text=True, timeout=600, check=False,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert "1 done" in run.stdout + run.stderr
    assert (results / "small_spines.csv").is_file()
