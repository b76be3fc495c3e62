"""A process that reads damaged files: it may be killed by its parent, by the memory limit or by a fault.

Each line of standard input is the name of a reader and a seed, or a reader and a path; each line of standard output
says what came of it: ``read``, ``refused`` or ``fault`` and why.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from pathlib import Path

from tests.fuzz.mutations import damaged
from tests.fuzz.readers import READERS, Reader

MEMORY_BYTES = 2**30


def limit_memory() -> None:
    """Allow a gigabyte beyond what the libraries took."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, OSError, ValueError):
        pass  # no such limit on this system


def outcome(reader: Reader, path: Path) -> str:
    """What reading a file comes to."""
    from deepd3_ij.errors import DeepD3Error

    try:
        reader.read(path)
    except DeepD3Error as error:
        text = str(error)
        return "refused" if "\n" not in text and len(text) < 2000 else f"fault message of several lines: {text!r:.200}"
    except BaseException as error:
        return f"fault {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return "read"


def main() -> None:
    """Answer until standard input ends."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name, reader in READERS.items():
            for number, sample in enumerate(reader.samples()):
                path = Path(folder) / f"a{reader.suffix}"
                path.write_bytes(sample)
                before = outcome(reader, path)
                if before.startswith("fault"):
                    print(f"{name} {number} whole file: {before}", file=sys.stderr)
        limit_memory()
        print("ready", flush=True)
        for line in sys.stdin:
            name, what = line.rstrip("\n").split(" ", 1)
            reader = READERS[name]
            path = Path(folder) / f"a{reader.suffix}"
            path.write_bytes(damaged(reader.samples(), int(what)) if what.isdigit() else Path(what).read_bytes())
            print(outcome(reader, path), flush=True)


if __name__ == "__main__":
    main()
