"""The commands ``batch`` and ``batch-summary``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deepd3_ij.batch import BatchResult, BatchSettings, RunOptions, Shard, analyze_run, summary_of
from deepd3_ij.batch.overrides import Layer, Overrides
from deepd3_ij.batch.run_file import RunFile, read_run_file, with_command_line
from deepd3_ij.cli.analyze_commands import typed_of
from deepd3_ij.cli.batch_display import shown_batch
from deepd3_ij.cli.console import print_line
from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.cli.report import print_files
from deepd3_ij.errors import Cancelled, DeepD3Error, ParameterError
from deepd3_ij.outputs.registry import with_extras
from deepd3_ij.parameters import BatchParameters

ALL_DONE, SOME_FAILED, NOTHING_STARTED, INTERRUPTED = 0, 1, 2, 130
"""Exit codes of a batch."""


def batch(arguments: argparse.Namespace) -> int:
    """Run ``deepd3-ij batch``."""
    chosen = typed_parameters(BatchParameters, arguments)
    try:
        run = _run_of(arguments)
        options = RunOptions(chosen.workers, Shard(*(arguments.shard or (1, 1))), arguments.scheduler,
                             chosen.take_over, not arguments.no_provenance, arguments.memory)
        with shown_batch(arguments.quiet) as watch:
            result = analyze_run(run, resume=not chosen.again, overwrite=chosen.overwrite, options=options, watch=watch)
    except (KeyboardInterrupt, Cancelled):
        print_line("interrupted; what is done is kept, and the same line goes on from there", sys.stderr)
        return INTERRUPTED
    except DeepD3Error as error:
        if error.exit_code == SOME_FAILED:
            error.exit_code = NOTHING_STARTED
        raise
    _print_result(result, options)
    return SOME_FAILED if result.failed else ALL_DONE


def batch_summary(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij batch-summary``."""
    from deepd3_ij.batch.summary import write_summary

    print_files(write_summary(Path(arguments.target), overwrite=arguments.overwrite,
                              provenance=not arguments.no_provenance))


def _run_of(arguments: argparse.Namespace) -> RunFile:
    """What is to be done: from the file of a run, and what was typed."""
    typed = {cls: values for cls, values in typed_of(arguments).items() if values}
    reading = {name: value for name in ("xy_um", "z_um", "channel", "frame", "z_range")
               if (value := getattr(arguments, name)) is not None}
    file = read_run_file(arguments.config) if arguments.config else RunFile(
        None, None, BatchParameters().pattern, None, BatchSettings({}), Overrides())
    outputs = with_extras(arguments.outputs, file.settings.outputs) if arguments.outputs else None
    run = with_command_line(
        file, Layer(reading, typed), outputs, pattern=arguments.pattern, model=arguments.model, table=arguments.table,
        source=Path(arguments.source) if arguments.source else None,
        target=Path(arguments.target) if arguments.target else None)
    if run.source is None or run.target is None:
        raise ParameterError("IN and OUT are missing; give the folder of the stacks and the folder for the results, or "
                             "--config with a file that names them as input and output.")
    return run


def _print_result(result: BatchResult, options: RunOptions) -> None:
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
    print_files([path for path in result.summary if path.name.endswith((".html", "stacks.csv"))])
    if not options.shard.is_whole:
        print_line("when all parts are done: deepd3-ij batch-summary OUT", sys.stderr)
