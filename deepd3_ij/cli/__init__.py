"""The command line ``deepd3-ij``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from deepd3_ij.program import debug_wanted, open_streams, run_program


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``deepd3-ij``.

    Returns
    -------
    int
        0 done, 1 failed (one line on stderr), 2 wrong usage.
    """
    open_streams()
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["batch-compat"]:
        from deepd3_ij.cli.original_batch import main as batch

        return batch(given[1:])
    return run_program("deepd3-ij", lambda: _run(given), debug=debug_wanted(given))


def _run(given: Sequence[str]) -> int | None:
    from deepd3_ij.cli.parser import build_parser

    arguments = build_parser().parse_args(given)
    code: int | None = arguments.run(arguments)
    return code
