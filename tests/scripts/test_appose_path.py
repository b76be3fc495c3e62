"""The menu scripts in a Java process of its own that starts Python by itself, as a user's Fiji does."""

from __future__ import annotations

import json
import os
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

from deepd3_ij.files.image_reader import read_stack
from deepd3_ij.files.roi_zip import read_roi_zip
from tests.scripts.host_process import ROOT, Host

LOOK = str(Path(__file__).parent / "look.py")
ROIS = {"area_threshold": 0.1, "peak_threshold": 0.2, "min_px": 2}


def look(host: Host) -> dict[str, Any]:
    return dict(json.loads(host.ask("script", LOOK)) or {})


def segmented(host: Host, stack_file: Path) -> None:
    assert host.ask("run", "Open Stack...", path=stack_file) == "done"
    assert host.ask("run", "Segment Dendrites and Spines...") == "done"


def test_without_an_image_a_command_says_what_to_do(host: Host) -> None:
    if look(host):
        pytest.skip("another test has opened an image")
    answer = host.ask("run", "Segment Dendrites and Spines...")
    assert answer.startswith("failed: There is no image; open a stack first")


def test_the_steps_leave_the_files_of_the_command_line(host: Host, stack_file: Path, tmp_path: Path) -> None:
    by_scripts, by_command = tmp_path / "scripts", tmp_path / "command"
    segmented(host, stack_file)
    assert look(host)["role"] == "prediction"
    assert host.ask("run", "Clean Predictions...", min_dendrite_px=50) == "done"
    assert "CleaningParameters" in look(host)["provenance"]
    assert host.ask("run", "Build 3D ROIs...", **ROIS) == "done"
    assert host.ask("run", "Measure Spines...") == "done"
    assert host.ask("run", "Export All Results...", folder=by_scripts) == "done"
    options = [f"--{name.replace('_', '-')}={value}" for name, value in ROIS.items()]
    subprocess.run([sys.executable, "-m", "deepd3_ij", "analyze", str(stack_file), "--out", str(by_command), "--quiet",
                    "--min-dendrite-px=50", *options], check=True, cwd=ROOT)

    names = sorted(path.name for path in by_command.iterdir())
    assert sorted(path.name for path in by_scripts.iterdir()) == names
    for name in ("small_roi_map.tif", "small_dendrites.tif", "small_spines.tif"):
        one, two = (read_stack(folder / name).values for folder in (by_scripts, by_command))
        np.testing.assert_array_equal(one, two)
    assert read_stack(by_scripts / "small_roi_map.tif").values.max() > 0
    for name in ("small_spines.csv", "small_dendrites.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(by_scripts / name), pd.read_csv(by_command / name))
    like = read_stack(stack_file)
    one, two = (read_roi_zip(folder / "small_rois.zip", like).labels.values for folder in (by_scripts, by_command))
    np.testing.assert_array_equal(one, two)


def test_every_other_command_works_without_windows(host: Host, stack_file: Path, tmp_path: Path) -> None:
    segmented(host, stack_file)
    assert host.ask("run", "Build 2D ROIs...", threshold=0.1) == "done"
    assert look(host)["rois"] > 0
    assert host.ask("run", "Show or Hide ROIs") == "done"
    out = tmp_path / "out"
    for command in ("Export Predictions...", "Export ROIs to Zip...", "Export ROIs to Folder...", "Export ROI Map...",
                    "Export Centroids...", "Export Tables...", "Save DeepD3 Results..."):
        assert host.ask("run", command, folder=out) == "done", command
    assert {"small_dendrites.tif", "small_rois.zip", "small_roi_map.tif", "small_centroids.csv", "small_spines.csv",
            "small.prediction", "small.rois"} <= {path.name for path in out.iterdir()}
    assert host.ask("run", "Show Labels") == "done"
    labels = look(host)
    assert (labels["role"], labels["maximum"] > 0) == ("labels", True)
    assert host.ask("run", "Show Maximum Projection") == "done"
    assert look(host)["shape"] == [1, 64, 96]
    assert host.ask("run", "Z Projection...") == "done"
    assert host.ask("run", "Load DeepD3 Results...", path=out / "small.prediction") == "done"
    assert look(host)["role"] == "prediction"
    assert host.ask("run", "Load DeepD3 Results...", path=out / "small.rois") == "done"
    assert look(host)["rois"] > 0
    table = tmp_path / "annotations.csv"
    table.write_text("X,Y,Pos\n20,22,1\n500,500,1\n")
    assert host.ask("run", "Import Annotations...", path=table) == "done"
    assert "1 annotated positions" in host.log()
    for command in ("About DeepD3...", "DeepD3 Help...", "DeepD3 Models...", "DeepD3 Doctor..."):
        assert host.ask("run", command) == "done", command
    assert host.ask("run", "Test 3D ROIs").startswith("failed: Test 3D ROIs needs windows")


def test_set_voxel_size_reaches_the_image_and_its_results(host: Host, stack_file: Path) -> None:
    segmented(host, stack_file)
    assert host.ask("run", "Set Voxel Size...", xy_um=0.2, z_um=1.5) == "done"
    seen = look(host)
    assert (seen["pixel_width"], seen["role"]) == (0.2, "prediction")


def test_analyze_and_batch_leave_all_files(host: Host, stack_file: Path, tmp_path: Path) -> None:
    one, all_of_them = tmp_path / "one", tmp_path / "batch"
    assert host.ask("run", "Open Stack...", path=stack_file) == "done"
    assert host.ask("run", "Analyze Dendrites and Spines...", folder=one, **ROIS) == "done"
    (stack_file.parent / "broken.tif").write_bytes(b"no image")
    assert host.ask("run", "Batch Folder...", source=stack_file.parent, target=all_of_them, pattern="*.tif",
                    **ROIS) == "done"
    expected = pd.read_csv(one / "small_spines.csv")
    pd.testing.assert_frame_equal(pd.read_csv(all_of_them / "small_spines.csv"), expected)
    assert "broken.tif" in host.log()


def test_the_folder_macro_does_the_good_images_and_lists_the_broken_one(
        host: Host, fiji_folder: Path, stack_file: Path, tmp_path: Path) -> None:
    stacks, results = tmp_path / "stacks", tmp_path / "results"
    (stacks / "below").mkdir(parents=True)
    shutil.copy(stack_file, stacks / "first.tif")
    shutil.copy(stack_file, stacks / "below" / "last.tif")
    (stacks / "broken.tif").write_bytes(b"no image")
    macro = str(fiji_folder / "macros" / "DeepD3_Folder.ijm")
    host.ask("macro", macro, f"input=[{stacks}] output=[{results}]")
    assert "DeepD3 Folder: 2 done, 0 skipped, 1 failed" in host.log()
    assert "broken.tif: " in host.log().split("DeepD3 Folder: 2 done")[1]
    assert (results / "first_spines.csv").is_file()
    assert (results / "below" / "last_roi_map.tif").is_file()
    host.ask("macro", macro, f"input=[{stacks}] output=[{results}]")
    assert "DeepD3 Folder: 0 done, 2 skipped, 1 failed" in host.log()


def test_a_result_is_no_stack_but_leads_to_it(host: Host, stack_file: Path) -> None:
    segmented(host, stack_file)
    assert host.ask("run", "Segment Dendrites and Spines...") == "done"  # the prediction is active


def test_a_colour_image_is_refused_with_the_remedy(host: Host, tmp_path: Path) -> None:
    script = tmp_path / "colour.py"
    script.write_text("#@output String answer\nfrom ij import IJ\n"
                      "import deepd3_fiji\n"
                      "#@ Context context\n"
                      "image = IJ.createImage('colours', 'RGB', 20, 20, 1)\n"
                      "deepd3_fiji.Fiji(context, 'x').display(image)\nanswer = 'made'\n")
    assert host.ask("script", str(script)) == "made"
    assert "colour image; accepted" in host.ask("run", "Segment Dendrites and Spines...")


def test_an_error_in_python_is_a_sentence_with_its_trace_in_the_log(host: Host, tmp_path: Path) -> None:
    answer = host.ask("run", "Open Stack...", path=tmp_path / "missing.tif")
    assert answer.startswith("failed: ")
    assert "missing.tif" in answer
    assert "Traceback" in host.log()


def test_a_killed_worker_is_reported_and_replaced(host: Host, stack_file: Path) -> None:
    assert host.ask("run", "Open Stack...", path=stack_file) == "done"
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
    host.send("run", "Clean Predictions...")
    signal_later = subprocess.Popen(["sh", "-c", f"sleep 4; kill -CONT {worker}"])
    answer = host.answer()
    signal_later.wait()
    assert answer == "cancelled"
    assert look(host) == before


def test_the_worker_ends_with_its_java_process(fiji_folder: Path, tmp_path: Path) -> None:
    host = Host(fiji_folder, tmp_path)
    assert host.ask("run", "About DeepD3...") == "done"
    (worker,) = host.workers()
    host.process.kill()
    host.process.wait()
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists() or "Z" in Path(f"/proc/{worker}/stat").read_text().split()[2]:
            return
        time.sleep(0.1)
    raise AssertionError("the worker still runs")


@pytest.mark.fiji
def test_the_menu_works_in_a_full_fiji(full_fiji: Path, stack_file: Path, tmp_path: Path) -> None:
    from deepd3_ij.fiji import installer

    installer.install(full_fiji)
    try:
        program = next(path for path in (full_fiji / "ImageJ-linux64", full_fiji / "fiji-linux-x64", full_fiji / "fiji")
                       if path.exists())
        stacks, results = tmp_path / "stacks", tmp_path / "results"
        stacks.mkdir()
        shutil.copy(stack_file, stacks)
        run = subprocess.run([str(program), "--headless", "--console", "-macro",
                              str(full_fiji / "macros" / "DeepD3_Folder.ijm"), f"input=[{stacks}] output=[{results}]"],
                             capture_output=True, text=True, timeout=600, check=False)
        assert "1 done" in run.stdout + run.stderr
        assert (results / "small_spines.csv").is_file()
    finally:
        installer.uninstall(full_fiji)
