"""The command ``batch``."""

from __future__ import annotations

import argparse
import sys

from deepd3_ij.batch import BatchSettings, analyze_folder
from deepd3_ij.cli.analyze_commands import typed_of
from deepd3_ij.cli.console import shown_progress
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
                                pattern=chosen.pattern, resume=not chosen.again, progress=progress)
    print(f"{len(result.done)} done, {len(result.skipped)} done before, {len(result.failed)} failed")
    for item, reason in result.failed:
        print(f"failed: {item.source}: {reason}", file=sys.stderr)
    return 1 if result.failed else 0
