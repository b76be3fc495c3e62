"""Time and peak memory of prediction with a 32-filter network, per tiling and plane size.

    python benchmarks/bench_prediction.py [--quick] [--model FILE] [--repeat N]

Each case runs in a process of its own, so that peak memory is its own. ``seconds`` is the
prediction alone, after a warm-up on a plane of the same size; the fastest of the repeats counts,
and the cases take turns so that a busy machine disturbs all alike. Each case is reported as soon as it is done,
all of them in a table at the end. ``--quick`` runs small planes once, in under two minutes. ``of plane`` compares
processor time, which other programs disturb least. "original" is what the
original computes in its four-fold mode: the same tiles, run through the unchanged Keras network
in batches of 32.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

TILINGS = ("seamless", "plane", "inset", "fourfold", "original")
CASES = [(planes, side, tiling) for planes, side in ((10, 512), (1, 1024), (1, 2048)) for tiling in TILINGS]
QUICK_CASES = [*((1, 256, tiling) for tiling in TILINGS), (1, 512, "seamless"), (1, 512, "plane")]


def random_model(folder: Path) -> Path:
    """A 32-filter network as it comes out of initialisation."""
    from deepd3_ij.model.network import build_network

    path = folder / "random32.keras"
    build_network(32).save(path)
    return path


def measure(planes: int, side: int, tiling: str, model: str, repeat: int) -> None:
    """Run one case and print its figures as JSON."""
    from deepd3_ij import PredictionParameters, label_stack, load_model, predict

    pixels = np.random.default_rng(0).integers(0, 250, (planes, side, side)).astype(np.uint8)
    stack = label_stack(pixels, xy_um=0.1, z_um=0.5)
    if tiling == "original":
        run = original_fourfold(pixels, model)
    else:
        loaded = load_model(model)
        parameters = PredictionParameters(tiling=tiling, resample=False)

        def run(count: int) -> None:
            predict(stack[:count], loaded, parameters)

    run(1)
    seconds = []
    for _ in range(repeat):
        start, start_cpu = time.perf_counter(), time.process_time()
        run(planes)
        seconds.append((time.perf_counter() - start, time.process_time() - start_cpu))
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_gb = kilobytes * (1 if sys.platform == "darwin" else 1024) / 1e9
    wall, cpu = (min(values) for values in zip(*seconds, strict=True))
    print(json.dumps({"seconds": wall, "cpu_seconds": cpu, "peak_gb": peak_gb}))


def original_fourfold(pixels: np.ndarray, model: str) -> Callable[[int], None]:
    """Computation of the original's four-fold mode, as far as it goes there (its last rows are left out)."""
    import keras

    network = keras.saving.load_model(model, compile=False)

    def run(count: int) -> None:
        padded = np.pad(pixels[:count], ((0, 0), (128, 128), (128, 128)), constant_values=int(pixels.mean()))
        height, width = pixels.shape[1:]
        for shift_y, shift_x in ((0, 0), (64, 0), (0, 64), (64, 64)):
            for y in range(shift_y, height, 96):
                for x in range(shift_x, width, 96):
                    tile = padded[:, y:y + 128, x:x + 128].astype(np.float32)
                    low, high = tile.min(), tile.max()
                    tile = (tile - low) / max(high - low, 1) * 2 - 1
                    network.predict(tile[..., np.newaxis], verbose=0)

    return run


def run_case(case: tuple[int, int, str], model: Path) -> dict[str, float]:
    planes, side, tiling = case
    command = [sys.executable, __file__, "--case", str(planes), str(side), tiling, "--model", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a 32-filter model; one with random weights is made if omitted")
    parser.add_argument("--repeat", type=int, help="rounds over all cases (2, with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="small planes, once")
    parser.add_argument("--case", nargs=3, metavar=("PLANES", "SIDE", "TILING"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        measure(int(arguments.case[0]), int(arguments.case[1]), arguments.case[2], arguments.model, 1)
        return
    cases = QUICK_CASES if arguments.quick else CASES
    with tempfile.TemporaryDirectory() as folder:
        model = Path(arguments.model) if arguments.model else random_model(Path(folder))
        results: dict[tuple[int, int, str], list[dict[str, float]]] = {case: [] for case in cases}
        for _ in range(arguments.repeat or (1 if arguments.quick else 2)):
            for case in cases:
                results[case].append(run_case(case, model))
                print(f"{case[0]} × {case[1]} × {case[1]}, {case[2]}: {results[case][-1]['seconds']:.2f} s", flush=True)
    print(f"{'planes':>6} {'side':>5} {'tiling':<9} {'seconds':>8} {'s/Mpixel':>9} {'of plane':>9} {'peak GB':>8}")
    for planes, side, tiling in cases:
        runs = results[planes, side, tiling]
        seconds = min(run["seconds"] for run in runs)
        cpu = min(run["cpu_seconds"] for run in runs)
        whole = min(run["cpu_seconds"] for run in results[planes, side, "plane"])
        print(f"{planes:>6} {side:>5} {tiling:<9} {seconds:>8.2f} {seconds / (planes * side * side) * 1e6:>9.2f} "
              f"{cpu / whole:>9.2f} {max(run['peak_gb'] for run in runs):>8.2f}")


if __name__ == "__main__":
    main()
