"""Reads very many damaged files: ``python -m tests.fuzz.run --inputs 100000``; prints counts per reader.

What fails is kept in ``tests/fuzz/corpus`` and read again by the tests from then on.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz.mutations import damaged
from tests.fuzz.pool import Worker
from tests.fuzz.readers import READERS, safe_name

CORPUS = Path(__file__).with_name("corpus")


def keep(name: str, seed: int, result: str) -> Path:
    """Put a failing input into the corpus."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / safe_name(f"{seed}_{result.split(':')[0].replace(' ', '_')}{READERS[name].suffix}")
    path.write_bytes(damaged(READERS[name].samples(), seed))
    return path


def main() -> int:
    """Run; 1 if an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="How many, over all readers.")
    parser.add_argument("--first", type=int, default=1_000_000, help="First seed; the tests use those below.")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0, help="Time limit of one input.")
    parser.add_argument("--reader", action="append", choices=list(READERS), help="Only this one; may be repeated.")
    chosen = parser.parse_args()
    names = chosen.reader or list(READERS)
    each = -(-chosen.inputs // len(names))
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    lock, started = threading.Lock(), time.monotonic()

    def work(part: int) -> None:
        worker = Worker(chosen.seconds)
        for name in names:
            seeds = range(chosen.first + part, chosen.first + each, chosen.processes)
            for line, result in worker.run(f"{name} {seed}" for seed in seeds):
                kind = result.split(" ")[0]
                with lock:
                    counts[name][kind] += 1
                    if kind not in ("read", "refused"):
                        seed = int(line.split(" ")[1])
                        print(f"{line}: {result}\n  {keep(name, seed, result)}", flush=True)
            with lock:
                print(f"[{time.monotonic() - started:.0f} s] {name}: {dict(counts[name])}", file=sys.stderr, flush=True)
        worker.close()

    with ThreadPoolExecutor(chosen.processes) as pool:
        list(pool.map(work, range(chosen.processes)))
    kinds = ("read", "refused", "fault", "hang", "died")
    print(f"{'reader':<16}" + "".join(f"{kind:>9}" for kind in ("inputs", *kinds)))
    for name in [*names, "all"]:
        row = counts[name] if name != "all" else sum(counts.values(), Counter())
        print(f"{name:<16}" + "".join(f"{value:>9}" for value in (row.total(), *(row[kind] for kind in kinds))))
    return int(any(counts[name][kind] for name in names for kind in kinds[2:]))


if __name__ == "__main__":
    sys.exit(main())
