"""Processor time and peak memory of an analysis, stage by stage.

    python benchmarks/bench_analyze.py [STACK] [--before FOLDER] [--repeat N]

Without a stack, one of 16 × 512 × 512 is simulated. ``--before`` is a folder with another version of the package: both
versions take turns in processes of their own, and the least of the repeats counts. Below it, the network alone on
planes of 1024 × 352, beside TensorFlow's computation of it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

HERE = Path(__file__).parents[1]


def measure(stack: str) -> None:
    """Analyze and print seconds of processor time by stage as JSON."""
    from deepd3_ij import open_stack, predict
    from deepd3_ij.model import load_model
    from deepd3_ij.pipeline import analyze

    model, opened = load_model(None), open_stack(stack)
    predict(opened[:1], model)
    seconds: dict[str, float] = defaultdict(float)
    stage, since = "Reading", time.process_time()

    def progress(done: int, total: int, message: str) -> None:
        nonlocal stage, since
        now = time.process_time()
        seconds[stage] += now - since
        stage, since = message, now

    begin = time.process_time()
    analyze(opened, model, progress=progress)
    progress(0, 0, "")
    seconds["all"] = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    print(json.dumps({**seconds, "peak MB": peak}))


def network(side: tuple[int, int]) -> None:
    """Print seconds of processor time per megapixel of both ways to compute the network."""
    from deepd3_ij.model import load_model
    from deepd3_ij.model.engine import Engine
    from deepd3_ij.model.tensorflow_engine import TensorflowEngine

    graph = load_model(None).graph
    tile = np.random.default_rng(0).uniform(-1, 1, (1, *side)).astype(np.float32)
    engines = {"compiled": Engine(graph), "TensorFlow": TensorflowEngine(graph)}
    best: dict[str, float] = {}
    for turn in range(6):
        for name, engine in engines.items():
            begin = time.process_time()
            engine.run(tile)
            if turn:
                best[name] = min(best.get(name, np.inf), time.process_time() - begin)
    for name, seconds in best.items():
        print(f"{name}: {seconds / tile.size * 1e6:.2f} s per megapixel")


def main() -> None:
    """Read what is asked for, run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack", nargs="?")
    parser.add_argument("--before", type=Path, help="folder with another version of the package")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.stack)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments.stack or simulated(Path(folder)), arguments.before, arguments.repeat)
    network((1024, 352))


def simulated(folder: Path) -> str:
    """Write a stack; gives its file."""
    from deepd3_ij.files.tiff import write_stack
    from deepd3_ij.parameters import SimulationParameters
    from deepd3_ij.simulation import simulate

    scene = simulate(SimulationParameters(planes=16, height_px=512, width_px=512), seed=1)
    write_stack(folder / "stack.tif", scene.stack)
    return str(folder / "stack.tif")


def compare(stack: str, before: Path | None, repeat: int) -> None:
    """Run the versions in turns, print a table."""
    versions = {"before": before, "now": HERE} if before else {"now": HERE}
    best: dict[str, dict[str, float]] = defaultdict(dict)
    for _ in range(repeat):
        for name, folder in versions.items():
            done = subprocess.run([sys.executable, __file__, stack, "--measure"], check=True, text=True,
                                  stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(folder.resolve())})
            for stage, value in json.loads(done.stdout.splitlines()[-1]).items():
                best[stage][name] = min(best[stage].get(name, np.inf), value)
    print(f"{'':24}" + "".join(f"{name:>10}" for name in versions))
    for stage, values in best.items():
        print(f"{stage:24}" + "".join(f"{values.get(name, 0):10.2f}" for name in versions))


if __name__ == "__main__":
    main()
