"""The command ``inspect``."""

from __future__ import annotations

import argparse
import json
import sys

from deepd3_ij.inspection import inspect as look


def inspect(arguments: argparse.Namespace) -> int:
    """Run ``deepd3-ij inspect``; 1 if the file cannot be used."""
    seen = look(arguments.file)
    if arguments.json:
        print(json.dumps(seen.to_dict(), indent=1, ensure_ascii=False))
        return int(bool(seen.problem))
    print(f"{seen.file}: {seen.kind}")
    for line in seen.lines():
        print(f"  {line}")
    if seen.problem:
        print(f"deepd3-ij: {seen.problem}", file=sys.stderr)
    return int(bool(seen.problem))
