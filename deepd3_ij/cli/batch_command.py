"""The command ``batch``."""

from __future__ import annotations

import argparse
import sys

from deepd3_ij.batch import BatchSettings, analyze_folder
from deepd3_ij.cli.analyze_commands import extras_from, typed_of
from deepd3_ij.cli.console import shown_progress


def batch(arguments: argparse.Namespace) -> int:
    """Run ``deepd3-ij batch``; 1 if any stack failed."""
    settings = BatchSettings(
        typed_of(arguments), cleaning=not arguments.no_clean, xy_um=arguments.xy_um_given, z_um=arguments.z_um_given,
        channel=arguments.channel, frame=arguments.frame, z_range=arguments.z_range, extras=extras_from(arguments))
    with shown_progress(arguments.quiet) as progress:
        result = analyze_folder(arguments.source, arguments.target, arguments.model, settings,
                                pattern=arguments.pattern, resume=not arguments.again, progress=progress)
    print(f"{len(result.done)} done, {len(result.skipped)} done before, {len(result.failed)} failed")
    for item, reason in result.failed:
        print(f"failed: {item.source}: {reason}", file=sys.stderr)
    return 1 if result.failed else 0
