"""Speed of the bridge to ImageJ: session start, pixels, ROIs, live test, spine panel.

    python benchmarks/bench_fiji.py [--quick] [--part NAME]

Prints each figure with its goal as soon as it is there. Java starts once per process, so each part runs in a process
of its own. Times are medians. Pixels are compared with ``np.copyto`` between two arrays in use, of the same size and
type; copy, push and pull take turns in one process, so that a busy machine disturbs all alike. ``push`` makes a new
ImageJ image (the one before it is closed), ``pull`` a new numpy array.

What needs a display (ROI Manager, live test, spine panel) runs on the one that DISPLAY names, for example with
``xvfb-run -a python benchmarks/bench_fiji.py``. pyimagej's own transfer is measured beside ours where DEEPD3_FIJI
names a Fiji.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import xarray as xr

SHAPE = (60, 1024, 1024)
PLANES_PER_SPINE = 10
SELECTIONS = 20


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Seconds that one call takes, and its result."""
    begin = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - begin, result


def median_seconds(repeat: int, function: Callable[..., Any], *arguments: Any) -> float:
    return median(timed(function, *arguments)[0] for _ in range(repeat))


def report(name: str, value: float, unit: str, goal: str = "") -> None:
    """Print one figure."""
    print(f"{name:<62}{value:10.2f} {unit}" + (f"   goal {goal}" if goal else ""), flush=True)


def bench_start(quick: bool) -> None:
    code = ("import time; begin = time.perf_counter()\n"
            "from deepd3_ij import fiji; fiji.connect('embedded')\n"
            "print(time.perf_counter() - begin)\n"
            "fiji.end_process()")
    starts = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
              for _ in range(2 if quick else 4)]
    report("session start, embedded, warm", min(starts), "s", "at most 3 (fastest)")


def bench_pixels(quick: bool, fiji_folder: str | None = None) -> None:
    """Copies, in the embedded ImageJ or, beside pyimagej's, in a Fiji."""
    from deepd3_ij import fiji, label_stack
    from deepd3_ij.fiji.java import java_class

    session = fiji.connect(fiji_folder or "embedded")
    for dtype in (np.float32, np.uint16, np.uint8):
        name = np.dtype(dtype).name
        array = (np.random.default_rng(0).random(SHAPE, np.float32) * 200).astype(dtype)
        target, stack = array.copy(), label_stack(array, xy_um=0.1, z_um=0.5)
        times: dict[str, list[float]] = {"copy": [], "push": [], "pull": [], "pyimagej": []}
        for turn in range(5 if quick else 11):
            copy, _ = timed(np.copyto, target, array)
            push, image = timed(session.push, stack)
            pull, pulled = timed(session.pull, image)
            image.close()
            if turn == 0:  # warms up
                assert np.array_equal(pulled, array)
                continue
            for what, value in (("copy", copy), ("push", push), ("pull", pull)):
                times[what].append(value)
            if fiji_folder and turn <= 3:
                times["pyimagej"].append(timed(push_with_pyimagej, session.gateway, stack)[0])
            del image, pulled
        java_class("java.lang.System").gc()
        copy = median(times["copy"])
        report(f"{name}: np.copyto", copy * 1e3, "ms")
        for what, goal in (("push", 4), ("pull", 2)):
            report(f"{name}: {what}, times copyto", median(times[what]) / copy, "", f"at most {goal}")
        if fiji_folder:
            pyimagej = median(times["pyimagej"])
            report(f"{name}: pyimagej's to_imageplus, every plane used", pyimagej, "s")
            report(f"{name}: the same, times push", pyimagej / median(times["push"]), "", "at least 4")


def push_with_pyimagej(gateway: Any, stack: xr.DataArray) -> None:
    """pyimagej's image is virtual: each plane is copied when it is used, as any filter or display does."""
    planes = gateway.py.to_imageplus(stack).getStack()
    for plane in range(1, planes.getSize() + 1):
        planes.getPixels(plane)


def spines(count: int) -> xr.DataArray:
    """Labels of round spines on a grid, each in ten planes."""
    from deepd3_ij import label_stack

    side = int(np.ceil(np.sqrt(count / 5)))
    labels = np.zeros(SHAPE, np.int32)
    step = SHAPE[1] // side
    radius = min(step // 2 - 1, 7)
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1]
    random = np.random.default_rng(0)
    for number in range(count):
        layer, place = divmod(number, side * side)
        cy, cx = (np.array(divmod(place, side)) * step + step // 2).tolist()
        for z in range(PLANES_PER_SPINE):
            disc = y**2 + x**2 * random.uniform(0.8, 1.3) <= (radius * random.uniform(0.7, 1)) ** 2
            labels[layer * 12 + z, cy - radius:cy + radius + 1, cx - radius:cx + radius + 1][disc] = number + 1
    return label_stack(labels, xy_um=0.1, z_um=0.5)


def bench_rois(quick: bool, mode: str) -> None:
    from deepd3_ij import RoiSet, fiji

    session = fiji.connect("embedded", mode=mode)
    where = "overlay" if session.headless else "ROI Manager"
    repeat = 1 if quick else 3
    for count, goal in ((300, "at most 1"), (3000, "at most 8")):
        outlines = count * PLANES_PER_SPINE
        labels = spines(count)
        image = session.push(labels)
        session.push_rois(RoiSet(labels.where(labels < 2, 0)), image)  # compiles what is compiled once
        session.pull_rois(image)
        rois = [RoiSet(labels) for _ in range(repeat)]  # each traces its outlines once
        pushes = [timed(session.push_rois, each, image)[0] for each in rois]
        report(f"{count} × {PLANES_PER_SPINE} outlines to the {where}", median(pushes), "s", goal)
        pull = median_seconds(repeat, session.pull_rois, image)
        report(f"{count} × {PLANES_PER_SPINE} outlines back to labels", pull, "s", goal)
        assert np.array_equal(session.pull_rois(image).labels, labels)
        if not session.headless:
            report(f"selecting one of {outlines}, until it is drawn", 1e3 * bench_selection(image, outlines), "ms")
        image.close()


def bench_selection(image: Any, count: int) -> float:
    """Seconds from the choice of a row of the ROI Manager until its plane is shown and the event thread is free."""
    from deepd3_ij.fiji.java import java_class, wait_for_events

    manager = java_class("ij.plugin.frame.RoiManager").getInstance()

    def select(row: int) -> None:
        manager.selectAndMakeVisible(image, row)
        wait_for_events()

    return median(timed(select, row)[0] for row in range(0, count, count // SELECTIONS))


def bench_live(quick: bool) -> None:
    """A change of a setting until the new outlines are on the screen."""
    from deepd3_ij import fiji, label_stack
    from deepd3_ij.fiji.java import wait_for_events
    from deepd3_ij.fiji.kept_parameters import keep_roi_parameters
    from deepd3_ij.service.in_process import publish, start_command
    from deepd3_ij.stack import label_prediction

    session = fiji.connect("embedded", mode="interactive")
    z, y, x = np.mgrid[:12, :200, :200]
    spine = np.zeros(z.shape, np.float32)
    random = np.random.default_rng(0)
    for cz, cy, cx in random.uniform((0, 0, 0), z.shape, (60, 3)):
        distance = (3 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2
        spine = np.maximum(spine, random.uniform(0.7, 1) * np.exp(-distance / 30)).astype(np.float32)
    like = label_stack(spine, xy_um=0.1, z_um=0.5)
    image = session.push(label_prediction(spine, spine, like, {}))
    publish(session)
    for tested in ({"mode": "floodfill"}, {"mode": "connected"}, {"sigma_px": 1.0}, {"watershed": True}):
        keep_roi_parameters(image, tested)
        start_command(session, "Test 3D ROIs", ask=True, image=image)
        dialog = opened_dialog("Test 3D ROIs")
        peak_threshold = dialog.getNumericFields().get(1)

        def change(field: Any = peak_threshold) -> None:
            before = image.getOverlay()
            field.setText("0.79" if str(field.getText()).startswith("0.8") else "0.80")
            while image.getOverlay() == before:
                time.sleep(0.0005)
            wait_for_events()

        for _ in range(5):
            change()
        name = ", ".join(f"{parameter} {value}" for parameter, value in tested.items())
        report(f"live test 128 × 128 × 6, {name}", 1e3 * median_seconds(10 if quick else 30, change), "ms",
               "at most 50")
        dialog.windowClosing(None)


PANEL_SCRIPT = """#@ Context context
#@ ImagePlus image
#@ Integer repeat
#@output String answer
import json
import time
from deepd3_events import on_event_thread
from deepd3_panel import open_panel, show_panel

def nothing():
    pass

def seconds(work, wait=nothing):
    begin = time.time()
    on_event_thread(work)
    wait()
    on_event_thread(nothing)  # what the work left for later: the plane, the repaint
    return time.time() - begin

def ready():
    while not panel._buttons["delete"].isEnabled():
        time.sleep(0.002)

begin = time.time()
show_panel(context, image)
on_event_thread(nothing)
times = {"open": [time.time() - begin], "row": [], "delete": [], "plane": []}
panel = open_panel()
table = panel._table
for turn in range(repeat):
    row = 37 + 61 * turn
    times["row"].append(seconds(lambda: table.setRowSelectionInterval(row, row)))
for turn in range(repeat):
    plane = 1 + turn % image.getNSlices()
    times["plane"].append(seconds(lambda: image.setZ(plane)))
for turn in range(max(3, repeat // 4)):
    on_event_thread(lambda: table.setRowSelectionInterval(50 + turn, 50 + turn))
    on_event_thread(nothing)
    times["delete"].append(seconds(panel.delete, ready))
panel.frame.dispose()
answer = json.dumps(times)
"""
SPINES_IN_PANEL = 2500


def bench_panel(quick: bool) -> None:
    """A user at the spine panel of ten thousand outlines: the events until all of it is on the screen."""
    from deepd3_ij import RoiSet, fiji, label_stack
    from deepd3_ij.service.in_process import publish, run_jython
    from deepd3_ij.stack import label_prediction

    session = fiji.connect("embedded", mode="interactive")
    publish(session)
    planes = 12
    labels = np.zeros((planes, 1024, 1024), np.int32)
    for number in range(SPINES_IN_PANEL):
        layer, place = divmod(number, 30 * 30)
        y, x = (30 * value + 10 for value in divmod(place, 30))
        labels[layer * 4:layer * 4 + 4, y:y + 10 + number % 5, x:x + 12] = number + 1
    stack = label_stack((labels > 0).astype(np.uint8), xy_um=0.1, z_um=0.5, source="cell.tif")
    spine = (labels > 0).astype(np.float32)
    image = session.push(stack)
    prediction = session.push(label_prediction(np.zeros_like(spine), spine, stack, {}), source=image)
    session.push_rois(RoiSet(label_stack(labels, xy_um=0.1, z_um=0.5)), prediction)
    times = json.loads(str(run_jython(session, PANEL_SCRIPT, image=prediction, repeat=8 if quick else 20).getOutput(
        "answer")))
    outlines = 4 * SPINES_IN_PANEL
    for what, name, goal in (("open", "opening the panel", ""), ("row", "selecting a row", "at most 0.2"),
                             ("plane", "another plane", ""), ("delete", "deleting a spine", "at most 0.5")):
        report(f"spine panel, {outlines} outlines: {name}", median(times[what]), "s", goal)


def opened_dialog(title: str) -> Any:
    """The dialog of a title, as soon as it waits for a user."""
    from deepd3_ij.fiji.java import java_class

    while True:
        for window in java_class("java.awt.Window").getWindows():
            if isinstance(window, java_class("java.awt.Dialog")) and str(window.getTitle()) == title \
                    and window.isShowing():
                time.sleep(0.5)
                return window
        time.sleep(0.05)


PARTS: dict[str, Callable[[bool], None]] = {
    "start": bench_start,
    "pixels": bench_pixels,
    "pyimagej": lambda quick: bench_pixels(quick, os.environ["DEEPD3_FIJI"]),
    "overlay": lambda quick: bench_rois(quick, "headless"),
    "manager": lambda quick: bench_rois(quick, "interactive"),
    "live": bench_live,
    "panel": bench_panel,
}


def obstacle(part: str) -> str | None:
    """Why a part cannot be measured here."""
    from deepd3_ij.fiji.java import display_problem

    if part == "pyimagej" and not os.environ.get("DEEPD3_FIJI"):
        return "no Fiji: set DEEPD3_FIJI to its folder"
    if part in ("manager", "live", "panel") and (problem := display_problem()):
        return f"{problem}; run it under xvfb-run"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--part", choices=list(PARTS), help="one part only")
    parser.add_argument("--here", choices=list(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        from deepd3_ij import fiji

        PARTS[arguments.here](arguments.quick)
        fiji.end_process()
    for part in [arguments.part] if arguments.part else PARTS:
        if problem := obstacle(part):
            print(f"{part}: not measured ({problem})", flush=True)
            continue
        command = [sys.executable, __file__, "--here", part, *(["--quick"] if arguments.quick else [])]
        if subprocess.run(command, check=False).returncode:
            print(f"{part}: failed", flush=True)


if __name__ == "__main__":
    main()
