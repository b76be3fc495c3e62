"""The commands ``simulate`` and ``data create | show | summary | arrange``."""

from __future__ import annotations

import argparse
from pathlib import Path

from deepd3_ij.atomic import check_output_folder
from deepd3_ij.cli.console import shown_progress
from deepd3_ij.cli.options import typed_parameters
from deepd3_ij.cli.report import print_files
from deepd3_ij.errors import ParameterError
from deepd3_ij.notes import note
from deepd3_ij.parameters import SeriesParameters, SimulationParameters, TimeSeriesParameters, TrainingDataParameters


def simulate(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij simulate``."""
    from deepd3_ij.outputs.simulated_stacks import simulate_series, simulate_time_series

    folder = check_output_folder(arguments.out)
    series = typed_parameters(SeriesParameters, arguments)
    changes = typed_parameters(TimeSeriesParameters, arguments)
    if changes.sessions > 1:
        if series.count > 1:
            raise ParameterError("--count and --series do not go together; give one of them.")
        with shown_progress(arguments.quiet) as progress:
            for files in simulate_time_series(typed_parameters(SimulationParameters, arguments), changes, series.seed,
                                              folder, overwrite=arguments.overwrite, progress=progress):
                print_files(files)
        return
    with shown_progress(arguments.quiet) as progress:
        for _, files in simulate_series(typed_parameters(SimulationParameters, arguments), series, folder,
                                        overwrite=arguments.overwrite, progress=progress):
            print_files(files[:1] if series.count > 1 else files)


def create(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij data create``."""
    from deepd3_ij.training.dataset import create_training_data

    with shown_progress(arguments.quiet) as progress:
        data = create_training_data(
            arguments.stack, arguments.dendrites, arguments.spines, arguments.out,
            typed_parameters(TrainingDataParameters, arguments), xy_um=arguments.xy_um,
            z_um=arguments.z_um, channel=arguments.channel, frame=arguments.frame, progress=progress)
    planes, height, width = data.stack.shape
    print(f"{arguments.out}: {planes} planes of {height} x {width} px")


def show(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij data show``."""
    from deepd3_ij.training.dataset import describe_training_data, preview_training_data, set_meta

    if arguments.set:
        set_meta(arguments.file, dict(_name_and_value(text) for text in arguments.set))
    for number, row in describe_training_data(arguments.file).iterrows():
        print(f"stack {number}")
        for name, value in row.items():
            print(f"  {name}: {value}")
    if arguments.preview:
        preview_training_data(arguments.file, arguments.preview)
        print(arguments.preview)


def summary(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij data summary``."""
    from deepd3_ij.training.summaries import doubts, summarize, total

    summaries = [summarize(path) for path in arguments.files]
    for each in summaries:
        print(f"{each.path}: {total([each])}")
    print(total(summaries))
    for doubt in doubts(summaries):
        note(doubt)


def arrange(arguments: argparse.Namespace) -> None:
    """Run ``deepd3-ij data arrange``."""
    from deepd3_ij.training.dataset import arrange_training_data
    from deepd3_ij.training.summaries import total

    with shown_progress(arguments.quiet) as progress:
        summaries = arrange_training_data([Path(path) for path in arguments.files], arguments.out, progress=progress)
    print(f"{arguments.out}: {total(summaries)}")


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ParameterError(f"--set {text!r} is no change of metadata; accepted: NAME=VALUE, "
                             "e.g. --set Resolution_XY=0.094")
    return name.strip(), value.strip()
