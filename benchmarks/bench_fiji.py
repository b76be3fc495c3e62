"""Speed of the bridge to ImageJ: start, pixels, ROIs, live test.

python benchmarks/bench_fiji.py [--repeat 5]

Prints one line per figure with its limit. Each figure is the best of the repetitions, copies are compared with
``np.copyto`` in the same process. The manager's figures need a display (Xvfb will do).
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

START = """
import time
begin = time.perf_counter()
from deepd3_ij import fiji
fiji.connect('embedded')
print(time.perf_counter() - begin)
fiji.end_process()
"""


def best(function: Callable[[], object], repeat: int) -> float:
    """Shortest time in s."""
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def spines(count: int, planes: int = 10) -> np.ndarray:
    """Labels of round spines on a grid, each in ten planes."""
    side = int(np.ceil(np.sqrt(count / 5)))
    labels = np.zeros((60, 1024, 1024), np.int32)
    step = 1024 // side
    radius = min(step // 2 - 1, 7)
    y, x = np.mgrid[-radius:radius + 1, -radius:radius + 1]
    random = np.random.default_rng(0)
    for number in range(count):
        layer, place = divmod(number, side * side)
        cy, cx = (np.array(divmod(place, side)) * step + step // 2).tolist()
        for z in range(planes):
            disc = y**2 + x**2 * random.uniform(0.8, 1.3) <= (radius * random.uniform(0.7, 1)) ** 2
            labels[layer * 12 + z, cy - radius:cy + radius + 1, cx - radius:cx + radius + 1][disc] = number + 1
    return labels


def bench_pixels(repeat: int) -> list[tuple[str, float, str]]:
    from deepd3_ij import fiji, label_stack

    session = fiji.connect("embedded")
    rows = []
    for dtype in (np.uint8, np.uint16, np.float32):
        array = (np.random.default_rng(0).random((60, 1024, 1024), np.float32) * 200).astype(dtype)
        target = array.copy()
        copy = best(lambda target=target, array=array: np.copyto(target, array), repeat * 2)
        stack = label_stack(array, xy_um=0.1, z_um=0.5)
        pushed: list[object] = []

        def push(stack: object = stack, pushed: list[object] = pushed) -> None:
            for image in pushed:
                image.close()  # type: ignore[attr-defined]
            pushed[:] = [session.push(stack)]

        name = np.dtype(dtype).name
        rows += [(f"copyto {name}, ms", copy * 1e3, ""),
                 (f"push {name}, times copyto", best(push, repeat) / copy, "4"),
                 (f"pull {name}, times copyto",
                  best(lambda pushed=pushed: session.pull(pushed[0]), repeat) / copy, "2")]
    return rows


def bench_rois(mode: str, repeat: int) -> list[tuple[str, float, str]]:
    from deepd3_ij import RoiSet, fiji, label_stack

    session = fiji.connect("embedded", mode=mode)
    where = "overlay" if session.headless else "ROI Manager"
    rows = []
    for count, limit in ((300, "1"), (3000, "8")):
        rois = RoiSet(label_stack(spines(count), xy_um=0.1, z_um=0.5))
        image = session.push(rois.labels)
        session.push_rois(RoiSet(rois.labels.where(rois.labels < 2, 0)), image)  # compiles what is compiled once
        fresh = [RoiSet(rois.labels) for _ in range(repeat)]
        rows.append((f"{count} × 10 outlines to the {where}, s",
                     best(lambda fresh=fresh, image=image: session.push_rois(fresh.pop(), image), repeat), limit))
        rows.append((f"{count} × 10 outlines back to labels, s",
                     best(lambda image=image: session.pull_rois(image), repeat), limit))
        assert np.array_equal(session.pull_rois(image).labels, rois.labels)
        image.close()
    return rows


def bench_live(repeat: int) -> list[tuple[str, float, str]]:
    from deepd3_ij import Roi3DParameters, fiji, label_stack
    from deepd3_ij.fiji.live_test import Crop, LiveRoiTest
    from deepd3_ij.stack import label_prediction

    session = fiji.connect("embedded", mode="interactive")
    z, y, x = np.mgrid[:12, :200, :200]
    spine = np.zeros(z.shape, np.float32)
    random = np.random.default_rng(0)
    for cz, cy, cx in random.uniform((0, 0, 0), z.shape, (60, 3)):
        distance = (3 * (z - cz)) ** 2 + (y - cy) ** 2 + (x - cx) ** 2
        spine = np.maximum(spine, random.uniform(0.7, 1) * np.exp(-distance / 30)).astype(np.float32)
    like = label_stack(spine, xy_um=0.1, z_um=0.5)
    live = LiveRoiTest(session, session.push(label_prediction(spine, spine, like, {})))
    crop = Crop.around(spine.shape, 6, 100, 100)
    rows = []
    for parameters in (Roi3DParameters(), Roi3DParameters(mode="connected"), Roi3DParameters(sigma_px=1.0),
                       Roi3DParameters(watershed=True)):
        def change(parameters: Roi3DParameters = parameters) -> None:
            live.show(crop, live.compute(crop, parameters))

        change()
        name = f"{parameters.mode}{', sigma' * (parameters.sigma_px > 0)}{', watershed' * parameters.watershed}"
        rows.append((f"live test 128 × 128 × 6, {name}, ms", best(change, repeat * 4) * 1e3, "50"))
    return rows


def in_own_process(part: str, repeat: int) -> list[tuple[str, float, str]]:
    """Figures of one part: Java starts once per process."""
    done = subprocess.run([sys.executable, __file__, "--part", part, "--repeat", str(repeat)], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        return [(f"{part}: {done.stderr.strip().splitlines()[-1]}", float("nan"), "")]
    return [tuple(row) for row in json.loads(done.stdout.splitlines()[-1])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--part", choices=("pixels", "overlay", "manager", "live"))
    arguments = parser.parse_args()
    parts = {"pixels": bench_pixels, "overlay": lambda repeat: bench_rois("headless", repeat),
             "manager": lambda repeat: bench_rois("interactive", repeat), "live": bench_live}
    if arguments.part:
        from deepd3_ij import fiji

        print(json.dumps(parts[arguments.part](arguments.repeat)))
        fiji.end_process()
    starts = [float(subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True).stdout)
              for _ in range(arguments.repeat)]
    rows = [("session start, warm, s", min(starts), "3")]
    for part in parts:
        rows += in_own_process(part, arguments.repeat)
    for name, value, limit in rows:
        print(f"{name:<60}{value:10.2f}" + (f"   limit {limit}" if limit else ""))


if __name__ == "__main__":
    main()
