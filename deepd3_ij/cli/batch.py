"""The command ``batch``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from deepd3_ij import __version__, open_stack
from deepd3_ij.batch import BatchItem, find_stacks, run_batch
from deepd3_ij.cli.analysis import analyze_stack
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.files.results import write_analysis
from deepd3_ij.progress import Progress

NOT_SETTINGS = ("run", "quiet", "debug", "source", "target", "pattern", "again")


def batch(arguments: argparse.Namespace) -> int:
    """Run ``deepd3-ij batch``; 1 if any stack failed."""
    from deepd3_ij.cli.analysis import extras_from
    from deepd3_ij.model import load_model

    items = find_stacks(arguments.source, arguments.target, arguments.pattern)
    model = load_model(arguments.model)
    settings: dict[str, object] = {name: value for name, value in vars(arguments).items() if name not in NOT_SETTINGS}
    settings.update(version=__version__, model_sha256=model.sha256)

    def work(item: BatchItem, progress: Progress) -> Iterable[Path]:
        stack = open_stack(item.source, xy_um=arguments.xy_um_given, z_um=arguments.z_um_given,
                           channel=arguments.channel, frame=arguments.frame)
        analysis = analyze_stack(stack, model, arguments, progress)
        return write_analysis(analysis, item.folder, item.stem, extras_from(arguments), progress=progress)

    with shown_progress(arguments.quiet) as progress:
        result = run_batch(items, work, settings, resume=not arguments.again, progress=progress)
    print(f"{len(result.done)} done, {len(result.skipped)} done before, {len(result.failed)} failed")
    for item, reason in result.failed:
        print(f"failed: {item.source}: {reason}", file=sys.stderr)
    return 1 if result.failed else 0
