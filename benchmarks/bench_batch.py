"""Time of a batch of small stacks with one and with two workers, and the share of reading and writing.

    python benchmarks/bench_batch.py [--stacks N] [--planes N] [--side PX] [--repeat N]

Each run is the command line in a process of its own, into an empty folder, after one run that compiles what is
compiled once. Every worker has one thread, so that the figures tell what a second worker adds, not how threads share
the steps of one stack; ``--all-threads`` lets one worker use all processors. ``rate`` leaves the start of the
processes out: from the first stack that is begun to the last one that is done. ``waits`` is the share of the time in
which no stack of a worker is computed, because it is read or written or another one's is: that is what overlapping
leaves of reading and writing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def make_stacks(folder: Path, count: int, planes: int, side: int) -> None:
    from deepd3_ij.files.tiff import write_stack
    from deepd3_ij.parameters import SimulationParameters
    from deepd3_ij.simulation import simulate

    folder.mkdir()
    scene = simulate(SimulationParameters(planes=planes, height_px=side, width_px=side), seed=1)
    for number in range(count):
        write_stack(folder / f"stack_{number:02}.tif", scene.stack)


def run(source: Path, target: Path, workers: int, threads: int) -> dict[str, float]:
    """Figures of one run."""
    command = [sys.executable, "-m", "deepd3_ij", "batch", str(source), str(target), "--workers", str(workers),
               "--quiet"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DEEPD3_THREADS": str(threads)})
    seconds = time.perf_counter() - begin
    reports: list[dict[str, Any]] = [json.loads(file.read_text())["run"] for file in target.glob("*_done.json")]
    span = (max(_time(report["ended"]) for report in reports) - min(_time(report["began"]) for report in reports))
    stages = {stage: sum(report["seconds"][stage] for report in reports) for stage in ("read", "compute", "write")}
    return {"seconds": seconds, "span": span, "waits": max(0.0, 1 - stages["compute"] / (workers * span)),
            "reading_writing": (stages["read"] + stages["write"]) / sum(stages.values()),
            "peak_mb": max(report["peak_rss_mb"] for report in reports)}


def _time(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stacks", type=int, default=16)
    parser.add_argument("--planes", type=int, default=16)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--all-threads", action="store_true", help="one worker uses all processors")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_stacks(folder / "in", arguments.stacks, arguments.planes, arguments.side)
        make_stacks(folder / "warm", 1, arguments.planes, arguments.side)
        run(folder / "warm", folder / "warm_out", 1, 1)
        found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
        for turn in range(arguments.repeat):
            for workers, runs in found.items():
                threads = (os.cpu_count() or 1) if arguments.all_threads else workers
                runs.append(run(folder / "in", folder / f"out_{workers}_{turn}", workers, threads))
    print(f"{arguments.stacks} stacks of {arguments.planes} × {arguments.side} × {arguments.side}")
    print(f"{'workers':>7} {'whole, s':>9} {'stacks, s':>10} {'rate':>6} {'waits':>6} {'read + write':>13} "
          f"{'peak MB':>8}")
    best = {workers: min(runs, key=lambda figures: figures["span"]) for workers, runs in found.items()}
    for workers, figures in best.items():
        rate = best[1]["span"] / figures["span"]
        print(f"{workers:>7} {figures['seconds']:>9.1f} {figures['span']:>10.1f} {rate:>6.2f} {figures['waits']:>6.1%} "
              f"{figures['reading_writing']:>13.1%} {figures['peak_mb']:>8.0f}")


if __name__ == "__main__":
    main()
