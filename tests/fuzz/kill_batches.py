"""Kills runs and workers of a batch at random moments; the next run gives what an undisturbed one gives.

    python -m tests.fuzz.kill_batches [--kills N] [--seed N]

The stacks and the work are small; processes, files, locks and renames are the real ones.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.faults.little_batch import contents, leftovers, make_stack, run_little_batch
from tests.faults.little_worker import PlainWork, little_pool

NAMES = ("a.tif", "b.tif", "below/c.tif", "d.tif", "e.tif", "f.tif")
LONGEST_SECONDS = 4.0


def run(source: Path, target: Path) -> None:
    """The run that is killed; it tells its workers in a file."""
    from deepd3_ij.atomic import check_output_folder
    from deepd3_ij.batch.lock import RunLock

    pool = little_pool(2)
    lock = RunLock(check_output_folder(target), children=lambda: pool.process_ids)
    run_little_batch(source, target, "A", executor=pool, keep_alive=lock.renew,
                     watch=lambda board, event: target.with_suffix(".pids").write_text(
                         " ".join(map(str, pool.process_ids))) and None)
    lock.release()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(*arguments.run)
        return
    chosen = random.Random(arguments.seed)
    killed = {"run": 0, "worker": 0, "late": 0}
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        for stack in NAMES:
            make_stack(top / "in", stack)
        run_little_batch(top / "in", top / "wanted", "A", work=PlainWork())
        wanted = contents(top / "wanted")
        for number in range(arguments.kills):
            target = top / f"out{number}"
            command = [sys.executable, "-m", "tests.fuzz.kill_batches", "--run", str(top / "in"), str(target)]
            with subprocess.Popen(command) as process:
                time.sleep(chosen.uniform(0.5, LONGEST_SECONDS))
                killed[_kill(process, target, chosen.choice(("run", "worker")))] += 1
                process.wait()
            subprocess.run(command, check=True)
            assert contents(target) == wanted, f"kill {number}"
            assert leftovers(target) == [], f"kill {number}"
            assert not list(target.rglob("*.lock")), f"kill {number}"
            assert not list(target.rglob("*.failed")), f"kill {number}"
            print(f"kill {number + 1}: {killed}", flush=True)
    print(f"{arguments.kills} kills, seed {arguments.seed}: {killed}; all results as without them")


def _kill(process: subprocess.Popen[bytes], target: Path, victim: str) -> str:
    if process.poll() is not None:
        return "late"
    pids = target.with_suffix(".pids")
    workers = pids.read_text().split() if pids.is_file() else []
    if victim == "worker" and workers:
        with suppress(ProcessLookupError):
            os.kill(int(workers[0]), signal.SIGKILL)
            return "worker"
        return "late"
    process.kill()
    return "run"


if __name__ == "__main__":
    main()
