"""The command ``batch``."""

from __future__ import annotations

import argparse
import sys

from deepd3_ij.batch import BatchSettings, analyze_folder, summary_of
from deepd3_ij.cli.analyze_commands import typed_of
from deepd3_ij.cli.console import print_line, shown_progress
from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.outputs.registry import with_extras
from deepd3_ij.parameters import BatchParameters


def batch(arguments: argparse.Namespace) -> int:
    """Run ``deepd3-ij batch``; 1 if any stack failed."""
    settings = BatchSettings(
        typed_of(arguments), xy_um=arguments.xy_um, z_um=arguments.z_um, channel=arguments.channel,
        frame=arguments.frame, z_range=arguments.z_range, outputs=with_extras(arguments.outputs))
    chosen = typed_parameters(BatchParameters, arguments)
    with shown_progress(arguments.quiet) as progress:
        result = analyze_folder(arguments.source, arguments.target, arguments.model, settings,
                                pattern=chosen.pattern, resume=not chosen.again, overwrite=chosen.overwrite,
                                progress=progress)
    print(summary_of(result))
    for item, reason in result.failed:
        print_line(f"failed: {item.source}: {reason}", sys.stderr)
    for item, reason in result.kept:
        print_line(f"kept: {item.source}: {reason}; to replace it: --overwrite", sys.stderr)
    for passed in result.passed_over:
        if passed.notable:
            print_line(f"passed over: {passed.path}: {passed.reason}", sys.stderr)
    others = sum(not passed.notable for passed in result.passed_over)
    if result.log is not None and (others or result.failed):
        also = f", {others} other files that are no stacks" if others else ""
        print_line(f"{result.log} has the details{also}", sys.stderr)
    return 1 if result.failed else 0
